"""The page by keyboard, on a phone, in the dark and for a screen reader, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from g2u.world.items.items import sample
from tests.agent.webpage.standin import Place
from tests.agent.webpage.visits import Visit, ask_of_world, done, take_of_world
from tests.browsers import CONTRAST
from tests.runs import write_run

NAMES = "radios => radios.map((radio) => radio.labels[0].querySelector('img').alt)"


def focused(page: Page) -> str | None:
    return page.locator(":focus").get_attribute("id")


def test_everything_goes_by_keyboard_alone(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "To the run"
    page.keyboard.press("Tab")
    assert focused(page) == "file"
    ringed = page.locator("label[for=file]").evaluate("element => getComputedStyle(element).outlineStyle")
    assert ringed == "solid"
    page.keyboard.press("Tab")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name=re.compile("^maze,"))).to_be_focused()
    for expected in ("question", "options", None, "go"):
        page.keyboard.press("Tab")
        assert focused(page) == expected
    page.keyboard.press("Space")
    expect(page.locator("#stop")).to_be_focused()
    done(page)
    expect(page.locator("#go")).to_be_focused()
    page.get_by_role("button", name="Ask this again").focus()
    for expected in ("filter", None):
        page.keyboard.press("Tab")
        assert focused(page) == expected
    expect(page.locator("#runs a").first).to_be_focused()


def test_the_gallery_is_one_group_with_arrow_keys(visit: Visit) -> None:
    page = visit()
    group = page.get_by_role("radiogroup", name="Or take one of the picture world:")
    radios = group.get_by_role("radio")
    expect(radios).to_have_count(13)
    assert all(re.fullmatch(r"\w+(, \w+)?: .+\?", name or "") for name in radios.evaluate_all(NAMES))
    page.locator("#file").focus()
    page.keyboard.press("Tab")
    expect(radios.first).to_be_focused()
    expect(group.locator(":checked")).to_have_count(0)
    asked = set()
    for key, place in (("ArrowRight", 1), ("ArrowDown", 2), ("ArrowLeft", 1), ("ArrowUp", 0), ("ArrowLeft", 12)):
        page.keyboard.press(key)
        expect(radios.nth(place)).to_be_focused()
        expect(radios.nth(place)).to_be_checked()
        ring = radios.nth(place).evaluate("radio => getComputedStyle(radio.nextElementSibling).outlineWidth")
        assert ring == "3px"
        asked.add(page.locator("#question").input_value())
        expect(page.locator("#chosen img")).to_be_visible()
    assert len(asked) == 4 and "" not in asked
    page.keyboard.press("Tab")
    assert focused(page) == "question"
    page.keyboard.press("Shift+Tab")
    expect(radios.last).to_be_focused()
    page.keyboard.press("Enter")
    done(page)
    expect(page.locator(".asked")).to_have_text(page.locator("#question").input_value())


def test_a_picture_of_ones_own_is_none_of_the_gallery(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    take_of_world(page, "maze")
    expect(page.locator("#gallery :checked")).to_have_count(1)
    sample("shapes", 3).picture.save(tmp_path / "mine.png")
    page.set_input_files("#file", tmp_path / "mine.png")
    expect(page.locator("#gallery :checked")).to_have_count(0)
    take_of_world(page, "maze")
    page.fill("#question", "And this?")
    take_of_world(page, "maze")
    expect(page.locator("#question")).not_to_have_value("And this?")


def test_a_shared_link_on_a_phone_opens_at_the_run(visit: Visit, place: Place) -> None:
    """Also while all else still loads, which then pushes nothing away."""
    trace, _ = write_run(place.runs)
    page, held = visit(width=390), list[Route]()
    page.route("**/g2u/world", lambda route: held.append(route))
    page.route("**/g2u/runs?*", lambda route: held.append(route))
    page.goto("about:blank")
    page.goto(f"{place.url}#run={trace.header.run}")
    done(page)
    expect(page.locator("#run")).to_be_focused()
    top = "document.getElementById('run').getBoundingClientRect().top"
    for selector in (".asked", ".answer >> nth=0", ".answer >> nth=1"):
        expect(page.locator(selector)).to_be_in_viewport(ratio=1)
    before = page.evaluate(top)
    assert 0 <= before < 40 and page.title().startswith(trace.header.question)
    assert len(held) == 2
    for route in held:
        route.continue_()
    expect(page.locator("#gallery input")).to_have_count(13)
    expect(page.locator("#runs li").first).to_be_visible()
    assert page.evaluate(top) == before
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('run').contains(document.activeElement)")
    order = "document.querySelector('main').firstElementChild.id"
    assert page.evaluate(order) == "run"
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_function(f"{order} === 'ask'")
    page.goto("about:blank")
    page.goto(place.url)
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.evaluate(order) == "ask"


def test_who_asks_on_a_phone_sees_the_run_begin(visit: Visit, slow_place: Place) -> None:
    page = visit(width=390, place=slow_place)
    ask_of_world(page, "maze", 50)
    expect(page.locator(".steps li").first).to_be_visible()
    for selector in ("#stop", ".asked", ".strip li >> nth=1"):
        expect(page.locator(selector)).to_be_in_viewport()
    page.click("#stop")
    expect(page.locator("#status")).to_have_text("This run was stopped.")


def test_noise_does_not_flicker_for_who_asks_for_less_motion(visit: Visit) -> None:
    page = visit()
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(
        """() => new MutationObserver(() => { window.flickered ||= document.querySelector("img.preview") !== null; })
          .observe(document.getElementById("run"), { childList: true, subtree: true })"""
    )
    ask_of_world(page, "maze", 8)
    done(page)
    assert page.evaluate("window.flickered") is False
    assert page.locator(".steps li").count() % 8 == 0
    expect(page.locator(".steps img").first).to_have_js_property("naturalWidth", 128)


def test_what_is_written_from_right_to_left_is_shown_so(visit: Visit, place: Place) -> None:
    trace, _ = write_run(place.runs, "ما لون القرص؟", answers=("أحمر", "أزرق"))
    page = visit(f"#run={trace.header.run}", width=390)
    done(page)
    for selector in (".asked", ".said >> nth=0", ".said >> nth=1", ".sure tbody th >> nth=0"):
        assert page.locator(selector).evaluate("element => getComputedStyle(element).direction") == "rtl"
    outcome = page.locator(f"#runs a[data-run='{trace.header.run}'] bdi")
    direct, imagined = outcome.nth(0).bounding_box(), outcome.nth(1).bounding_box()
    assert direct and imagined and direct["x"] + direct["width"] < imagined["x"], (
        "the arrow points from one to the other"
    )


@pytest.mark.parametrize("width", [320, 390, 760, 1280])
def test_no_width_needs_to_be_scrolled_sideways(visit: Visit, width: int) -> None:
    page = visit(width=width, dark=width == 390)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ask_of_world(page, "tangle", 8)
    done(page)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True])
def test_texts_can_be_read_in_light_and_dark(visit: Visit, dark: bool) -> None:
    page = visit(dark=dark)
    ask_of_world(page, "maze", 2)
    done(page)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) < 200) == dark
    assert page.evaluate(CONTRAST) == []


def test_a_screen_reader_finds_names_for_everything(visit: Visit) -> None:
    page = visit()
    ask_of_world(page, "maze", 2)
    done(page)
    nameless = """[...document.querySelectorAll("button, summary, a, [role=group], progress")].filter((element) =>
      element.checkVisibility() &&
      !(element.getAttribute("aria-label") || element.textContent || element.querySelector("img")?.alt).trim()
    ).map((element) => element.outerHTML)"""
    assert page.evaluate(nameless) == []
    unlabelled = "[...document.querySelectorAll('input, textarea, select')].filter((e) => !e.labels.length).length"
    assert page.evaluate(unlabelled) == page.evaluate("document.querySelectorAll('img:not([alt])').length") == 0
    assert page.locator("h1").count() == page.locator("main").count() == 1
