"""The page of a study, in a real browser: it stands alone, filters, sorts, and works by keyboard and on a phone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect

from g2u.errors import OutputError
from g2u.study.grid.records import Mark
from g2u.study.report.page import render, render_comparison, write_report
from g2u.study.tables.table import Column, Table
from tests.browsers import CONTRAST, SLOW, browser, find_chromium
from tests.study.studies import HOSTILE, make_study, make_tables

__all__ = ["browser"]  # a fixture

WIDTH = 1280


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(make_study(tmp_path_factory.mktemp("study"), 100), make_tables())


class Visit(Protocol):
    """Opens a page that may load nothing but itself and may not complain."""

    def __call__(self, path: Path, hash_: str = "", width: int = WIDTH, dark: bool = False) -> Page: ...


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    troubles: list[str] = []
    pages: list[Page] = []

    def look(request: Request) -> None:
        if request.url[:5] not in ("file:", "data:"):
            troubles.append(request.url)

    def opened(path: Path, hash_: str = "", width: int = WIDTH, dark: bool = False) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
        pages.append(page)
        page.set_default_timeout(SLOW)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", look)
        page.goto(f"{path.as_uri()}{hash_}")
        expect(page.locator(".count")).not_to_be_empty()
        return page

    yield opened
    for page in pages:
        page.close()
    assert troubles == []


def counted(page: Page) -> str:
    return page.inner_text(".count")


def button(page: Page, name: str) -> Locator:
    """The filter that begins with a name."""
    return page.locator(".filters").get_by_role("button", name=re.compile(f"^{name}"))


def outcomes(page: Page) -> set[str]:
    return set(page.locator(".card .title .tag").all_text_contents())


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_only_a_machine_of_ones_own_may_lack_a_browser(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no chromium"):
        find_chromium()


def test_a_filter_changes_cards_counts_and_address(visit: Visit, report: Path) -> None:
    page = visit(report)
    assert counted(page) == "200 of 200 answers"
    fixed, task = button(page, "fixed"), button(page, "maze")
    assert task.inner_text() == "maze 104"
    assert fixed.get_attribute("aria-pressed") == "false"
    fixed.click()
    assert fixed.get_attribute("aria-pressed") == "true"
    assert (counted(page), outcomes(page), task.inner_text()) == ("25 of 200 answers", {"fixed"}, "maze 13")
    assert page.locator(".card").count() == 25
    button(page, "broken").click()
    assert (counted(page), outcomes(page)) == ("50 of 200 answers", {"fixed", "broken"})
    task.click()
    assert counted(page) == "26 of 200 answers"
    assert page.url.endswith("#outcome=fixed&outcome=broken&task=maze")
    page.get_by_role("button", name="Show all").click()
    assert counted(page) == "200 of 200 answers"


def test_an_address_opens_its_view(visit: Visit, report: Path) -> None:
    page = visit(report, "#outcome=broken&arm=self&text=disc+5&group.edit=own+group&verdict=unheard-of")
    assert (counted(page), outcomes(page)) == ("7 of 200 answers", {"broken"})
    assert page.input_value("input[type=search]") == "disc 5"
    page.evaluate("location.hash = 'outcome=failed'")
    expect(page.locator(".count")).to_have_text("1 of 200 answers")
    assert "Out of memory." in (page.text_content(".card .note") or "")
    page.go_back()
    expect(page.locator(".count")).to_have_text("7 of 200 answers")


def test_text_is_searched_in_questions_answers_and_instructions(visit: Visit, report: Path) -> None:
    page = visit(report)
    for words, found in (("DISC 17?", 2), ("please expose", 100), ("memory", 1), ("nowhere", 0), ("held-out/99", 2)):
        page.fill("input[type=search]", words)
        page.wait_for_function(
            "found => document.querySelector('.count').textContent === found", arg=f"{found} of 200 answers"
        )
    page.locator(".card .link").first.click()
    assert page.input_value("input[type=search]") == "held-out/99"


def test_cards_show_pictures_decision_verdict_and_answers(visit: Visit, report: Path) -> None:
    page = visit(report, "#text=held-out/0&arm=self")
    card = page.locator(".card")
    for expected in (
        "What colour is disc 0?", "self, seed 0", "fixed", "Please deblur it.", "by self", "keep 90 · retry 5",
        "blue", "✗ wrong", "✓ right", "80.0 %", "Edits known to help: deblur",
    ):  # fmt: skip
        expect(card).to_contain_text(expected)
    card.get_by_text("Why").click()
    expect(card.get_by_text("Mean change of a pixel 12.5 %.")).to_be_visible()
    expect(card.get_by_text("psnr 24.5")).to_be_visible()
    expect(card.locator("img")).to_have_count(4)
    for image in card.locator("img").all():
        expect(image).to_have_js_property("naturalWidth", 48)
    expect(card.locator(".difference img + img")).to_have_css("mix-blend-mode", "difference")


def test_more_cards_come_when_they_are_needed(visit: Visit, report: Path) -> None:
    page = visit(report)
    assert page.locator(".card").count() == 60
    page.locator(".show-more").scroll_into_view_if_needed()
    expect(page.locator(".card")).to_have_count(120)
    while page.locator(".show-more").is_visible():
        page.locator(".show-more").focus()
        page.keyboard.press("Enter")
    assert page.locator(".card").count() == 200


def test_a_table_is_sorted_by_click_and_keyboard(visit: Visit, report: Path) -> None:
    page = visit(report)
    header = page.locator("#arms table.data th", has_text="gain").first
    names = page.locator("#arms table.data tbody th")
    asked = ["direct", "self", "random", "oracle"]
    assert names.all_inner_texts() == asked
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    assert names.all_inner_texts() == ["self", "oracle", "random", "direct"]
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    assert names.all_inner_texts() == ["random", "oracle", "self", "direct"]
    page.keyboard.press("Space")
    assert header.get_attribute("aria-sort") is None
    assert names.all_inner_texts() == asked


def test_everything_can_be_reached_by_keyboard_and_shows_where_it_is(visit: Visit, report: Path) -> None:
    page = visit(report)
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "To the gallery of answers"
    page.locator("#gallery summary").first.focus()
    page.keyboard.press("Tab")
    focus = page.locator(":focus")
    assert focus.inner_text().startswith("fixed")
    assert focus.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Space")
    assert counted(page) == "25 of 200 answers"
    assert focus.get_attribute("aria-pressed") == "true"


def test_an_item_of_a_table_leads_to_its_answers(visit: Visit, report: Path) -> None:
    page = visit(report)
    page.locator("#regret summary").first.click()
    page.get_by_role("link", name="held-out/3").click()
    expect(page.locator("input[type=search]")).to_have_value("held-out/3")
    assert counted(page) == "22 of 200 answers"
    assert page.locator("#gallery").evaluate("element => Math.abs(element.getBoundingClientRect().top) < 100")


@pytest.mark.parametrize("dark", [False, True])
def test_texts_can_be_read_in_light_and_dark(visit: Visit, report: Path, dark: bool) -> None:
    page = visit(report, "#outcome=fixed&outcome=broken&outcome=failed", dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) < 200) == dark
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [320, 390, 760, WIDTH])
def test_no_width_needs_to_be_scrolled_sideways(visit: Visit, report: Path, width: int) -> None:
    page = visit(report, width=width)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_screen_reader_finds_names_for_everything(visit: Visit, report: Path) -> None:
    page = visit(report)
    nameless = """[...document.querySelectorAll("button, summary, [role=img], [role=region], [role=group]")].filter(
      (element) => element.checkVisibility() && !(element.getAttribute("aria-label") || element.textContent).trim()
    ).length"""
    assert page.evaluate(nameless) == 0
    assert page.evaluate("document.querySelectorAll('img:not([alt])').length") == 0
    assert (
        page.evaluate("document.querySelectorAll('h1').length")
        == page.evaluate("document.querySelectorAll('main').length")
        == 1
    )
    assert page.locator("figure.chart").count() == page.locator("figure.chart > figcaption").count() == 6


def test_paper_has_everything_but_the_buttons(visit: Visit, report: Path) -> None:
    page = visit(report)
    page.emulate_media(media="print")
    assert not page.locator(".filters").is_visible() and not page.locator("nav").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#tables table.data").first.is_visible()


def test_what_a_user_wrote_is_shown_and_not_run(visit: Visit, tmp_path: Path) -> None:
    results = make_study(tmp_path, 1)
    [item] = results.items.values()
    told = {"question": HOSTILE, "options": [HOSTILE, "blue"], "groups": {HOSTILE: HOSTILE, "task": "maze"}}
    arms = results.header.study.arms
    never = arms[-1].model_copy(update={"name": "never"})
    study = results.header.study.model_copy(update={"name": HOSTILE, "about": HOSTILE, "arms": [*arms, never]})
    hostile = replace(
        results,
        header=results.header.model_copy(update={"study": study, "skipped": {"never": HOSTILE}}),
        items={item.id: item.model_copy(update=told)},
    )
    table = Table("arms", HOSTILE, HOSTILE, [Column("arm", HOSTILE, about=HOSTILE)], [{"arm": HOSTILE}])
    page = visit(write_report(hostile, {"arms": table}))
    assert page.title() != "run" and HOSTILE in page.inner_text("h1")
    assert page.locator(".card h3").first.text_content() == HOSTILE
    assert page.locator("img[src=x]").count() == 0


def test_a_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    page = render(make_study(tmp_path), make_tables())
    assert not re.search(r"https?:|@import|url\(|<link|<iframe|srcset| on[a-z]+=", page)
    assert "default-src 'none'" in page


def test_a_study_that_is_not_finished_says_so(tmp_path: Path) -> None:
    results = make_study(tmp_path)
    page = render(replace(results, lines=results.lines[:-4]), {})
    assert "This study is not finished: 20 of 24 answers are there." in page
    assert "1 of 20 answers failed; a failure counts as wrong." in page
    assert "3, on a development split, before this study was fixed" in page
    assert "a" * 64 in page and "b" * 64 in page and "c" * 64 in page


def test_an_empty_study_has_a_page_too(visit: Visit, tmp_path: Path) -> None:
    results = replace(make_study(tmp_path), lines=[])
    assert counted(visit(write_report(results, {}))) == "0 of 0 answers"


def test_a_lost_picture_is_told(visit: Visit, tmp_path: Path) -> None:
    results = make_study(tmp_path)
    shutil.rmtree(tmp_path / "pictures")
    page = visit(write_report(results, {}))
    assert "16 pictures could not be read" in page.inner_text("#gallery")
    assert page.locator(".card .blank").first.text_content() == "missing"


def test_a_long_table_is_cut_and_says_where_the_rest_is(tmp_path: Path) -> None:
    rows = [{"arm": f"row-{number}"} for number in range(1234)]
    page = render(make_study(tmp_path), {"long": Table("long", "Long", "", [Column("arm", "arm")], rows)})
    assert "The first 200 of 1,234 rows; the file <code>long.csv</code> has all of them." in page
    assert "row-199" in page and "row-200<" not in page


def test_a_report_is_written_whole_or_refused(tmp_path: Path) -> None:
    results = make_study(tmp_path)
    path = write_report(results, make_tables())
    assert path == tmp_path / "report" / "index.html"
    assert [entry.name for entry in path.parent.iterdir()] == ["index.html"]
    with pytest.raises(OutputError):
        write_report(replace(results, folder=path), {})


def test_five_thousand_items_can_be_filtered(visit: Visit, tmp_path: Path) -> None:
    path = write_report(make_study(tmp_path, 5000, pictures=64), make_tables())
    page = visit(path)
    assert counted(page) == "10,000 of 10,000 answers"
    assert page.locator(".card").count() == 60
    button(page, "fixed").click()
    assert (counted(page), outcomes(page)) == ("1,250 of 10,000 answers", {"fixed"})
    page.fill("input[type=search]", "disc 4996?")
    expect(page.locator(".card")).to_have_count(1)


def test_two_studies_are_shown_beside_each_other(visit: Visit, tmp_path: Path) -> None:
    a, b = make_study(tmp_path / "a", name="before"), make_study(tmp_path / "b", name="after")
    changed = [
        line.model_copy(update={"marks": {"scored": Mark(value=not line.right)}}) if line.arm == "self" else line
        for line in b.lines
    ]
    path = tmp_path / "comparison.html"
    columns = [Column("arm", "arm"), Column("difference", "difference", "points", "low", "high")]
    rows = [{"arm": "self", "difference": 0.25, "low": -0.1, "high": 0.5}]
    table = Table("comparison", "Two studies", "After minus before.", columns, rows)
    path.write_text(render_comparison(a, replace(b, lines=changed), {"comparison": table}), encoding="utf-8")
    for width in (WIDTH, 390):
        page = visit(path, width=width)
        assert page.locator("#comparison .forest tr.level").count() == 1
        assert counted(page) == "8 of 8 pairs of answers"
        assert page.locator(".card").first.locator("section").count() == 2
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        button(page, "B better").click()
        assert counted(page) == "5 of 8 pairs of answers"


def test_studies_without_common_answers_are_told_apart(tmp_path: Path) -> None:
    a, b = make_study(tmp_path / "a"), make_study(tmp_path / "b")
    page = render_comparison(a, replace(b, lines=[]), {})
    assert "there is nothing to pair" in page and "(B)" in page
