"""Cancelling and deadlines end what they are about, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from g2u.engine.engine import Engine
from g2u.errors import DeadlineError
from g2u.models.protocol import Sampler
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from tests.agent.engine.scenes import TWO_STEPS, Gate, busy, queued
from tests.scripted import ScriptedModel
from tests.waiting import HUNG, Clock


async def test_cancel_between_steps_stops_that_drawing_alone(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine, gate = hosts(model), Gate()
    async with busy(engine, model, store, refs[0]):
        stays, goes = (
            asyncio.create_task(engine.draw(store, refs[:1], name, Sampler(steps=5), 7)) for name in ("stays", "goes")
        )
        model.between = lambda call, done: gate.hold() if call.size == 2 and done == 2 else None
    await gate.wait()
    goes.cancel()
    with pytest.raises(asyncio.CancelledError):
        await goes
    gate.opened.set()
    assert (await stays).getpixel((0, 0)) == (7, 5, 10)
    assert model.of("draw")[-1].steps == [2, 1, 1, 1, 1]
    assert engine.counters().cancelled == 1


async def test_cancel_of_all_ends_the_call_and_of_the_queued_prevents_it(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine, gate = hosts(model), Gate()
    model.between = lambda call, done: gate.hold() if done == 3 else None
    working = asyncio.create_task(engine.draw(store, refs[:1], "working", Sampler(steps=50), 0))
    await gate.wait()
    waiting = asyncio.create_task(engine.draw(store, refs[:1], "waiting", Sampler(steps=50), 0))
    await queued()
    for task in (working, waiting):
        task.cancel()
    await asyncio.gather(working, waiting, return_exceptions=True)
    gate.opened.set()
    assert await engine.score(store, refs[:1], "alive?", ["yes"]) == [-1.0]
    assert [(call.texts, call.steps) for call in model.of("draw")] == [(("working",), [1, 1, 0])]
    counters = engine.counters()
    assert (counters.cancelled, counters.prefix_misses, counters.prefix_hits) == (2, 1, 1)


async def test_deadline_over_before_the_start(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine, over = hosts(model), time.monotonic() - 1
    late: list[Awaitable[object]] = [
        engine.read(store, refs, "x", deadline=over),
        engine.score(store, refs, "x", ["y"], deadline=over),
        engine.draw(store, refs, "x", TWO_STEPS, 0, deadline=over),
    ]
    outcomes = await asyncio.gather(*late, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DeadlineError] * 3
    assert (model.calls, engine.counters().expired) == ([], 3)


async def test_deadline_between_steps_stops_that_drawing_alone(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef], clock: Clock
) -> None:
    engine = hosts(model)
    async with busy(engine, model, store, refs[0]):
        model.between = lambda call, done: clock.advance(HUNG) if call.size == 2 and done == 2 else None
        deadline = time.monotonic() + HUNG
        patient = asyncio.create_task(engine.draw(store, refs[:1], "patient", Sampler(steps=4), 7))
        hasty = asyncio.create_task(engine.draw(store, refs[:1], "hasty", Sampler(steps=4), 7, deadline=deadline))
    with pytest.raises(DeadlineError):
        await hasty
    assert (await patient).getpixel((0, 0)) == (7, 7, 10)
    assert model.of("draw")[-1].steps == [2, 1, 1, 1]
    assert engine.counters().expired == 1


async def test_a_queued_request_learns_of_its_deadline_while_another_is_drawn(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef], clock: Clock
) -> None:
    engine, gate = hosts(model), Gate()
    model.between = lambda call, done: gate.hold() if done == 2 else None
    working = asyncio.create_task(engine.draw(store, refs[:1], "working", Sampler(steps=3), 0))
    await gate.wait()
    deadline = time.monotonic() + HUNG
    waiting = asyncio.create_task(engine.score(store, refs[:1], "late", ["yes"], deadline=deadline))
    await queued()
    clock.advance(HUNG)
    gate.opened.set()
    with pytest.raises(DeadlineError):
        await waiting
    await working
    assert [call.kind for call in model.calls] == ["extend", "draw"]


async def test_progress_is_told_per_step_and_its_fault_is_its_own(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine, told = hosts(model), []

    def broken(done: int, total: int) -> None:
        raise KeyError(done)

    async with busy(engine, model, store, refs[0]):
        good, bad = (
            asyncio.create_task(engine.draw(store, refs[:1], "x", Sampler(steps=3), 1, on_progress=on_progress))
            for on_progress in (lambda done, total: told.append((done, total)), broken)
        )
    with pytest.raises(KeyError):
        await bad
    await good
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert model.of("draw")[-1].steps == [1, 1, 1]
