"""What of a run comes first on the page, and what below: the two answers, then what they rest on."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from g2u.traces.trace import read_trace
from tests.agent.webpage.standin import Place
from tests.agent.webpage.visits import Visit, ask_of_world, done, newest
from tests.runs import write_run

LONG = "Which of the many coloured shapes on this wide table lies nearest to the upper left corner? "
SIZE = "element => parseFloat(getComputedStyle(element).fontSize)"
WIDEST = """() => {
  window.columns = 0;
  new MutationObserver(() => {
    columns = Math.max(columns, document.querySelectorAll(".strip > li").length);
  }).observe(document.getElementById("run"), { childList: true, subtree: true });
}"""
"""Writes down how many columns there ever were."""


def top_of(page: Page, selector: str) -> float:
    box = page.locator(selector).first.bounding_box()
    assert box, f"{selector} is on the page"
    return box["y"]


@pytest.mark.parametrize("width", [390, 1280])
def test_the_answers_come_first_and_large_and_the_evidence_below(visit: Visit, width: int) -> None:
    page = visit(width=width)
    ask_of_world(page, "maze", 8)
    done(page)
    direct, imagined = (page.locator(".answer").nth(place).bounding_box() for place in (0, 1))
    assert direct and imagined and direct["y"] == imagined["y"] and direct["x"] + direct["width"] < imagined["x"]
    tops = [
        top_of(page, selector)
        for selector in (
            ".asked",
            ".answer",
            ".sure",
            ".strip figure > img",
            ".strip code",
            ".strip .bars",
            ".times",
            ".links",
        )
    ]
    assert tops == sorted(tops), "the order in which they are read"
    evidence = page.get_by_role("region", name="Evidence")
    for part in (".strip", ".lines, .strip > li:nth-child(3)", ".times", ".tag"):
        expect(evidence.locator(part).first).to_be_visible()
    expect(evidence.locator(".answer")).to_have_count(0)
    largest = max(page.locator("#run *").evaluate_all(f"all => all.map({SIZE})"))
    assert {page.locator(".said").nth(place).evaluate(SIZE) for place in (0, 1)} == {largest}


def test_the_answers_have_their_places_before_they_come(visit: Visit) -> None:
    page = visit()
    page.evaluate(
        """() => {
          window.seen = { tops: new Set(), pending: 0 };
          new MutationObserver(() => requestAnimationFrame(() => { // what is painted
            const strip = document.querySelector(".strip");
            if (!strip) return;
            seen.tops.add(strip.getBoundingClientRect().top + scrollY);
            seen.pending = Math.max(seen.pending, document.querySelectorAll(".answer.pending").length);
          })).observe(document.getElementById("run"), { childList: true, subtree: true });
        }"""
    )
    ask_of_world(page, "maze", 8)
    done(page)
    expect(page.locator(".truth")).to_contain_text("The right answer:")
    assert page.evaluate("seen.pending") == 2
    expect(page.locator(".answer.pending")).to_have_count(0)
    assert page.evaluate("[...seen.tops].length") == 1, "nothing moves when they come"


def test_a_round_without_a_drawing_takes_no_column(visit: Visit, place: Place) -> None:
    page = visit()
    for task, policy in (("tangle", "self"), ("tangle", "none")):
        page.evaluate(WIDEST)
        if policy == "none":
            page.select_option("#policy", policy)
        ask_of_world(page, task, 8)
        done(page)
        trace = read_trace(newest(place))
        idle = [turn for turn in trace.rounds if turn.thought is None]
        assert len(idle) == 1 and len(trace.drawn) == (policy == "self")
        assert page.locator(".strip > li").count() == page.evaluate("columns") == 1 + len(trace.drawn)
        line = page.get_by_role("region", name="Evidence").locator(".lines > li")
        expect(line).to_contain_text(f"Round {idle[0].number} nothing {'more ' if trace.drawn else ''}to imagine")
        box = line.bounding_box()
        assert box and box["height"] < 80


def test_a_decision_that_came_to_no_drawing_takes_no_column(visit: Visit, place: Place) -> None:
    trace, _ = write_run(place.runs, upto=2)
    page = visit(f"#run={trace.header.run}")
    expect(page.locator("#status")).to_have_text("This run has not come to its end.")
    expect(page.locator(".strip > li")).to_have_count(2)
    expect(page.locator(".answer")).to_have_count(0)
    expect(page.locator("#shown .option")).to_have_text(["red", "blue"])


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_long_questions_and_answers_leave_room_for_each_other(visit: Visit, place: Place, width: int) -> None:
    question = (LONG * 30)[:1999]
    trace, _ = write_run(place.runs, question, answers=(LONG * 2, LONG))
    page = visit(f"#run={trace.header.run}", width=width)
    done(page)
    for answer in page.locator(".answer h3").all():
        expect(answer).to_be_in_viewport()
    rights = page.locator("#shown *").evaluate_all("all => all.map((part) => part.getBoundingClientRect().right)")
    assert max(rights) <= width
    heading, more = page.locator(".asked"), page.get_by_role("button", name="The whole question")
    folded = heading.bounding_box()
    more.focus()
    page.keyboard.press("Enter")
    expect(more).to_have_attribute("aria-expanded", "true")
    whole = heading.bounding_box()
    assert folded and whole and whole["height"] > 2 * folded["height"]
    page.keyboard.press("Enter")
    expect(more).to_have_attribute("aria-expanded", "false")
    assert heading.bounding_box() == folded
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.get_by_role("table").get_by_role("rowheader")).to_have_text([(LONG * 2).strip(), LONG.strip()])
    short, _ = write_run(place.runs)
    page.evaluate(f"location.hash = 'run={short.header.run}'")
    expect(heading).to_have_text(short.header.question)
    expect(more).to_be_hidden()
