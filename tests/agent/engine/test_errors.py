"""An error reaches those whom it is about, and nobody else."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from g2u.engine.engine import Engine
from g2u.engine.options import EngineOptions
from g2u.errors import (
    BudgetError,
    CapabilityError,
    G2UError,
    PictureError,
    ProtocolError,
    QuestionError,
    SettingError,
    UnknownNameError,
)
from g2u.models.protocol import Reading, Sampler
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from tests.agent.engine.scenes import TWO_STEPS, busy, queued
from tests.scripted import Call, Pictures, ScriptedModel


async def test_model_error_reaches_its_batch_alone(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    async with busy(engine, model, store, refs[0]):
        held = model.before

        def before(call: Call) -> None:
            if call.kind == "read":
                raise ValueError("scripted fault")
            assert held
            held(call)

        model.before = before
        reads = [asyncio.create_task(engine.read(store, refs[:1], "x")) for _ in range(2)]
        draw = asyncio.create_task(engine.draw(store, refs[:1], "fine", TWO_STEPS, 1))
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ValueError] * 2
    assert (await draw).getpixel((0, 0)) == (1, 4, 10)
    assert await engine.score(store, refs[:1], "alive?", ["yes"]) == [-1.0]


async def test_one_bad_request_of_a_batch_fails_alone(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    texts = ["raises" if number == 3 else f"question {number}" for number in range(8)]

    def score(text: str, pictures: Pictures, options: Sequence[str]) -> Sequence[float]:
        return [float("nan") if text == "raises" else -1.0]

    model.score_script = score
    async with busy(engine, model, store, refs[0]):
        held = model.before

        def before(call: Call) -> None:
            if call.kind == "read" and "raises" in call.texts:
                raise ValueError("scripted fault")
            assert held
            held(call)

        model.before = before
        reads = [asyncio.create_task(engine.read(store, refs[:1], text)) for text in texts]
        scores = [asyncio.create_task(engine.score(store, refs[:1], text, ["a"])) for text in texts]
    for outcomes, fault in (
        (await asyncio.gather(*reads, return_exceptions=True), ValueError),
        (await asyncio.gather(*scores, return_exceptions=True), ProtocolError),
    ):
        assert [number for number, one in enumerate(outcomes) if isinstance(one, BaseException)] == [3]
        assert isinstance(outcomes[3], fault)
    assert max(call.size for call in model.calls if call.kind == "read") == 8


async def test_a_stop_iteration_of_a_model_reaches_its_caller(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    def before(call: Call) -> None:
        next(iter(()))

    engine = hosts(model)
    await engine.ready()
    model.before = before
    with pytest.raises(RuntimeError, match="StopIteration was raised"):
        await engine.read(store, [refs[0]], "one")


async def test_lost_picture_fails_its_own_requests_alone(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef], tmp_path: Path
) -> None:
    engine, empty = hosts(model), ImageStore(tmp_path / "empty")
    async with busy(engine, model, store, refs[0]):
        reads = [
            asyncio.create_task(engine.read(place, pictures, "x"))
            for place, pictures in ((store, refs[:2]), (empty, refs[:2]), (empty, refs[1:]), (store, refs[1:]))
        ]
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    # The second shares its pictures with the first, which has them; the third is asked before the fourth, and fails.
    assert [type(outcome).__name__ for outcome in outcomes] == ["Reading", "Reading", "UnknownPictureError", "Reading"]
    assert model.of("read")[-1].size == 3


@pytest.mark.parametrize(
    ("memory", "sizes"),
    [(8, [8]), (4, [8, 4, 4]), (3, [8, 4, 2, 2, 4, 2, 2])],
)
async def test_out_of_memory_halves_the_batch(
    memory: int,
    sizes: list[int],
    model: ScriptedModel,
    hosts: Callable[..., Engine],
    store: ImageStore,
    refs: list[ImageRef],
) -> None:
    model.memory = memory
    engine = hosts(model)
    async with busy(engine, model, store, refs[0]):
        draws = [asyncio.create_task(engine.draw(store, refs[:1], "x", TWO_STEPS, seed)) for seed in range(8)]
    assert [image.getpixel((0, 0)) for image in await asyncio.gather(*draws)] == [(seed, 1, 10) for seed in range(8)]
    assert [call.size for call in model.of("draw")] == [1, *sizes]
    failures = sum(size > memory for size in sizes)
    assert engine.counters().out_of_memory == failures
    assert engine.counters().pictures_encoded == 1 + failures  # every failure emptied the cache


async def test_the_next_try_finds_nothing_of_the_last_one(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    class Tensors:
        """What a call had made until memory ran out, held by a cycle, as a frame and its exception hold each other."""

        def __init__(self) -> None:
            self.itself = self

    made: list[weakref.ref[Tensors]] = []
    found: list[bool] = []

    def run_out(call: Call) -> None:
        found.extend(one() is not None for one in made)
        if call.size > 1:
            made.append(weakref.ref(Tensors()))
            raise torch.OutOfMemoryError

    engine = hosts(model)
    async with busy(engine, model, store, refs[0]):
        draws = [asyncio.create_task(engine.draw(store, refs[:1], "x", TWO_STEPS, seed)) for seed in range(2)]
        await queued()
        model.before = run_out
    gc.collect()
    gc.disable()
    try:
        await asyncio.gather(*draws)
    finally:
        gc.enable()
    assert found and not any(found)


async def test_out_of_memory_for_one_alone_is_reported_after_one_more_try(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    model.memory = 0
    engine = hosts(model)
    with pytest.raises(BudgetError):
        await engine.read(store, refs[:1], "x")
    assert [call.kind for call in model.calls] == ["extend", "extend"]
    model.memory = None
    assert (await engine.read(store, refs[:1], "x")).text.startswith("x")


@pytest.mark.parametrize(
    ("declared", "ask", "error"),
    [
        ({}, lambda e, s, r: e.read(s, r, " \n"), QuestionError),
        ({}, lambda e, s, r: e.score(s, r, "", ["a"]), QuestionError),
        ({}, lambda e, s, r: e.draw(s, r, "", TWO_STEPS, 0), QuestionError),
        ({}, lambda e, s, r: e.score(s, r, "x", []), QuestionError),
        ({}, lambda e, s, r: e.read(s, [], "x"), PictureError),
        ({}, lambda e, s, r: e.read(s, [*r, *r], "x"), CapabilityError),
        ({"max_pictures": 2}, lambda e, s, r: e.draw(s, r, "x", TWO_STEPS, 0), CapabilityError),
        ({"edits": "none"}, lambda e, s, r: e.draw(s, r, "x", TWO_STEPS, 0), CapabilityError),
        ({}, lambda e, s, r: e.read(s, [r[0], "between"], "x"), CapabilityError),
        ({"text_segments": True}, lambda e, s, r: e.read(s, [r[0], " "], "x"), QuestionError),
        ({"text_segments": True}, lambda e, s, r: e.read(s, ["alone"], "x"), PictureError),
        ({"text_segments": True}, lambda e, s, r: e.draw(s, [r[0], "last"], "x", TWO_STEPS, 0), PictureError),
        ({}, lambda e, s, r: e.draw(s, r, "x", TWO_STEPS, 0, thought="a plan"), CapabilityError),
        ({}, lambda e, s, r: e.draw(s, r, "x", Sampler(preset="fast"), 0), CapabilityError),
        ({"scores": False}, lambda e, s, r: e.score(s, r, "x", ["a"]), CapabilityError),
        ({}, lambda e, s, r: e.read(s, r, "x", temperature=0.5), CapabilityError),
        ({}, lambda e, s, r: e.draw(s, r, "x", Sampler(values={"cfg_text": 4}), 0), SettingError),
        ({"presets": {"slow": 9}}, lambda e, s, r: e.draw(s, r, "x", Sampler(preset="fast"), 0), UnknownNameError),
    ],
)
async def test_refused_at_the_border(
    declared: dict[str, Any],
    ask: Callable[[Engine, ImageStore, list[ImageRef]], Awaitable[object]],
    error: type[G2UError],
    model: ScriptedModel,
    hosts: Callable[..., Engine],
    store: ImageStore,
    refs: list[ImageRef],
) -> None:
    model = model.declaring(**declared)
    with pytest.raises(error):
        await ask(hosts(model), store, refs)
    assert model.calls == []


async def test_what_a_user_can_mend_fails_its_own_request_alone(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    async with busy(engine, model, store, refs[0]):
        held = model.before

        def before(call: Call) -> None:
            if "too long" in call.texts:
                raise QuestionError("too long")
            assert held
            held(call)

        model.before = before
        reads = [asyncio.create_task(engine.read(store, refs[:1], text)) for text in ("a", "b", "too long", "c")]
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Reading", "Reading", "QuestionError", "Reading"]
    assert engine.counters().out_of_memory == 0


@pytest.mark.parametrize("options", [{"max_batch": 0}, {"linger_seconds": -1.0}, {"prefix_bytes": -1}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BudgetError):
        EngineOptions(**options)


async def test_model_that_leaves_out_a_wanted_request_is_reported(
    hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(ScriptedModel(draw_script=lambda image, instruction, seed: None))  # type: ignore[arg-type, return-value]
    with pytest.raises(ProtocolError, match="leaves out no request that is wanted"):
        await engine.draw(store, refs[:1], "x", TWO_STEPS, 0)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"read": lambda *_: []}, "`read` gives one result for each request, but 0 came for 1"),
        ({"read": lambda *_: ["red"]}, "`read` gives a `Reading` with a text"),
        ({"extend": lambda *_: None}, "`extend` gives a list, but None came"),
        ({"extend": lambda *_: [3]}, "`extend` gives prefixes"),
        ({"score": lambda *_: [[float("nan")]]}, "a score is a log-probability, but nan came"),
        ({"score": lambda *_: [[-1.0, -2.0]]}, "`score` gives one number for each option, but 2 came for 1"),
        ({"draw": lambda *_: [Image.new("L", (4, 4))]}, "a drawing is an RGB picture, but one of mode L"),
        ({"draw": lambda *_: [Image.new("RGB", (2**14, 2**13))]}, "a drawing has at most 67,108,864 pixels"),
        (
            {"read": lambda *_: [Reading("x" * 8193, -1.0, 32)]},
            "a reading has at most the 32 tokens that it is given, 256 characters each, but 8,193 characters came",
        ),
    ],
)
async def test_what_breaks_the_protocol_is_told_by_its_rule(
    broken: dict[str, Any], told: str, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    model = ScriptedModel()
    vars(model).update(broken)
    engine = hosts(model)
    ask = {
        "score": lambda: engine.score(store, refs[:1], "x", ["a"]),
        "draw": lambda: engine.draw(store, refs[:1], "x", TWO_STEPS, 0),
    }.get(next(iter(broken)), lambda: engine.read(store, refs[:1], "x"))
    with pytest.raises(ProtocolError) as refused:
        await ask()
    assert told in refused.value.message and "g2u models check" in refused.value.hint
