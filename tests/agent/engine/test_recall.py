"""Answers that were had before: asked once, whoever asks, and forgotten when they failed."""

import asyncio
from pathlib import Path

import pytest
from PIL import Image

from g2u.engine.engine import Engine
from g2u.pictures.store import ImageStore
from tests.agent.engine.scenes import Gate, queued
from tests.scripted import Call, ScriptedModel

OPTIONS = ("red", "blue")


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path)


def engine_of(model: ScriptedModel, entries: int = 100) -> Engine:
    engine = Engine(lambda: model)
    engine.recall.entries = entries
    return engine


async def test_the_same_question_goes_to_the_model_once(store: ImageStore) -> None:
    model = ScriptedModel()
    picture = store.add_image(Image.new("RGB", (8, 8)))
    with engine_of(model) as engine:
        together = await asyncio.gather(*(engine.score(store, [picture], "Q?", OPTIONS) for _ in range(5)))
        later = await engine.score(store, [picture], "Q?", OPTIONS)
        assert [*together, later] == [[-1.0, -2.0]] * 6
        assert model.of("score")[0].size == 1 and len(model.of("score")) == 1
        assert engine.counters().recalled == 5
        await engine.score(store, [picture], "Q?", OPTIONS, per_token=True)
        await engine.score(store, [picture], "Q?", OPTIONS[::-1])
        await engine.read(store, [picture], "Q?")
        assert len(model.of("score")) == 3 and len(model.of("read")) == 1


async def test_nothing_is_kept_unless_asked_for_or_of_a_model_with_chance(store: ImageStore) -> None:
    picture = store.add_image(Image.new("RGB", (8, 8)))
    for model, entries in ((ScriptedModel(), 0), (ScriptedModel().declaring(deterministic=False), 100)):
        with engine_of(model, entries) as engine:
            for _ in range(2):
                await engine.score(store, [picture], "Q?", OPTIONS)
            assert len(model.of("score")) == 2 and engine.counters().recalled == 0


async def test_the_oldest_is_forgotten_first(store: ImageStore) -> None:
    model = ScriptedModel()
    picture = store.add_image(Image.new("RGB", (8, 8)))
    with engine_of(model, entries=2) as engine:
        for text in ("a", "b", "a", "c", "a", "b"):
            await engine.score(store, [picture], text, OPTIONS)
    assert [text for call in model.of("score") for text in call.texts] == ["a", "b", "c", "b"]


async def test_an_error_is_told_to_who_asked_and_not_kept(store: ImageStore) -> None:
    broken = True

    def fail(call: Call) -> None:
        if call.kind == "score" and broken:
            raise RuntimeError("no ink")

    model = ScriptedModel(before=fail)
    picture = store.add_image(Image.new("RGB", (8, 8)))
    with engine_of(model) as engine:
        with pytest.raises(RuntimeError, match="no ink"):
            await engine.score(store, [picture], "Q?", OPTIONS)
        broken = False
        assert await engine.score(store, [picture], "Q?", OPTIONS) == [-1.0, -2.0]


async def test_who_waits_for_another_s_answer_does_not_end_with_the_other(store: ImageStore) -> None:
    gate = Gate()
    model = ScriptedModel(before=lambda call: gate.hold() if call.kind == "read" else None)
    picture = store.add_image(Image.new("RGB", (8, 8)))
    with engine_of(model) as engine:
        first = asyncio.create_task(engine.read(store, [picture], "Q?"))
        await gate.wait()
        others = [asyncio.create_task(engine.read(store, [picture], "Q?")) for _ in range(2)]
        await queued()
        first.cancel()
        others[0].cancel()
        await queued()
        gate.opened.set()
        assert (await others[1]).text == '{"edit": "none"}'
        for task in (first, others[0]):
            with pytest.raises(asyncio.CancelledError):
                await task
