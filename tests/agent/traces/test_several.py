"""A run about several pictures as it is kept, shown and exported: each in order, and which of them was edited."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from rich.console import Console

from g2u.asking import Run, ask
from g2u.plugins.steps import steps_of
from g2u.traces.page import render_run
from g2u.traces.terminal import show_trace
from g2u.traces.trace import Trace, read_trace, store_of
from g2u.traces.viewer import write_viewer
from tests.agent.plugins.test_exporters import spans_of
from tests.browsers import browser

__all__ = ["browser"]  # a fixture

MODEL = f"{Path(__file__).parents[3] / 'examples' / 'own_model.py'}:load"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("several")
    images = [Image.new("RGB", (24, 16), (shade, shade, shade)) for shade in (220, 30)]
    yield ask(images, "Which is darker?", model=MODEL, out=folder / "runs", rounds=1)


@pytest.fixture
def trace(run: Run) -> Trace:
    assert run.trace is not None
    return read_trace(run.trace)


def test_the_header_holds_all_pictures_in_order(trace: Trace) -> None:
    first, second = trace.header.pictures
    assert [ref.open().getpixel((0, 0))[0] for ref in (first, second)] == [220, 30]  # type: ignore[index]
    assert [trace.name_of(ref) for ref in (trace.answer.pictures if trace.answer else ())] == [
        "original 1",
        "original 2",
        "thought 1",
    ]
    (turn,) = trace.rounds
    assert (turn.decision.on, turn.source) == (2, second) and trace.imagined
    line = json.loads((trace.folder / "trace.jsonl").read_text().splitlines()[0])
    assert line["format"] == 2 and [one["sha256"] for one in line["pictures"]] == [first.sha256, second.sha256]


def test_page_terminal_and_notebook_show_all_of_them(run: Run, trace: Trace) -> None:
    page = render_run(trace, store_of(trace))
    cell = run._repr_html_()
    for html in (page, cell):
        assert all(f'alt="Original picture {number}"' in html for number in (1, 2)) and "Original 2" in html
    assert "from original 2" in page and "From the originals alone." in page and "on picture 2" in cell
    told = io.StringIO()
    show_trace(trace, store_of(trace), Console(file=told, width=100))
    assert "original 1" in told.getvalue() and "from original 2" in told.getvalue()
    assert run.to_json()["rounds"][0]["on"] == 2


def test_the_viewer_shows_all_of_them(trace: Trace, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(write_viewer(trace.folder.parent).as_uri())
    row = page.locator(".runs tbody tr")
    expect(row.locator("img")).to_have_count(3)
    row.locator("input").check()
    expect(page.locator(".side figcaption").nth(1)).to_have_text("Original 2")
    expect(page.locator(".side figcaption").nth(2)).to_contain_text("from original 2")
    page.close()


def test_exporters_name_each_of_them(trace: Trace) -> None:
    # Its model compares no texts, so that its verdict has a label and no value.
    steps = {step.kind: step for step in steps_of(trace)}
    first, second = trace.header.pictures
    (turn,) = trace.rounds
    both = {"picture 1": first, "picture 2": second}
    assert steps["run"].inputs == {**both, "question": "Which is darker?", "options": []}
    assert steps["decide"].inputs == {**both, "question": "Which is darker?"}
    assert steps["generate"].inputs == {"picture": second, "instruction": turn.decision.instruction, "on": 2}
    assert list(steps["answer"].inputs) == ["original 1", "original 2", "thought 1", "question", "options"]
    assert steps["answer"].facts["imagined"] and not steps["direct"].facts["imagined"]
    assert all(span.attributes and span.attributes["g2u.on"] == 2 for span in spans_of(trace) if "expose" in span.name)
