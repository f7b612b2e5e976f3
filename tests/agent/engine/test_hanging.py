"""A model that does not come back keeps nobody waiting, and is loaded anew."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from g2u.engine.engine import Engine
from g2u.engine.options import EngineOptions
from g2u.errors import DeadlineError, HungError, WeightsError
from g2u.models.protocol import UnifiedModel
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from tests.agent.engine.scenes import Gate, describe, queued
from tests.scripted import Call, ScriptedModel
from tests.waiting import Clock, wait_until


class Loader:
    """Makes models of which the first hangs in its first scoring until the gate is opened."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.made: list[ScriptedModel] = []
        self.broken = False

    def load(self) -> UnifiedModel:
        if self.broken:
            raise WeightsError("A shard is missing.")
        self.made.append(ScriptedModel(read_script=describe, before=self.before))
        return self.made[-1]

    def before(self, call: Call) -> None:
        if call.kind == "score" and len(self.made) == 1:
            self.gate.hold()


class Halving(Loader):
    """The first model cannot read two texts at once, and hangs where it reads one."""

    def __init__(self) -> None:
        super().__init__()
        self.half = Gate()

    def before(self, call: Call) -> None:
        super().before(call)
        if call.kind == "read" and len(self.made) == 1:
            if call.size > 1:
                raise ValueError("One of these is wrong.")
            self.half.hold()


@pytest.fixture
def loader() -> Iterator[Loader]:
    loader = Loader()
    yield loader
    loader.gate.opened.set()


OPTIONS = EngineOptions(grace_seconds=30, hang_seconds=300)


async def test_after_deadline_and_grace_the_caller_is_told_while_the_model_is_still_away(
    loader: Loader, store: ImageStore, refs: list[ImageRef], clock: Clock
) -> None:
    with Engine(loader.load, OPTIONS) as engine:
        deadline = time.monotonic() + 100
        hanging = asyncio.create_task(engine.score(store, refs[:1], "x", ["a"], deadline=deadline))
        await loader.gate.wait()
        behind = asyncio.create_task(engine.read(store, refs[:1], "y", deadline=deadline))
        clock.advance(110)
        with pytest.raises(DeadlineError):  # it waits for its turn: no grace
            await behind
        assert not hanging.done() and engine.silent_seconds >= 110
        clock.advance(30)
        with pytest.raises(DeadlineError):
            await hanging
        loader.gate.opened.set()
        assert (await engine.read(store, refs[:1], "z")).text.startswith("z")
        assert engine.counters().hung == 0 and len(loader.made) == 1
        wait_until(lambda: engine.silent_seconds == 0)  # the answer comes before the call is over


async def test_a_model_that_hangs_is_left_behind_and_loaded_anew(
    loader: Loader, store: ImageStore, refs: list[ImageRef], clock: Clock
) -> None:
    with Engine(loader.load, OPTIONS) as engine:
        hanging = asyncio.create_task(engine.score(store, refs[:1], "x", ["a"]))
        await loader.gate.wait()
        behind = asyncio.create_task(engine.read(store, refs[:1], "y"))
        clock.advance(301)
        with pytest.raises(HungError, match="no sign of life for 300 seconds"):
            await hanging
        assert (await behind).text.startswith("y")  # whoever waited is answered by the new one
        assert engine.counters().hung == 1 and len(loader.made) == 2 and engine.model is loader.made[1]
        loader.gate.opened.set()  # the thread that was left behind comes back, and is no engine any more
        assert await engine.score(store, refs[:1], "x", ["a"]) == [-1.0]
        wait_until(lambda: len(loader.made[0].of("score")) == 1)
        assert len(loader.made[0].threads) == 1 and loader.made[0].threads.isdisjoint(loader.made[1].threads)


async def test_a_model_that_cannot_be_loaded_again_says_why(
    loader: Loader, store: ImageStore, refs: list[ImageRef], clock: Clock
) -> None:
    with Engine(loader.load, OPTIONS) as engine:
        hanging = asyncio.create_task(engine.score(store, refs[:1], "x", ["a"]))
        await loader.gate.wait()
        behind = asyncio.create_task(engine.read(store, refs[:1], "y"))
        while not engine.waiting:
            await asyncio.sleep(0)
        loader.broken = True
        clock.advance(301)
        outcomes = await asyncio.gather(hanging, behind, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [HungError, WeightsError]
        loader.broken = False
        assert (await engine.read(store, refs[:1], "z")).text.startswith("z")


async def test_closing_does_not_wait_for_a_model_that_hangs(
    loader: Loader, store: ImageStore, refs: list[ImageRef], tmp_path: Path
) -> None:
    engine = Engine(loader.load, EngineOptions(grace_seconds=0.1))
    hanging = asyncio.create_task(engine.score(store, refs[:1], "x", ["a"]))
    await loader.gate.wait()
    behind = asyncio.create_task(engine.read(store, refs[:1], "y"))
    while not engine.waiting:
        await asyncio.sleep(0)
    await asyncio.to_thread(engine.close)
    outcomes = await asyncio.gather(hanging, behind, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["This engine was closed while a request waited."] * 2
    assert not engine.loaded


async def test_what_is_left_of_a_halved_batch_waits_for_the_new_model(
    store: ImageStore, refs: list[ImageRef], clock: Clock
) -> None:
    def threads() -> int:
        return sum(thread.name == "g2u-engine" for thread in threading.enumerate())

    loader, before = Halving(), threads()
    with Engine(loader.load, OPTIONS) as engine:
        first = asyncio.create_task(engine.score(store, refs[:1], "x", ["a"]))
        await loader.gate.wait()
        deadline = time.monotonic() + 100
        halves = [
            asyncio.create_task(engine.read(store, refs[:1], text, deadline=late))
            for text, late in (("y", None), ("z", None), ("late", deadline))
        ]
        await queued()
        loader.gate.opened.set()
        await asyncio.gather(first, loader.half.wait())
        clock.advance(101)
        with pytest.raises(DeadlineError):
            await halves[2]
        clock.advance(200)
        with pytest.raises(HungError):
            await halves[0]
        assert (await halves[1]).text.startswith("z")
        loader.half.opened.set()
        wait_until(lambda: threads() == before + 1)  # the one that was left behind has ended
        assert (await engine.read(store, refs[:1], "after")).text.startswith("after")
        assert [call.texts for call in loader.made[0].of("read")] == [("y", "z", "late"), ("y",)]
        assert [call.texts for call in loader.made[1].of("read")] == [("z",), ("after",)]


async def test_a_model_that_is_given_up_while_its_engine_closes_keeps_nobody_waiting(
    loader: Loader, store: ImageStore, refs: list[ImageRef], clock: Clock
) -> None:
    engine = Engine(loader.load, OPTIONS)
    hanging = asyncio.create_task(engine.score(store, refs[:1], "x", ["a"]))
    await loader.gate.wait()
    behind = asyncio.create_task(engine.read(store, refs[:1], "y"))
    while not engine.waiting:
        await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(engine.close))
    while not engine.closed:
        await asyncio.sleep(0)
    clock.advance(301)
    with pytest.raises(HungError):
        await hanging
    loader.gate.opened.set()
    with pytest.raises(RuntimeError, match="was closed"):
        await behind
    await closing
    assert len(loader.made) == 1
