"""The page with several pictures, in a real browser, with the example of a model of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from g2u.state import Context
from g2u.traces.trace import read_trace
from tests.agent.webpage.standin import Place, served
from tests.agent.webpage.visits import Visit, done, newest
from tests.browsers import browser

__all__ = ["browser"]  # a fixture

MODEL = f"{Path(__file__).parents[3] / 'examples' / 'own_model.py'}:load"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with served(tmp_path_factory.mktemp("several") / "runs", Context(model=MODEL)) as place:
        yield place


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Bright, dark and grey."""
    for name, shade in (("a", 220), ("b", 30), ("c", 120)):
        Image.new("RGB", (40, 30), (shade, shade, shade)).save(tmp_path / f"{name}.png")
    return [tmp_path / f"{name}.png" for name in "abc"]


def test_several_pictures_are_asked_about_in_order(visit: Visit, place: Place, files: list[Path]) -> None:
    page = visit(place=place)
    page.set_input_files("#file", files[:2])
    expect(page.locator("#chosen li")).to_contain_text(["1", "2"])
    page.set_input_files("#add", files[2])
    expect(page.locator("#chosen li")).to_have_count(3)
    page.get_by_role("button", name="Leave picture 2 out").click()
    expect(page.locator("#chosen img").last).to_have_attribute("alt", "Picture 2 to ask about")
    page.set_input_files("#add", files[1])
    expect(page.locator("#chosen li")).to_have_count(3)
    page.fill("#question", "Which is darker?")
    page.click("#go")
    done(page)
    expect(page.locator(".answer .said").first).to_have_text("third")
    expect(page.locator(".answer").first).to_contain_text("From the originals alone.")
    strip = page.locator(".strip li")
    for place_of, name in enumerate(("Original 1", "Original 2", "Original 3", "Thought 1")):
        expect(strip.nth(place_of)).to_contain_text(name)
    expect(strip.nth(3)).to_contain_text("on picture 3")
    expect(strip.nth(3)).to_contain_text("Drawn from original 3.")
    trace = read_trace(newest(place))
    shades = [trace.header.pictures[number].open(place.store).getpixel((0, 0)) for number in range(3)]  # type: ignore[arg-type]
    assert shades == [(220, 220, 220), (120, 120, 120), (30, 30, 30)]
    expect(page.locator(".runs .several img")).to_have_count(3)
    page.get_by_role("button", name="Ask this again").click()
    expect(page.locator("#chosen li")).to_have_count(3)


def test_a_choice_takes_the_place_of_the_one_before(visit: Visit, place: Place, files: list[Path]) -> None:
    page = visit(place=place)
    expect(page.get_by_text("Add another")).to_be_hidden()
    page.set_input_files("#file", files[0])
    expect(page.locator("#chosen img")).to_have_attribute("alt", "The picture to ask about")
    expect(page.get_by_text("Add another")).to_be_visible()
    page.set_input_files("#file", files[:2])
    expect(page.locator("#chosen li")).to_have_count(2)
    page.set_input_files("#add", files * 3)
    expect(page.locator("#picture-problem")).to_contain_text("pictures can be asked about here. Choose fewer.")
    expect(page.locator("#chosen li")).to_have_count(2)
    page.locator("#gallery label").first.click()
    expect(page.locator("#chosen li")).to_have_count(1)
