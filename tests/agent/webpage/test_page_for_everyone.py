"""The page by keyboard, on a phone, in the dark and for a screen reader, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.agent.webpage.visits import Visit, ask_of_world, done
from tests.browsers import CONTRAST


def test_everything_goes_by_keyboard_alone(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "To the run"
    page.keyboard.press("Tab")
    assert page.locator(":focus").get_attribute("id") == "file"
    ringed = page.locator("label[for=file]").evaluate("element => getComputedStyle(element).outlineStyle")
    assert ringed == "solid"
    for _ in range(9):
        page.keyboard.press("Tab")
    assert (page.locator(":focus").get_attribute("title") or "").startswith("maze,")
    page.keyboard.press("Enter")
    for expected in ("", "", "", "", "question"):
        page.keyboard.press("Tab")
        assert not expected or page.locator(":focus").get_attribute("id") == expected
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Settings"
    page.keyboard.press("Tab")
    assert page.locator(":focus").get_attribute("id") == "go"
    page.keyboard.press("Space")
    expect(page.locator("#stop")).to_be_focused()
    done(page)
    expect(page.locator("#go")).to_be_focused()


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
