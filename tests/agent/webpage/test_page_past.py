"""The list of past runs on the page: compact, with a filter, and with times that hold together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from g2u.traces.records import StopRecord
from g2u.traces.trace import FILE_NAME
from tests.agent.webpage.standin import Place, served
from tests.agent.webpage.visits import Visit, ask_of_world, done
from tests.runs import write_run

QUESTIONS = {
    20: ("How many apples are on the table?", ("three", "four")),
    3: ("Which way leads out of the maze?", ("left", "right")),
}
"""By how many days ago they were asked; those between are of a disc."""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Thirty runs, one a day until now, and one of long ago; the last was stopped."""
    runs = tmp_path_factory.mktemp("full") / "runs"
    write_run(
        runs,
        "What colour was the disc that lay on the table then, in that winter?",
        created=datetime(2019, 12, 24, 11, 59, tzinfo=UTC),
        run="20191224-115900-000-00000000",
    )
    for days in range(30):
        created = datetime.now(UTC) - timedelta(days=days)
        question, answers = QUESTIONS.get(days, ("What colour is the disc?", ("red", "blue")))
        named = {"created": created, "run": f"{created:%Y%m%d-%H%M%S}-000-{days:08x}"}
        trace, _ = write_run(runs, question, 5 if days else 2, answers, **named)
        if not days:
            with (trace.folder / FILE_NAME).open("a") as file:
                file.write(StopRecord(cause="cancelled").model_dump_json() + "\n")
    with served(runs) as place:
        yield place


def heights(page: Page) -> list[float]:
    return [box["height"] for row in page.locator("#runs > li").all() if (box := row.bounding_box())]


def test_past_runs_are_a_compact_list(visit: Visit, full: Place) -> None:
    page = visit(place=full)
    expect(page.locator("#runs > li")).to_have_count(12)
    assert max(heights(page)) <= 56
    tops = page.locator("#runs a").first.evaluate(
        "link => [...link.children].map((part) => part.offsetTop + part.offsetHeight / 2)"
    )
    assert max(tops) - min(tops) < 8, "all of a run is on one line"
    phone = visit(place=full, width=390)
    expect(phone.locator("#runs > li")).to_have_count(12)
    assert max(heights(phone)) <= 80
    stopped = phone.get_by_role("link", name=re.compile(r"What colour is the disc\? cancelled \d"))
    expect(stopped).to_have_count(1)
    named = phone.get_by_role("link", name=re.compile(r"What colour is the disc\? red with the thought blue"))
    expect(named).to_have_count(10)


def test_the_filter_looks_through_all_runs(visit: Visit, full: Place) -> None:
    page = visit(place=full)
    rows, told = page.locator("#runs > li"), page.locator("#past-told")
    page.get_by_role("searchbox", name="Filter").focus()
    page.keyboard.type("APPLES four")
    expect(told).to_have_text("1 run matches.")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("How many apples are on the table?")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    done(page)
    expect(rows.locator("[aria-current]")).to_have_count(1)
    expect(page.locator(".asked")).to_have_text("How many apples are on the table?")
    for words, found in (
        ("cancelled", "1 run matches."),
        ("nowhere", "No runs match."),
        ("disc", "12 runs match so far."),
    ):
        page.fill("#filter", words)
        expect(told).to_have_text(found)
    page.get_by_role("button", name="Older runs").click()
    expect(told).to_have_text("24 runs match so far.")
    expect(rows.nth(12).locator("a")).to_be_focused()
    page.get_by_role("button", name="Older runs").click()
    expect(told).to_have_text("29 runs match.")
    expect(page.get_by_role("button", name="Older runs")).to_be_hidden()
    page.locator("#filter").focus()
    page.keyboard.press("Escape")
    expect(page.locator("#filter")).to_have_value("")
    expect(told).to_have_text("")
    expect(rows).to_have_count(12)


def test_to_clear_the_filter_stops_no_run(visit: Visit, slow_place: Place) -> None:
    page = visit(place=slow_place)
    ask_of_world(page, "shapes", 20)
    expect(page.locator(".steps li").first).to_be_visible()
    page.fill("#filter", "star")
    page.keyboard.press("Escape")
    expect(page.locator("#filter")).to_have_value("")
    expect(page.locator("#stop")).to_be_visible()
    page.click("#stop")
    expect(page.locator("#status")).to_have_text("This run was stopped.")


@pytest.mark.parametrize("width", [320, 390, 760, 900, 1280])
def test_no_time_and_no_number_is_broken_in_two(visit: Visit, full: Place, width: int) -> None:
    page = visit(place=full, width=width)
    for shown in range(12, 31, 12):
        expect(page.locator("#runs > li")).to_have_count(shown)
        page.get_by_role("button", name="Older runs").click()
    expect(page.locator("#runs > li")).to_have_count(31)
    texts = page.locator("#runs time").all_inner_texts()
    assert len(texts) == 31 and re.fullmatch(r"\d+:\d\d\s[AP]M", texts[0]) and texts[-1] == "Dec 24, 2019"
    page.locator("#runs a").nth(1).click()
    done(page)
    lines = """all => all.filter((element) => {
      const range = document.createRange();
      range.selectNodeContents(element);
      const tops = [...range.getClientRects()].map(({ top, height }) => top + height / 2);
      const { left, right } = element.getBoundingClientRect();
      return Math.max(...tops) - Math.min(...tops) > 4 || left < 0 || right > innerWidth;
    }).map((element) => element.textContent)"""
    whole = page.locator("#runs time, .number:not(:empty), .piece, .times dd, .tag, .mark:not(:empty)")
    assert whole.count() > 40
    assert whole.evaluate_all(lines) == []


def test_what_cannot_be_loaded_is_told_where_it_is_missing(visit: Visit, full: Place) -> None:
    page = visit(place=full, refused=3)
    for part in ("world", "runs?*"):
        page.route(f"**/g2u/{part}", lambda route: route.fulfill(status=500, json={"detail": "The disk is full."}))
    page.goto("about:blank")
    page.goto(f"{full.url}#run=20000101-000000-000-00000000")
    expect(page.locator("#gallery-title")).to_have_text("The picture world cannot be shown. The disk is full.")
    expect(page.locator("#past-told")).to_have_text("Past runs cannot be listed. The disk is full.")
    status = page.get_by_role("status").filter(
        has_text="The record of 20000101-000000-000-00000000 is damaged, or gone."
    )
    expect(status).to_be_visible()


def test_an_empty_list_says_so(visit: Visit, tmp_path: Path) -> None:
    with served(tmp_path / "runs") as place:
        page = visit(place=place)
        expect(page.locator("#past-told")).to_have_text("There are none yet.")
        page.close()
