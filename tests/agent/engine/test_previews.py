"""Drawings that are watched: every step is shown to the caller alone, and nothing becomes another."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from PIL import Image, ImageChops, ImageStat

import g2u
from g2u.engine.engine import Engine
from g2u.engine.previews import Preview, preview_callback
from g2u.engine.registry import get_engine
from g2u.loop.drawing import Drawing, draw_with_model
from g2u.models.protocol import Sampler
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore, get_store
from g2u.state import Context
from g2u.traces.records import Event, Header, Result
from g2u.traces.trace import read_trace
from g2u.world.items.items import Item, sample
from tests.scripted import ScriptedModel

STEPS = Sampler(steps=4)


@pytest.fixture(scope="module")
def item() -> Item:
    return sample("maze", 9, fault="untraced")


def asked(item: Item, folder: Path, **given: Any) -> g2u.Run:
    picture = ImageStore(folder / "pictures").add_image(item.picture)
    settings = {"policy": "fixed:trace_path", "steps": 4, "rounds": 1}
    return asyncio.run(g2u.aask(picture, item.question, options=item.options, out=folder, **settings, **given))


@pytest.fixture
def room(tmp_path: Path, item: Item) -> tuple[Engine, ImageStore, list[ImageRef]]:
    store = ImageStore(tmp_path / "pictures")
    wide = item.picture.resize((128, 64))
    return get_engine(), store, [store.add_image(item.picture), store.add_image(wide)]


async def test_each_step_of_a_drawing_is_shown(room: Any) -> None:
    engine, store, (first, second) = room
    shown: list[tuple[int, int, Image.Image]] = []
    order: list[str] = []

    def show(done: int, total: int, picture: Image.Image) -> None:
        shown.append((done, total, picture))
        order.append("shown")

    watched = engine.draw(
        store, [second], "Remove the blur.", STEPS, 3, on_preview=show, on_progress=lambda *_: order.append("told")
    )
    drawn, other = await asyncio.gather(watched, engine.draw(store, [first], "Remove the blur.", STEPS, 3))
    assert [step[:2] for step in shown] == [(done, 4) for done in range(1, 5)]
    assert order == ["shown", "told"] * 4
    assert {picture.size for _, _, picture in shown} == {(128, 64)} and other.size == (128, 128)
    far = [sum(ImageStat.Stat(ImageChops.difference(picture, drawn)).mean) for _, _, picture in shown]
    assert far == sorted(far, reverse=True) and far[0] > 10 and far[-1] == 0


async def test_who_watches_gets_the_same_drawing(room: Any) -> None:
    engine, store, (picture, _) = room
    alone = await engine.draw(store, [picture], "Remove the noise.", STEPS, 5)
    watched = await engine.draw(store, [picture], "Remove the noise.", STEPS, 5, on_preview=lambda *_: None)
    assert watched.tobytes() == alone.tobytes()


async def test_an_error_of_who_watches_is_its_own(room: Any) -> None:
    engine, store, (picture, _) = room

    def broken(done: int, total: int, picture: Image.Image) -> None:
        raise ZeroDivisionError

    one, other = await asyncio.gather(
        engine.draw(store, [picture], "Remove the blur.", STEPS, 3, on_preview=broken),
        engine.draw(store, [picture], "Remove the blur.", STEPS, 4),
        return_exceptions=True,
    )
    assert isinstance(one, ZeroDivisionError) and isinstance(other, Image.Image)


async def test_a_model_without_previews_is_not_asked_for_any(tmp_path: Path) -> None:
    model, store = ScriptedModel(), ImageStore(tmp_path)
    with Engine(lambda: model) as engine:
        picture = store.add_image(Image.new("RGB", (8, 8)))
        drawn = await engine.draw(store, [picture], "Go.", STEPS, 0, on_preview=lambda *_: pytest.fail("shown"))
    assert drawn.getpixel((0, 0)) == (255, 255, 255)


def test_a_watched_run_is_the_same_and_tells_more(item: Item, tmp_path: Path) -> None:
    shown: list[Preview] = []
    records: list[Header | Event] = []
    threads: set[int] = set()

    def show(preview: Preview) -> None:
        shown.append(preview)
        threads.add(threading.get_ident())

    quiet = asked(item, tmp_path / "quiet")
    watched = asked(item, tmp_path / "watched", on_preview=show, on_record=records.append)
    assert [(preview.step, preview.round, preview.done, preview.total) for preview in shown] == [
        ("generate", 1, done, 4) for done in range(1, 5)
    ]
    assert threads == {threading.get_ident()}
    assert watched.rounds[0].thought == quiet.rounds[0].thought
    assert watched.final.probabilities == quiet.final.probabilities
    assert watched.rounds[0].verdict == quiet.rounds[0].verdict
    kinds = ["header", "domain", "decision", "round", "stop", "direct", "answer", "result"]
    assert [record.kind for record in records] == kinds
    assert watched.trace and isinstance(records[0], Header) and isinstance(records[-1], Result)
    trace = read_trace(watched.trace)
    assert (trace.header, trace.result) == (records[0], records[-1])
    assert b"data:" not in (watched.trace / "trace.jsonl").read_bytes()
    held = {path.stem for path in (tmp_path / "watched" / "pictures").rglob("*.png")}
    assert held == {trace.header.pictures[0].sha256, watched.rounds[0].thought.sha256}  # type: ignore[union-attr]


async def test_previews_pass_graph_and_checkpoints_by(item: Item, tmp_path: Path) -> None:
    """A graph that is streamed by somebody else has nobody who watches, even while a watched run is under way."""
    saver = InMemorySaver()
    seen: list[bool] = []

    async def look(drawing: Drawing) -> ImageRef:
        seen.append(drawing.on_preview is None)
        return await draw_with_model(drawing)

    picture = get_store(tmp_path / "pictures").add_image(item.picture)
    graph = g2u.build_graph(checkpointer=saver, drawer=look)
    context = Context(policy="fixed:trace_path", steps=2, rounds=1, store=str(tmp_path / "pictures"))
    started = asyncio.Event()
    watched = asyncio.create_task(
        g2u.aask(picture, item.question, out=None, context=context, on_preview=lambda _: started.set())
    )
    await started.wait()
    config: Any = {"configurable": {"thread_id": "1"}}
    parts = [
        part
        async for part in graph.astream(
            {"picture": picture, "question": item.question}, config, context=context, stream_mode=["updates", "custom"]
        )
    ]
    await watched
    assert seen == [True] and preview_callback("generate", 1) is None
    assert "Image" not in repr(parts).replace("ImageRef", "")
    assert "Image" not in repr(saver.storage).replace("ImageRef", "")
