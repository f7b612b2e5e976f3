"""Pages stand alone, show everything of a run and run nothing that they were given."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from g2u.errors import PictureError
from g2u.pictures.store import ImageStore
from g2u.traces.page import DemoCase, render_demo, render_run, tally
from g2u.traces.trace import TraceWriter, read_trace
from tests.runs import header, write_run

HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)> \" ' & {{ 7 * 7 }}"


class Page(HTMLParser):
    """What a browser would find in a page: elements with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += " ".join(data.split()) + "\n" if data.strip() else ""

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def case(
    root: Path, truth: str = "blue", question: str = "What colour is the disc?", upto: int = 5
) -> tuple[DemoCase, ImageStore]:
    trace, store = write_run(root, question, upto)
    return DemoCase(trace=trace, task="colour", fault="blur", truth=truth), store


@pytest.fixture(params=["run", "demo"])
def page(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    one, store = case(tmp_path, question=HOSTILE)
    return render_run(one.trace, store) if request.param == "run" else render_demo([one], store)


def test_a_page_needs_nothing_from_outside(page: str) -> None:
    parsed = Page(page)
    names = {name for name, _ in parsed.elements}
    assert not names & {"script", "link", "iframe", "object", "embed", "base", "form"}
    values = [(name, value or "") for _, attributes in parsed.elements for name, value in attributes.items()]
    assert all(value.startswith("data:image/png;base64,") for name, value in values if name == "src")
    assert all(value.startswith("#") for name, value in values if name == "href")
    assert not [name for name, _ in values if name.startswith("on") or name in ("srcset", "action", "formaction")]
    assert not any(word in page for word in ("http:", "https:", "@import", "url("))


def test_what_a_user_wrote_is_shown_and_not_run(page: str) -> None:
    assert HOSTILE in Page(page).text
    assert "<script" not in page


def test_links_lead_to_places_of_the_page(page: str) -> None:
    parsed = Page(page)
    places = {f"#{attributes['id']}" for _, attributes in parsed.elements if "id" in attributes}
    assert {link["href"] for link in parsed.of("a")} <= places


def test_a_page_can_be_used_without_eyes_or_mouse(page: str) -> None:
    parsed = Page(page)
    assert parsed.of("html") == [{"lang": "en"}]
    assert len(parsed.of("h1")) == len(parsed.of("main")) == 1
    assert all(image["alt"] for image in parsed.of("img"))
    assert len(parsed.of("details")) == len(parsed.of("summary")) > 0
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in parsed.of("meta")


def test_a_page_shows_every_round_and_number(tmp_path: Path) -> None:
    trace, store = write_run(tmp_path)
    parsed = Page(render_run(trace, store))
    for expected in (
        "What colour is the disc?",
        "Thought 1",
        "Thought 2",
        "Draw the way in red.",
        "Remove the blur.",
        "It fits badly. Mean change of a pixel 30.0 %.",
        "It fits well. Mean change of a pixel 8.0 %.",
        "70.0 %",
        "90.0 %",
        "after 2 attempts",
        "enhancement, from thought 1",
        "Direct answer\nred",
        "Imagined answer\nblue",
        "99.0 %",
        "Timings: 2.000 s",
        "0.400 s",
        trace.header.run,
        trace.header.model.weights,
        trace.header.prompts["edits.yaml"],
        trace.header.pictures[0].sha256,
    ):
        assert expected in parsed.text
    shown = [
        Image.open(io.BytesIO(base64.b64decode((image["src"] or "").partition(",")[2]))) for image in parsed.of("img")
    ]
    kept = [trace.header.pictures[0], *(round.thought for round in trace.rounds if round.thought)]
    assert [image.tobytes() for image in shown] == [store.open(ref).tobytes() for ref in kept]


@pytest.mark.parametrize("upto", range(5))
def test_a_run_that_was_stopped_has_a_page_too(tmp_path: Path, upto: int) -> None:
    trace, store = write_run(tmp_path, upto=upto)
    text = Page(render_run(trace, store)).text
    assert "This run has not come to its end." in text
    assert ("There is none: the run is unfinished." in text) == (upto < 4)


def test_a_page_tells_what_the_model_does_not_know(tmp_path: Path) -> None:
    trace, store = write_run(tmp_path)
    known = Page(render_run(trace, store)).text
    top = trace.header.model_copy(update={"out_of_vocabulary": ["disc"]})
    unsure = Page(render_run(replace(trace, header=top, out_of_domain=1.0), store)).text
    for caveat in (
        "small does not know the word disc; it answers from the rest.",
        "This picture lies outside of what small was trained on; its answer makes no claim.",
    ):
        assert caveat in unsure and caveat not in known


def test_tables_have_no_python_in_them(tmp_path: Path) -> None:
    trace, store = write_run(tmp_path)
    assert trace.result is not None
    taught = replace(trace.header.capabilities, instructions=frozenset({"Remove the noise.", "Remove the blur."}))
    config = replace(trace.header.config, families=["structure", "extension"])
    top = trace.header.model_copy(update={"capabilities": taught, "config": config})
    work = trace.result.model_copy(update={"engine": {"read": {"batches": 2, "seconds": 0.12345678}}})
    text = Page(render_run(replace(trace, header=top, result=work), store)).text
    for row in (
        "instructions\nRemove the blur. Remove the noise.\n",
        "families\nstructure, extension\n",
        "weights\n-\n",
        "reflect\nyes\n",
        "seconds\n600\n",
        "read\nbatches 2, seconds 0.123457\n",
    ):
        assert row in text
    assert not any(mark in text for mark in ("frozenset", "None", "True", "False"))


def test_a_large_picture_is_shown_smaller(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "pictures")
    top = header(store.add_image(Image.new("RGB", (3000, 1500), "teal")))
    TraceWriter(tmp_path / "run", top).close()
    [shown] = Page(render_run(read_trace(tmp_path / "run"), store)).of("img")
    kind, _, data = (shown["src"] or "").partition(",")
    assert (kind, shown["width"]) == ("data:image/jpeg;base64", "3000")
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (1024, 512)


def test_a_lost_picture_is_an_error(tmp_path: Path) -> None:
    trace, store = write_run(tmp_path)
    store.path(trace.header.pictures[0]).unlink()
    with pytest.raises(PictureError, match="is not in the store"):
        render_run(trace, store)


@pytest.mark.parametrize(("truth", "imagined", "direct"), [("blue", 1, 0), (" RED\n", 0, 1), ("green", 0, 0)])
def test_right_and_wrong_are_counted(tmp_path: Path, truth: str, imagined: int, direct: int) -> None:
    one, store = case(tmp_path, truth)
    text = Page(render_demo([one], store)).text
    assert text.strip().splitlines()[-1] == tally([one])
    assert tally([one]) == f"Right answers of 1: {imagined} with imagining, {direct} without."
    assert (text.count("✓ right"), text.count("✗ wrong")) == (2 * (imagined + direct), 2 * (2 - imagined - direct))


def test_an_answer_that_is_missing_is_not_right(tmp_path: Path) -> None:
    one, store = case(tmp_path, upto=0)
    assert tally([one]) == "Right answers of 1: 0 with imagining, 0 without."
    assert "✗ wrong" in render_demo([one], store)


def test_a_demo_shows_all_cases_in_full(tmp_path: Path) -> None:
    cases = [case(tmp_path, question=f"Question {number}?")[0] for number in range(3)]
    parsed = Page(render_demo(cases, ImageStore(tmp_path / "pictures")))
    assert len(parsed.of("article")) == 3
    assert [link["href"] for link in parsed.of("a")] == [f"#run-{one.trace.header.run}" for one in cases]
    assert all(parsed.text.count(one.trace.header.question) == 2 for one in cases)


def test_what_the_model_wrote_before_it_drew_and_answered_is_on_the_page(tmp_path: Path) -> None:
    trace, store = write_run(tmp_path)
    assert "Plan before drawing" not in render_run(trace, store)
    assert trace.answer is not None
    thoughtful = replace(
        trace,
        rounds=[turn.model_copy(update={"plan": "<think> red & blue </think>"}) for turn in trace.rounds],
        answer=trace.answer.model_copy(update={"reasoning": "<think> so it is </think>"}),
    )
    text = Page(render_run(thoughtful, store)).text
    assert text.count("<think> red & blue </think>") == 2 and text.count("<think> so it is </think>") == 1
