"""An engine is loaded once, shared by all who ask, and closed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from g2u.engine.engine import Engine
from g2u.engine.registry import get_engine, register_engine
from g2u.errors import UnknownNameError, WeightsError
from g2u.models.protocol import Sampler, UnifiedModel
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from tests.agent.engine.scenes import TWO_STEPS, Gate, queued
from tests.scripted import ScriptedModel
from tests.waiting import HUNG


async def test_concurrent_first_calls_load_once_on_the_worker(
    model: ScriptedModel, store: ImageStore, refs: list[ImageRef]
) -> None:
    gate, loads = Gate(), []

    def load() -> UnifiedModel:
        loads.append(threading.get_ident())
        gate.hold()
        return model

    with Engine(load) as engine:
        calls = [asyncio.create_task(engine.read(store, refs[:1], "x")) for _ in range(5)]
        await gate.wait()
        assert not any(call.done() for call in calls)
        gate.opened.set()
        await asyncio.gather(*calls)
        assert engine.model is await engine.ready() is model
        assert engine.capabilities() == model.capabilities
    assert set(loads) == model.threads and len(loads) == 1
    assert threading.get_ident() not in model.threads


async def test_load_error_reaches_every_waiting_caller_and_the_next_call_tries_again(
    model: ScriptedModel, store: ImageStore, refs: list[ImageRef]
) -> None:
    gate, loads = Gate(), []

    def load() -> UnifiedModel:
        loads.append(1)
        if len(loads) == 1:
            gate.hold()
            raise WeightsError("A shard is missing.")
        return model

    with Engine(load) as engine:
        calls = [asyncio.create_task(engine.read(store, refs[:1], "x")) for _ in range(3)]
        await gate.wait()
        gate.opened.set()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [WeightsError] * 3
        assert (await engine.read(store, refs[:1], "x")).text.startswith("x")
    assert len(loads) == 2


def test_event_loops_and_threads_share_one_engine(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine, together = hosts(model), threading.Barrier(4)

    def caller(number: int) -> list[tuple[int, ...]]:
        async def run() -> list[tuple[int, ...]]:
            together.wait(HUNG)
            images = [engine.draw(store, refs[:1], "x" * number, TWO_STEPS, seed) for seed in range(5)]
            return [image.getpixel((0, 0)) for image in await asyncio.gather(*images)]  # type: ignore[misc]

        return asyncio.run(run())

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(caller, range(1, 5)))
    assert results == [[(seed, number, 10) for seed in range(5)] for number in range(1, 5)]
    assert len(model.threads) == 1
    assert engine.counters().draw.requests == 20


async def test_closed_engine_refuses_and_ends_what_waits(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine, gate = hosts(model), Gate()
    model.between = gate.hold
    working = asyncio.create_task(engine.draw(store, refs[:1], "working", Sampler(steps=50), 0))
    await gate.wait()
    waiting = asyncio.create_task(engine.score(store, refs[:1], "waiting", ["yes"]))
    await queued()
    closing = asyncio.create_task(asyncio.to_thread(engine.close))
    while not engine.closed:
        await asyncio.sleep(0)
    gate.opened.set()
    await closing
    outcomes = await asyncio.gather(working, waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [RuntimeError] * 2
    assert [call.kind for call in model.calls] == ["extend", "draw"]
    assert model.of("draw")[0].steps == [0]
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        await engine.read(store, refs[:1], "x")
    with pytest.raises(RuntimeError, match="closed"):
        _ = engine.model


def test_an_engine_that_was_never_used_loads_nothing(model: ScriptedModel) -> None:
    with Engine(lambda: pytest.fail("loaded")) as engine:
        assert engine.counters().calls == 0
    assert engine.closed


def test_registry_gives_one_engine_per_model_and_weights(model: ScriptedModel) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: get_engine("mini", "some folder"), range(64)))) == 1
    assert get_engine("mini", "some folder") is not get_engine("mini", "another folder")
    with pytest.raises(UnknownNameError, match="mini"):
        get_engine("mimi")


def test_registered_engine_is_found_until_it_is_closed(model: ScriptedModel) -> None:
    with Engine(lambda: model) as engine:
        register_engine("mine", engine)
        register_engine("mini", engine, weights="mine")
        assert get_engine("mine") is get_engine("mini", "mine") is engine
    assert get_engine("mini", "mine") is not engine
    with pytest.raises(UnknownNameError):
        get_engine("mine")
