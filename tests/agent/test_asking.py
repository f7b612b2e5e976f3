"""One question from Python: where its pictures are, and which error gets out."""

import asyncio
import base64
import io
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from g2u.asking import aask, ask
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import G2UError, OutputError, PictureError, SettingError, UnknownNameError
from g2u.pictures import decoding
from g2u.pictures.store import get_store
from g2u.plugins.node import as_node
from g2u.state import Context
from g2u.traces.page import render_run
from g2u.traces.trace import read_trace, store_of
from tests.agent.engine.scenes import Gate
from tests.scripted import Call, Pictures, ScriptedModel
from tests.waiting import HUNG, Clock

CONTEXT = Context(model="scripted", policy="fixed:deblur", reflect=False)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedModel]:
    """A model that draws, in an empty working folder with one picture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("G2U_PICTURES", raising=False)
    Image.new("RGB", (16, 16), "red").save("picture.png")
    scripted = ScriptedModel()
    with Engine(lambda: scripted) as engine:
        register_engine("scripted", engine)
        yield scripted


@pytest.mark.parametrize("moved", [False, True])
async def test_a_run_is_shown_from_another_folder_and_after_a_move(
    model: ScriptedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    run = await aask("picture.png", "Which?", context=CONTEXT, out=Path("here"))
    assert run.store == tmp_path / "here" / "pictures"
    assert run.trace is not None
    folder, page = tmp_path / run.trace, (run.trace / "index.html").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"picture.png", "here"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    if moved:
        folder = (tmp_path / "here").rename(elsewhere / "runs") / folder.name
    trace = read_trace(folder)
    assert trace.header.config.store == str(tmp_path / "here" / "pictures")
    assert render_run(trace, store_of(trace)) == page


async def test_folders_may_be_text_and_settings_may_be_given_one_by_one(model: ScriptedModel) -> None:
    run = await aask("picture.png", "Which?", out="here", model="scripted", policy="fixed:deblur", reflect=False)
    assert run.trace is not None and run.trace.parent == Path("here")
    assert read_trace(run.trace).header.config.policy == "fixed:deblur"
    run = await aask("picture.png", "Which?", context=CONTEXT, policy="none", out=None)
    assert (run.trace, [turn.decision.edit for turn in run.rounds]) == (None, ["none"])
    assert CONTEXT.policy == "fixed:deblur"
    run = await asyncio.to_thread(ask, "picture.png", "Which?", context=CONTEXT, out="here", rounds=1)
    assert len(run.rounds) == 1 and run.rounds[0].thought is not None


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"pictures": 12}, PictureError, "A picture cannot be 12 (int). Give a path, bytes of a file, a PIL.Image, "),
        ({"pictures": io.BytesIO()}, PictureError, "(_io.BytesIO)"),
        (
            {"pictures": np.zeros((4, 4, 3))},
            PictureError,
            "an array of float64 in the shape (4, 4, 3); uint8 of height",
        ),
        ({"pictures": [None]}, PictureError, "cannot be None"),
        ({"pictures": []}, PictureError, "There is no picture to ask about."),
        (
            {"out": 12},
            SettingError,
            "out cannot be 12: the path of a folder was expected, or None for no trace. Write out",
        ),
        ({"context": {"policy": "self"}}, SettingError, "a g2u.Context was expected. Write"),
        ({"polcy": "self"}, UnknownNameError, "Did you mean policy"),
    ],
)
async def test_what_is_of_another_kind_is_refused_before_the_model_is_asked(
    model: ScriptedModel, tmp_path: Path, given: dict[str, Any], error: type[G2UError], says: str
) -> None:
    arguments: dict[str, Any] = {"pictures": "picture.png", "question": "Which?", "context": CONTEXT} | given
    with pytest.raises(error) as refused:
        await aask(**arguments)
    assert says in str(refused.value)
    with pytest.raises(error):
        await asyncio.to_thread(lambda: ask(**arguments))
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"] and not model.calls


async def test_a_picture_is_asked_about_as_it_is_held(model: ScriptedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    red = Image.new("RGB", (16, 16), "red")
    first = await aask("picture.png", "Which?", context=CONTEXT, out="here")
    for held in (red, np.asarray(red), Path("picture.png").read_bytes(), first.asked.picture, first.asked.picture.uri):
        run = await aask(held, "Which?", context=CONTEXT, out="here")
        assert run.asked.picture == first.asked.picture
    node = as_node(CONTEXT, out="here")
    for held in (red, np.asarray(red)):
        assert (await node.ainvoke({"picture": held, "question": "Which?"}))["answer"].pictures[0] == run.asked.picture
    monkeypatch.setenv("G2U_FETCH_HOSTS", "*")
    with pytest.raises(PictureError, match=r"private ones are never opened\. Name the host in"):
        await aask("http://127.0.0.1:1/a.png", "Which?", context=CONTEXT, out="here")


async def test_one_opened_file_is_asked_about_many_times_at_once(model: ScriptedModel) -> None:
    gradient = Image.radial_gradient("L").resize((900, 900)).convert("RGB")
    gradient.save("large.png")
    expected = get_store("here/pictures").add_image(gradient)
    opened = Image.open("large.png")  # Pillow reads it when its pixels are wanted
    runs = await asyncio.gather(
        *(aask(opened, "Which?", context=CONTEXT, policy="none", out="here") for _ in range(6))
    )  # fmt: skip
    assert {run.asked.picture for run in runs} == {expected}


async def test_the_pictures_of_a_run_open_wherever_its_store_is(model: ScriptedModel, tmp_path: Path) -> None:
    run = await aask("picture.png", "Which?", context=CONTEXT, out="there")
    thought = run.rounds[0].thought
    assert thought is not None
    pixels = get_store("there/pictures").open(thought).tobytes()
    assert thought.open().tobytes() == pixels and thought._repr_png_() is not None
    (tmp_path / "run.json").write_text(run.model_dump_json())
    script = """
import sys, g2u
from g2u.asking import Run
run = Run.model_validate_json(open("run.json").read())
sys.stdout.buffer.write(run.rounds[0].thought.open().tobytes())
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert found.stdout == pixels


async def test_a_run_in_a_notebook_shows_all_of_it_and_runs_nothing(model: ScriptedModel) -> None:
    hostile = "</style><script>alert(1)</script><img src=x onerror=alert(2)> & {{ 7 * 7 }}"
    Image.radial_gradient("L").resize((3000, 2000)).save("large.png")
    run = await aask("large.png", hostile, options=["<b>red</b>", "blue"], context=CONTEXT, reflect=True, out="here")
    html = run._repr_html_()
    assert html.count("<style>") == html.count("</style>") == 1 and "<script" not in html and "<b>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html and "{{ 7 * 7 }}" in html
    turn = run.rounds[0]
    assert turn.verdict is not None and turn.thought is not None
    for shown in (
        turn.decision.instruction,
        turn.verdict.reason,
        "Direct answer",
        f'class="tag {turn.verdict.action}"',
    ):
        assert shown in html
    sources = re.findall(r'<img src="([^"]*)"', html)
    assert len(sources) == 1 + sum(one.thought is not None for one in run.rounds)
    for source in sources:
        assert source.startswith("data:image/")
        image = Image.open(io.BytesIO(base64.b64decode(source.partition("base64,")[2])))
        assert max(image.size) <= 320
    shutil.rmtree(run.store)
    assert "not in the store" in run._repr_html_() and turn.thought._repr_png_() is None
    with pytest.raises(PictureError, match=r"Name the one that has it: `ref.open\(g2u.ImageStore"):
        turn.thought.open()


@pytest.mark.parametrize("by", ["setting", "environment"])
async def test_a_store_that_is_named_is_used(
    model: ScriptedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    context = CONTEXT
    if by == "setting":
        context = Context(**vars(CONTEXT) | {"store": "mine"})
    else:
        monkeypatch.setenv("G2U_PICTURES", "mine")
    run = await aask("picture.png", "Which?", context=context, out=Path("here"))
    assert run.trace is not None
    assert [path.name for path in Path("here").iterdir()] == [run.trace.name]
    assert store_of(read_trace(run.trace)).root == run.store == tmp_path / "mine"


async def test_unknown_words_are_told_in_order_and_once(model: ScriptedModel) -> None:
    model.unknown = frozenset({"zebra", "quagga", "teal"})
    context = Context(model="scripted", policy="none")
    run = await aask(
        "picture.png",
        "Zebra, horse or quagga? A zebra?",
        options=["teal zebra", "red"],
        context=context,
        out=Path("here"),
    )
    assert run.out_of_vocabulary == ["zebra", "quagga", "teal"]
    assert run.to_json()["out_of_vocabulary"] == run.out_of_vocabulary
    assert run.trace is not None
    assert read_trace(run.trace).header.out_of_vocabulary == run.out_of_vocabulary


async def test_a_free_answer_is_one_of_those_that_the_model_declares(model: ScriptedModel) -> None:
    def score(text: str, pictures: Pictures, options: Sequence[str]) -> list[float]:
        return [-0.25 if option == ("plum" if len(pictures) > 1 else "teal") else -3.0 for option in options]

    closed = model.declaring(answers=frozenset({"plum", "teal", "red"}))
    closed.score_script = score
    with Engine(lambda: closed) as engine:
        register_engine("scripted", engine)
        run = await aask("picture.png", "Which?", context=CONTEXT, out=None)
        assert (run.answer, run.direct_answer, run.final.log_probability) == ("plum", "teal", -0.25)
        assert run.final.probabilities == {}
        closed.read_script = lambda text, pictures: "red"  # one of them
        run = await aask("picture.png", "Which?", context=CONTEXT, out=None)
        assert (run.answer, run.direct_answer, run.final.log_probability) == ("red", "red", -0.5)
        run = await aask("picture.png", "Which?", options=["plum", "grey"], context=CONTEXT, out=None)
        assert set(run.final.probabilities) == {"plum", "grey"}


@pytest.mark.parametrize("share", [None, 0.25, 1.0])
async def test_how_far_the_picture_lies_is_told_of_the_original(model: ScriptedModel, share: float | None) -> None:
    seen: list[object] = []
    model.domain_script = lambda picture: (seen.append(picture.getpixel((0, 0))), share)[1]
    run = await aask("picture.png", "Which?", context=CONTEXT, out=Path("here"))
    assert (run.out_of_domain, run.to_json()["out_of_domain"], seen) == (share, share, [(255, 0, 0)])
    assert run.rounds[0].thought is not None  # the negative of the original
    assert [call.pictures for call in model.of("extend")] == [(0,), (1,)]  # nothing is encoded for it alone
    assert run.trace is not None
    trace = read_trace(run.trace)
    assert (trace.out_of_domain, trace.status) == (share, "done")
    assert ("outside of what scripted was trained on" in (run.trace / "index.html").read_text()) == (share == 1.0)


async def test_finding_out_how_far_the_picture_lies_takes_its_part_of_the_seconds(
    model: ScriptedModel, clock: Clock
) -> None:
    model.domain_script = lambda picture: (clock.advance(HUNG), time.sleep(0.01), 0.5)[2]
    context = Context(**vars(CONTEXT) | {"seconds": HUNG})
    run = await aask("picture.png", "Which?", context=context, out=Path("here"))
    assert run.rounds == [] and run.answer
    context = Context(**vars(CONTEXT) | {"seconds": 2 * HUNG})
    run = await aask("picture.png", "Which?", context=context, out=Path("here"))
    assert len(run.rounds) > 0 and run.out_of_domain == 0.5
    assert run.seconds["total"] > run.seconds["domain"] >= 0.01
    assert run.trace is not None
    result = read_trace(run.trace).result
    assert result is not None and result.seconds == run.seconds


async def test_without_time_it_is_not_asked_how_far_the_picture_lies(model: ScriptedModel) -> None:
    model.domain_script = lambda picture: 0.5
    context = Context(**vars(CONTEXT) | {"seconds": 1e-9})
    run = await aask("picture.png", "Which?", context=context, out=Path("here"))
    assert (run.out_of_domain, run.rounds, model.of("domain")) == (None, [], [])
    assert run.answer and "domain" not in run.seconds


async def test_the_first_error_gets_out_also_when_there_can_be_no_page(model: ScriptedModel) -> None:
    def fail(call: Call) -> None:
        if call.kind == "draw":
            shutil.rmtree("here/pictures")
            raise OSError("pulled the plug")

    model.before = fail
    with pytest.raises(OSError, match="plug"):
        await aask("picture.png", "Which?", context=CONTEXT, out=Path("here"))
    (folder,) = Path("here").iterdir()
    trace = read_trace(folder)
    assert [(stop.cause, stop.message) for stop in trace.stops] == [("error", "pulled the plug")]
    assert trace.under_way is not None and trace.under_way.decision.edit == "deblur"


async def test_a_cancelled_run_is_cancelled_also_when_there_can_be_no_page(model: ScriptedModel) -> None:
    gate = Gate()
    model.between = lambda call, done: gate.hold() if call.kind == "draw" else None
    task = asyncio.create_task(aask("picture.png", "Which?", context=CONTEXT, out=Path("here")))
    await gate.wait()
    shutil.rmtree("here/pictures")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.opened.set()
    (folder,) = Path("here").iterdir()
    assert read_trace(folder).status == "cancelled"


async def test_a_page_that_cannot_be_written_is_told_of(model: ScriptedModel) -> None:
    def block(call: Call) -> None:
        for folder in Path("here").glob("2*"):
            (folder / "index.html").mkdir(exist_ok=True)

    model.before = block
    with pytest.raises(OutputError, match=r"index\.html"):
        await aask("picture.png", "Which?", context=CONTEXT, out=Path("here"))


async def test_thread_work_that_was_begun_is_finished_when_a_run_is_cancelled_in_its_first_moments(
    model: ScriptedModel,
) -> None:
    """The trace is opened by a thread, which nothing can stop: here it waits for its turn to decode the picture."""
    for _ in range(2):
        decoding.DECODING.acquire()
    task = asyncio.create_task(aask("picture.png", "Which?", context=CONTEXT, out=Path("here")))
    while not decoding.DECODING._cond._waiters:  # type: ignore[attr-defined]
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()  # more than once, as by a server that goes down
    for _ in range(2):
        decoding.DECODING.release()
    with pytest.raises(asyncio.CancelledError):
        await task
    (folder,) = [path.parent for path in Path("here").glob("*/trace.jsonl")]
    assert read_trace(folder).status == "cancelled" and (folder / "index.html").exists()


async def test_thread_of_a_run_is_ended_whenever_it_is_cancelled(model: ScriptedModel) -> None:
    for moment in range(40):
        task = asyncio.create_task(aask("picture.png", "Which?", context=CONTEXT, out=Path("here")))
        await asyncio.sleep(moment / 1000)
        task.cancel()
        await asyncio.wait([task])
    found = [read_trace(path.parent).status for path in Path("here").glob("*/trace.jsonl")]
    assert set(found) <= {"cancelled", "done"}
