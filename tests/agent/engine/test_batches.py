"""Requests that wait together are one batch, and what they share is computed once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from g2u.engine.engine import Engine
from g2u.errors import DeadlineError
from g2u.models.protocol import Sampler
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from tests.agent.engine.scenes import TWO_STEPS, busy, queued
from tests.scripted import Call, ScriptedModel
from tests.waiting import HUNG, wait_until


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
            before = len(model.of("draw")) - 2
            wait_until(lambda: len(done) >= before)  # this loop hears of the drawing before, or never does
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


@pytest.mark.parametrize("linger", [0.0, 2 * HUNG])
async def test_lingers_for_callers_that_come_back_and_never_for_a_lone_one(
    linger: float, model: ScriptedModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model, linger_seconds=linger)
    async with asyncio.timeout(HUNG):
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
