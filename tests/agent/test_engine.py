from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from g2u.engine import Engine, EngineOptions, get_engine, register_engine
from g2u.errors import (
    BudgetError,
    CapabilityError,
    DeadlineError,
    G2UError,
    PictureError,
    QuestionError,
    UnknownNameError,
    WeightsError,
)
from g2u.models.protocol import Sampler, UnifiedModel
from g2u.pictures import ImageRef, ImageStore
from tests.scripted import Call, Pictures, ScriptedModel

TWO_STEPS = Sampler(steps=2)


def tint(image: Image.Image, instruction: str, seed: int) -> Image.Image:
    return Image.new("RGB", image.size, (seed, len(instruction), image.getpixel((0, 0))[0]))  # type: ignore[index]


def describe(text: str, pictures: Pictures) -> str:
    return f"{text} {[picture.getpixel((0, 0)) for picture in pictures]}"


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path)


@pytest.fixture
def refs(store: ImageStore) -> list[ImageRef]:
    return [store.add_image(Image.new("RGB", (4, 4), (shade, 0, 0))) for shade in (10, 20, 30)]


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(read_script=describe, draw_script=tint)


@pytest.fixture
def hosts() -> Iterator[Callable[..., Engine]]:
    """Makes engines and closes them."""
    engines: list[Engine] = []

    def host(model: UnifiedModel, **options: Any) -> Engine:
        engines.append(Engine(lambda: model, EngineOptions(**options)))
        return engines[-1]

    yield host
    for engine in engines:
        engine.close()


class Gate:
    """Holds the engine's thread inside the first model call (or step) that it is asked about, until opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def hold(self, *_: object) -> None:
        if not self.reached.is_set():
            self.reached.set()
            assert self.opened.wait(60)

    async def wait(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 60)


async def queued() -> None:
    """Let the tasks of this loop run as far as they get without the engine's thread."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def busy(engine: Engine, model: ScriptedModel, store: ImageStore, ref: ImageRef) -> AsyncIterator[None]:
    """Keep the engine in a draw of `ref` until the block ends, so that what the block asks for queues up."""
    gate = Gate()
    model.before = lambda call: gate.hold() if call.kind == "draw" else None
    first = asyncio.create_task(engine.draw(store, [ref], "hold", TWO_STEPS, 0))
    await gate.wait()
    try:
        yield
        await queued()
    finally:
        gate.opened.set()
    await first


@pytest.mark.parametrize(
    ("engine_limit", "model_limit", "sizes"),
    [(16, 16, [8]), (3, 16, [3, 3, 2]), (16, 5, [5, 3]), (1, 16, [1] * 8)],
)
async def test_concurrent_draws_share_batches(
    engine_limit: int,
    model_limit: int,
    sizes: list[int],
    model: ScriptedModel,
    hosts: Callable[..., Engine],
    store: ImageStore,
    refs: list[ImageRef],
) -> None:
    model = model.declaring(max_batch=model_limit)
    engine = hosts(model, max_batch=engine_limit)
    async with busy(engine, model, store, refs[0]):
        draws = [
            asyncio.create_task(engine.draw(store, [refs[seed % 3]], "x" * (seed + 1), TWO_STEPS, seed))
            for seed in range(8)
        ]
    drawn = [image.getpixel((0, 0)) for image in await asyncio.gather(*draws)]
    assert drawn == [(seed, seed + 1, 10 * (seed % 3 + 1)) for seed in range(8)]
    assert [call.size for call in model.of("draw")] == [1, *sizes]
    counters = engine.counters()
    assert (counters.draw.batches, counters.draw.requests) == (1 + len(sizes), 9)
    assert counters.draw.largest_batch == max(sizes)


async def test_drawings_that_are_made_one_after_the_other_are_handed_back_one_by_one(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    model = model.declaring(max_drawings=1)
    engine, done, known = hosts(model), list[int](), list[int]()

    async def draw(seed: int) -> None:
        await engine.draw(store, refs[:1], "x", TWO_STEPS, seed)
        done.append(seed)

    def look(call: Call, step: int) -> None:
        if call.kind == "draw":
            time.sleep(0.05)  # this loop hears of the drawing before
            known.append(len(done))

    async with busy(engine, model, store, refs[0]):
        draws = [asyncio.create_task(draw(seed)) for seed in range(3)]
        readings = [asyncio.create_task(engine.read(store, refs[:1], "x")) for _ in range(3)]
        await queued()
        model.between = look
    await asyncio.gather(*draws, *readings)
    assert [call.size for call in model.of("draw")] == [1, 1, 1, 1] and [call.size for call in model.of("read")] == [3]
    assert known[-4:] == [1, 1, 2, 2]  # at the steps of the last two


async def test_only_like_requests_share_a_batch(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    async with busy(engine, model, store, refs[0]):
        asked: list[Awaitable[object]] = [
            engine.draw(store, refs[:1], "a", TWO_STEPS, 1),
            engine.draw(store, refs[:1], "b", Sampler(steps=3), 1),
            engine.draw(store, refs[:2], "c", TWO_STEPS, 1),
            engine.read(store, refs[:1], "d"),
            engine.draw(store, refs[1:2], "e", TWO_STEPS, 2),
            engine.read(store, refs[:1], "f", max_tokens=1),
            engine.score(store, refs[:1], "g", ["yes", "no"]),
            engine.read(store, refs[:1], "h"),
        ]
        tasks = [asyncio.ensure_future(one) for one in asked]
    await asyncio.gather(*tasks)
    assert [call.texts for call in model.calls if call.kind != "extend"] == [
        ("hold",), ("a", "e"), ("b",), ("c",), ("d", "h"), ("f",), ("g",),
    ]  # fmt: skip


@pytest.mark.parametrize("linger", [0.0, 60.0])
async def test_lingers_for_callers_that_come_back_and_never_for_a_lone_one(
    linger: float, model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model, linger_seconds=linger)
    async with asyncio.timeout(30):
        for seed in range(3):
            await engine.draw(store, refs[:1], "alone", TWO_STEPS, seed)
        async with busy(engine, model, store, refs[0]):
            others = [asyncio.create_task(engine.draw(store, refs[:1], "other", TWO_STEPS, seed)) for seed in (1, 2)]
        await asyncio.gather(*others, engine.draw(store, refs[:1], "back", TWO_STEPS, 0))
    if linger:
        assert model.of("draw")[-1].texts == ("other", "other", "back")
    assert sum(call.size for call in model.of("draw")) == 7


@pytest.mark.parametrize("options", [{}, {"max_batch": 1}, {"prefix_bytes": 0}, {"prefix_bytes": 60}])
async def test_options_do_not_change_results(
    options: dict[str, int], model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model, **options)
    a, b, c = refs
    chains = [[a], [b], [a, b], [b, a], [a, b, c], [a], [a, b]]
    reads = await asyncio.gather(*(engine.read(store, chain, "see:", max_tokens=99) for chain in chains))
    shades = {a: 10, b: 20, c: 30}
    assert [read.text for read in reads] == [f"see: {[(shades[ref], 0, 0) for ref in chain]}" for chain in chains]


@pytest.mark.parametrize(
    ("bytes_kept", "declared", "encoded", "hits"),
    [(10_000, True, [(0,), (1,)], 3), (0, True, [(0,), (0,), (0,), (1,), (0,), (1,)], 0), (10_000, False, None, 0)],
)
async def test_steps_of_a_run_share_their_prefixes(
    bytes_kept: int,
    declared: bool,
    encoded: list[tuple[int, ...]] | None,
    hits: int,
    model: ScriptedModel,
    hosts: Callable[..., Engine],
    store: ImageStore,
    refs: list[ImageRef],
) -> None:
    model = model.declaring(prefix_cache=declared)
    engine = hosts(model, prefix_bytes=bytes_kept)
    original, thought = refs[:2]
    await engine.read(store, [original], "decide")
    await engine.draw(store, [original], "deblur", TWO_STEPS, 0)
    await engine.score(store, [original, thought], "verdict", ["keep", "discard"])
    await engine.score(store, [original, thought], "answer", ["red", "blue"])
    expected = encoded or [(0,), (0,), (0,), (1,), (0,), (1,)]
    assert [call.pictures for call in model.of("extend")] == expected
    counters = engine.counters()
    assert counters.pictures_encoded == len(expected)
    assert (counters.prefix_hits, counters.prefix_misses) == ((2, 2) if hits else (0, 4))


async def test_one_batch_encodes_a_picture_once(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    a, b, c = refs
    async with busy(engine, model, store, c):
        tasks = [
            asyncio.create_task(engine.read(store, pictures, "look")) for pictures in ([a, b], [a, b], [a, c], [c, b])
        ]
    await asyncio.gather(*tasks)
    assert [call.pictures for call in model.of("extend")] == [(0,), (0,), (1, 1, 1)]
    assert (engine.counters().prefix_hits, engine.counters().prefix_misses) == (1, 4)


async def test_scores_per_token_are_their_own_batch(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    options = ["one", "two words", "and three words"]
    async with busy(engine, model, store, refs[0]):
        tasks = [
            asyncio.create_task(engine.score(store, refs[:1], "x", options, per_token=per_token))
            for per_token in (False, True, False)
        ]
    sums, means, again = await asyncio.gather(*tasks)
    assert sums == again == [-1.0, -2.0, -3.0]
    assert means == [-1 / 2, -2 / 3, -3 / 4]
    assert [call.size for call in model.of("score")] == [2, 1]


@pytest.mark.parametrize("share", [None, 0.0, 0.5])
async def test_out_of_domain_is_asked_on_the_worker_of_the_cached_picture(
    share: float | None, model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    model.domain_script = lambda picture: share
    engine = hosts(model)
    assert await engine.out_of_domain(store, refs[0]) == share
    await engine.read(store, refs[:1], "x")
    assert [call.kind for call in model.calls] == ["extend", "domain", "read"]
    assert len(model.threads) == 1 and threading.get_ident() not in model.threads
    assert (engine.counters().domain.requests, engine.counters().requests) == (1, 2)
    with pytest.raises(DeadlineError):
        await engine.out_of_domain(store, refs[0], deadline=time.monotonic() - 1)


async def test_pictures_are_opened_only_to_be_encoded(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    await engine.read(store, refs[:1], "first")
    store.path(refs[0]).unlink()
    assert (await engine.read(store, refs[:1], "again")).text.startswith("again")


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
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)

    def until_late(call: Call, done: int) -> None:
        while call.size == 2 and done == 2 and time.monotonic() <= deadline:
            time.sleep(0.01)

    async with busy(engine, model, store, refs[0]):
        model.between = until_late
        deadline = time.monotonic() + 1.0
        patient = asyncio.create_task(engine.draw(store, refs[:1], "patient", Sampler(steps=4), 7))
        hasty = asyncio.create_task(engine.draw(store, refs[:1], "hasty", Sampler(steps=4), 7, deadline=deadline))
    with pytest.raises(DeadlineError):
        await hasty
    assert (await patient).getpixel((0, 0)) == (7, 7, 10)
    assert model.of("draw")[-1].steps == [2, 1, 1, 1]
    assert engine.counters().expired == 1


async def test_a_queued_request_learns_of_its_deadline_while_another_is_drawn(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine, gate = hosts(model), Gate()
    model.between = lambda call, done: gate.hold() if done == 2 else None
    working = asyncio.create_task(engine.draw(store, refs[:1], "working", Sampler(steps=3), 0))
    await gate.wait()
    deadline = time.monotonic() + 0.05
    waiting = asyncio.create_task(engine.score(store, refs[:1], "late", ["yes"], deadline=deadline))
    await queued()
    await asyncio.sleep(0.1)
    gate.opened.set()
    with pytest.raises(DeadlineError):
        await waiting
    await working
    assert [call.kind for call in model.calls] == ["extend", "draw"]


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


def test_event_loops_and_threads_share_one_engine(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine, together = hosts(model), threading.Barrier(4)

    def caller(number: int) -> list[tuple[int, ...]]:
        async def run() -> list[tuple[int, ...]]:
            together.wait(60)
            images = [engine.draw(store, refs[:1], "x" * number, TWO_STEPS, seed) for seed in range(5)]
            return [image.getpixel((0, 0)) for image in await asyncio.gather(*images)]  # type: ignore[misc]

        return asyncio.run(run())

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(caller, range(1, 5)))
    assert results == [[(seed, number, 10) for seed in range(5)] for number in range(1, 5)]
    assert len(model.threads) == 1
    assert engine.counters().draw.requests == 20


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


@pytest.mark.parametrize(("own_view", "views"), [(False, ["read"]), (True, ["read", "draw"])])
async def test_a_picture_is_encoded_once_for_each_view(
    own_view: bool,
    views: list[str],
    model: ScriptedModel,
    hosts: Callable[..., Engine],
    store: ImageStore,
    refs: list[ImageRef],
) -> None:
    model = model.declaring(drawing_view=own_view)
    engine = hosts(model)
    for _ in range(2):
        await engine.read(store, refs[:1], "x")
        await engine.draw(store, refs[:1], "x", TWO_STEPS, 0)
        await engine.score(store, refs[:1], "x", ["a"], view="draw")
    assert [call.view for call in model.of("extend")] == views
    assert engine.counters().pictures_encoded == len(views)


async def test_texts_are_segments_of_a_prefix(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    model = model.declaring(text_segments=True)
    engine = hosts(model)
    first, second, _ = refs
    for segments in ([first, "Go.", second], [first, "Go."], [first, "Stop.", second], [first, "Go.", second]):
        await engine.read(store, segments, "x")
    made = [
        segment if isinstance(segment, str) else "picture" for call in model.of("extend") for segment in call.segments
    ]
    assert made == ["picture", "Go.", "picture", "Stop.", "picture"]
    assert (await engine.read(store, [first, "Go.", second], "x")).text == "x [(10, 0, 0), (20, 0, 0)]"


async def test_a_sampler_is_completed_before_requests_are_grouped(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    model = model.declaring(presets={"slow": 3, "fast": 2})
    engine = hosts(model)
    async with busy(engine, model, store, refs[0]):
        samplers = (Sampler(), Sampler(steps=3), Sampler(preset="slow"), Sampler(preset="fast"))
        draws = [asyncio.create_task(engine.draw(store, refs[:1], "x", sampler, 1)) for sampler in samplers]
    await asyncio.gather(*draws)
    assert [(call.size, len(call.steps)) for call in model.of("draw")[1:]] == [(3, 3), (1, 2)]


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


@pytest.mark.parametrize(("declared", "encoded"), [(0, 2), (48, 1)])
async def test_prefixes_are_kept_as_the_model_declares(
    declared: int,
    encoded: int,
    model: ScriptedModel,
    hosts: Callable[..., Engine],
    store: ImageStore,
    refs: list[ImageRef],
) -> None:
    engine = hosts(model.declaring(prefix_bytes=declared))
    for _ in range(2):
        await engine.read(store, refs[:1], "x")
    assert engine.counters().pictures_encoded == encoded


@pytest.mark.parametrize("options", [{"max_batch": 0}, {"linger_seconds": -1.0}, {"prefix_bytes": -1}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BudgetError):
        EngineOptions(**options)


async def test_model_that_leaves_out_a_wanted_request_is_reported(
    hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(ScriptedModel(draw_script=lambda image, instruction, seed: None))  # type: ignore[arg-type, return-value]
    with pytest.raises(RuntimeError, match="left out"):
        await engine.draw(store, refs[:1], "x", TWO_STEPS, 0)


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


async def test_counters_add_up_and_subtract(
    model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    await engine.read(store, refs[:1], "x")
    before = engine.counters()
    await engine.read(store, refs[:2], "x")
    await engine.score(store, refs[:2], "x", ["a", "b"])
    all_in_all, after = engine.counters(), engine.counters().since(before)
    assert (before.calls, before.requests, before.pictures_encoded) == (2, 1, 1)
    assert (after.calls, after.requests, after.pictures_encoded) == (3, 2, 1)
    assert (after.read.batches, after.score.batches, after.draw.batches) == (1, 1, 0)
    assert (after.prefix_hits, after.prefix_misses, after.largest_batch) == (1, 1, 1)
    assert all_in_all.busy_seconds == pytest.approx(before.busy_seconds + after.busy_seconds)
    assert 0 < after.busy_seconds < all_in_all.busy_seconds


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
