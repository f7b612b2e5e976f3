"""BAGEL behind the engine and in the graph: what is shared, what is stopped, what is tried again."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from g2u.asking import Run, aask
from g2u.engine.engine import Engine
from g2u.engine.options import EngineOptions
from g2u.engine.registry import register_engine
from g2u.errors import BudgetError, CapabilityError, DeadlineError, PictureError
from g2u.loop.fusions import FUSIONS
from g2u.models.bagel.inference.context import Guidance
from g2u.models.bagel.inference.execution import PlainExecution
from g2u.models.bagel.inference.sampler import PRESETS, FlowSettings, values_of
from g2u.models.bagel.model import BagelModel
from g2u.models.bagel.network.network import BagelNetwork, Grid
from g2u.models.protocol import Sampler
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from g2u.state import Context, Fusion
from g2u.traces.trace import read_trace

OPTIONS = ["red", "blue"]
TWO = Sampler(steps=2)


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "pictures")


@pytest.fixture
def refs(store: ImageStore, golden: Path) -> list[ImageRef]:
    return [store.add_file(golden / name) for name in ("a.png", "b.png")]


@pytest.fixture
def hosts() -> Iterator[Callable[..., Engine]]:
    """Makes engines and closes them."""
    engines: list[Engine] = []

    def host(model: BagelModel, **options: Any) -> Engine:
        engines.append(Engine(lambda: model, EngineOptions(**options)))
        register_engine("tiny", engines[-1])
        return engines[-1]

    yield host
    for engine in engines:
        engine.close()


def settings(store: ImageStore, **changes: Any) -> Context:
    common = Context(model="tiny", policy="fixed:deblur", reflect=False, rounds=1, steps=2, store=str(store.root))
    return replace(common, **changes)


async def asked(picture: ImageRef, context: Context, out: Path | None = None) -> Run:
    return await aask(picture, "Which colour?", options=OPTIONS, context=context, out=out)


@pytest.mark.parametrize(
    ("changes", "further"),
    [
        # The picture as it is drawn on, and the thought: beside what was read already, for whoever looks at it first.
        ({}, 2),
        ({"reflect": True}, 2),
        ({"policy": "score"}, 2),
        # The same, the thought alone.
        ({"fusion": "replace"}, 2),
        # The instruction and the thought, after what was drawn on.
        ({"fusion": "continued"}, 3),
        ({"policy": "none"}, 0),
    ],
)
async def test_a_run_encodes_a_picture_once_for_each_view(
    changes: dict[str, Any],
    further: int,
    model: BagelModel,
    hosts: Callable[..., Engine],
    store: ImageStore,
    refs: list[ImageRef],
) -> None:
    engine = hosts(model)
    run = await asked(refs[0], settings(store, **changes))
    assert run.answer in OPTIONS
    drawn = [turn for turn in run.rounds if turn.thought]
    assert drawn or changes.get("policy") in ("score", "none")
    assert engine.counters().pictures_encoded == 1 + further * len(drawn)


@pytest.mark.parametrize("fusion", FUSIONS)
async def test_two_pictures_are_seen_in_order_in_every_fusion(
    fusion: Fusion, model: BagelModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    hosts(model)
    context = settings(store, fusion=fusion, policy="fixed:deblur(on=1)")
    run = await aask(refs, "Which colour?", options=OPTIONS, context=context, out=None)
    (turn,) = run.rounds
    first, second = refs
    shown = {
        "thought-first": [turn.thought, first, second],
        "three-turn": [first, second, turn.thought, first, second],
        "replace": [turn.thought, second],
        "caption": [first, second],
    }.get(fusion, [first, second, turn.thought])
    assert (run.direct.pictures, run.final.pictures, turn.source) == (refs, shown, first)
    turned = await aask(refs[::-1], "Which colour?", options=OPTIONS, context=replace(context, policy="none"), out=None)
    assert turned.direct.pictures == refs[::-1] and turned.direct.probabilities != run.direct.probabilities
    alone = await asked(first, context)  # a drawing is the same whatever else was asked about
    assert alone.rounds[0].thought == turn.thought


async def test_the_model_itself_may_say_which_picture_it_edits(
    model: BagelModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    hosts(model)
    context = settings(store, policy="score", reflect=True)
    run = await aask(refs, "Which colour?", options=OPTIONS, context=context, out=None)
    scores = run.rounds[0].decision.scores
    assert {'{"edit": "deblur", "on": 1}', '{"edit": "deblur", "on": 2}', '{"edit": "none"}'} <= set(scores)
    for policy in ("self", "own-words", "probe:1"):
        found = await aask(refs, "Which colour?", options=OPTIONS, context=replace(context, policy=policy), out=None)
        assert found.direct.pictures == refs


async def test_drawings_of_one_picture_share_its_encoding(
    model: BagelModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    draws = [engine.draw(store, refs[:1], told, TWO, seed) for seed, told in enumerate(("Go.", "Stop.", "Go."))]
    first, other, seeded = await asyncio.gather(*draws)
    assert engine.counters().pictures_encoded == 1
    assert len({picture.tobytes() for picture in (first, other, seeded)}) == 3
    again = await engine.draw(store, refs[:1], "Go.", TWO, 0)
    assert again.tobytes() == first.tobytes()


async def test_runs_at_the_same_time_are_those_one_after_the_other(
    model: BagelModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    contexts = [settings(store, seed=seed, fusion=fusion) for seed, fusion in ((0, "concat"), (1, "continued"))]
    hosts(model)
    together = await asyncio.gather(*(asked(ref, context) for ref in refs for context in contexts))
    hosts(model, max_batch=1, prefix_bytes=0)
    alone = [await asked(ref, context) for ref in refs for context in contexts]
    for one, other in zip(together, alone, strict=True):
        assert [turn.thought for turn in one.rounds] == [turn.thought for turn in other.rounds]
        assert one.final.probabilities == pytest.approx(other.final.probabilities)


async def test_fusions_show_what_they_say(
    model: BagelModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    hosts(model)
    runs = {fusion: await asked(refs[0], settings(store, fusion=fusion)) for fusion in ("concat", "continued")}
    for run in runs.values():
        assert run.final.pictures == [refs[0], run.rounds[0].thought]
    assert runs["concat"].final.probabilities != runs["continued"].final.probabilities


async def test_the_trace_tells_sampler_and_settings(
    model: BagelModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef], tmp_path: Path
) -> None:
    hosts(model)
    run = await asked(refs[0], settings(store, steps=None, preset="edit", policy="none"), tmp_path / "runs")
    assert run.trace is not None
    header = read_trace(run.trace).header
    values = {**values_of(PRESETS["edit"]), "reader": "inference"}
    assert header.sampler == Sampler(steps=49, preset="edit", values=values)
    assert header.model.settings == ("float32", "plain")


async def test_runs_that_read_pictures_in_other_ways_share_an_engine_and_no_prefix(
    model: BagelModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    usual, evaluation = {"reader": "inference"}, {"reader": "evaluation"}
    runs = [
        await asked(refs[0], settings(store, policy="none", values=values))
        for values in (usual, evaluation, usual, evaluation)
    ]
    one, other, again, other_again = (run.final.probabilities for run in runs)
    assert one == again != other == other_again
    assert engine.counters().pictures_encoded == 2


async def test_a_cancelled_drawing_stops_at_its_next_step(
    model: BagelModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    loop, steps = asyncio.get_running_loop(), list[int]()

    def report(done: int, total: int) -> None:
        steps.append(done)
        if done == 2:
            loop.call_soon_threadsafe(drawing.cancel)

    drawing = asyncio.create_task(engine.draw(store, refs[:1], "Go.", Sampler(steps=1000), 0, on_progress=report))
    with pytest.raises(asyncio.CancelledError):
        await drawing
    assert (await engine.score(store, refs[:1], "Alive?", OPTIONS))[0] < 0
    assert 2 <= len(steps) < 1000
    assert engine.counters().cancelled == 1


async def test_a_deadline_ends_drawing_and_writing_between_steps(
    model: BagelModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    await engine.draw(store, refs[:1], "Go.", TWO, 0)  # the picture is encoded now
    for work in (
        engine.draw(store, refs[:1], "Go.", Sampler(steps=1000), 0, deadline=time.monotonic() + 0.2),
        engine.read(store, refs[:1], "Go?", max_tokens=100_000, deadline=time.monotonic() + 0.2),
    ):
        with pytest.raises(DeadlineError):
            await work


async def test_one_bad_picture_fails_its_own_request_alone(
    model: BagelModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    engine = hosts(model)
    narrow = store.add_image(Image.new("RGB", (200, 4)))
    busy = asyncio.create_task(engine.draw(store, refs[1:], "Go.", TWO, 0))
    await asyncio.sleep(0)
    asks = [engine.score(store, [ref], "Which?", OPTIONS) for ref in (refs[0], narrow, refs[1])]
    one, bad, other = await asyncio.gather(*asks, return_exceptions=True)
    assert isinstance(bad, PictureError) and "too narrow" in str(bad)
    assert isinstance(one, list) and isinstance(other, list)
    await busy


class Short(PlainExecution):
    """Runs out of memory at the first drawings, as a GPU does."""

    def __init__(self, network: BagelNetwork, failures: int) -> None:
        super().__init__(network)
        self.failures = failures

    def flow(self, guidance: Guidance, grid: Grid, noise: torch.Tensor, settings: FlowSettings) -> Any:
        if self.failures:
            self.failures -= 1
            raise torch.OutOfMemoryError("no memory is left")
        return super().flow(guidance, grid, noise, settings)


def short(model: BagelModel, tiny: BagelNetwork, failures: int) -> BagelModel:
    return BagelModel(tiny, model._words, Short(tiny, failures), model.identity)


async def test_out_of_memory_is_tried_again(
    model: BagelModel, tiny: BagelNetwork, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    whole = await hosts(model).draw(store, refs[:1], "Go.", TWO, 0)
    engine = hosts(short(model, tiny, 1))
    drawn = await engine.draw(store, refs[:1], "Go.", TWO, 0)
    assert drawn.tobytes() == whole.tobytes()
    assert (engine.counters().out_of_memory, engine.counters().pictures_encoded) == (1, 2)
    with pytest.raises(BudgetError, match="Memory ran out"):
        await hosts(short(model, tiny, 2)).draw(store, refs[:1], "Go.", TWO, 0)


async def test_prefixes_are_kept_within_what_the_model_declares(
    model: BagelModel, hosts: Callable[..., Engine], store: ImageStore, refs: list[ImageRef]
) -> None:
    assert model.capabilities.prefix_bytes == 8 * 2**30 and model.capabilities.max_drawings == 1
    engine = hosts(model, prefix_bytes=1)
    for _ in range(2):
        await engine.score(store, refs[:1], "Which?", OPTIONS)
    assert engine.counters().pictures_encoded == 2


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"rounds": 8, "fusion": "continued"}, CapabilityError, "7 rounds at most"),
        ({"policy": "native"}, CapabilityError, "declares no `native` way"),
    ],
)
async def test_settings_that_do_not_go_together(
    changes: dict[str, Any],
    error: type[Exception],
    says: str,
    model: BagelModel,
    hosts: Callable[..., Engine],
    store: ImageStore,
    refs: list[ImageRef],
) -> None:
    hosts(model)
    with pytest.raises(error, match=says):
        await asked(refs[0], settings(store, **changes))
