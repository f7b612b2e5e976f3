"""What work costs the model: its own time, shared in a batch, without that in the queue, and the same once had."""

import asyncio
import itertools
from pathlib import Path

import pytest
from PIL import Image

from g2u.engine import counters
from g2u.engine.costs import Cost, charge, metered
from g2u.engine.engine import Engine
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from tests.agent.engine.scenes import TWO_STEPS, busy
from tests.scripted import ScriptedModel

OPTIONS = ("red", "blue")


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path)


@pytest.fixture
def picture(store: ImageStore) -> ImageRef:
    return store.add_image(Image.new("RGB", (8, 8)))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call of the model takes a second: a clock that goes on by one whenever it is looked at."""
    ticks = itertools.count()
    monkeypatch.setattr(counters.time, "perf_counter", lambda: float(next(ticks)))


async def cost_of(work: object) -> Cost:
    with metered() as meter:
        await work  # type: ignore[misc]
    return meter.cost


async def test_drawings_tokens_and_seconds_of_what_was_asked_are_counted(store: ImageStore, picture: ImageRef) -> None:
    model = ScriptedModel(read_script=lambda text, pictures: "one two three")
    with Engine(lambda: model) as engine:
        assert await cost_of(engine.read(store, [picture], "Q?")) == Cost(tokens=3, seconds=2.0)  # encoding is one
        assert await cost_of(engine.score(store, [picture], "Q?", OPTIONS)) == Cost(seconds=1.0)
        with metered() as meter:
            tasks = [asyncio.create_task(engine.draw(store, [picture], "Q.", TWO_STEPS, 0))]
            await asyncio.gather(*tasks, engine.read(store, [picture], "R?"))
        assert (meter.cost.drawings, meter.cost.tokens) == (1, 3)


async def test_the_time_of_a_batch_is_shared_and_that_in_the_queue_is_nobody_s(
    store: ImageStore, picture: ImageRef
) -> None:
    model = ScriptedModel()
    with Engine(lambda: model) as engine:
        async with busy(engine, model, store, picture):
            tasks = [asyncio.create_task(cost_of(engine.score(store, [picture], f"{n}?", OPTIONS))) for n in range(4)]
        costs = await asyncio.gather(*tasks)
        assert [call.size for call in model.of("score")] == [4]
        encoded = 1.0 / 4  # the view to read is another than the one to draw on, where a model has both
        assert {cost.seconds for cost in costs} in ({1 / 4}, {1 / 4 + encoded})


async def test_what_was_had_before_costs_what_it_cost_then(store: ImageStore, picture: ImageRef) -> None:
    model = ScriptedModel()
    with Engine(lambda: model) as engine:
        engine.recall.entries = 10
        first = await cost_of(engine.score(store, [picture], "Q?", OPTIONS))
        again = await cost_of(engine.score(store, [picture], "Q?", OPTIONS))
        assert len(model.of("score")) == 1 and first == again and first.seconds > 0


async def test_a_meter_counts_its_own_and_stands_still_around_another(store: ImageStore) -> None:
    with metered() as outer:
        charge(Cost(drawings=1))
        with metered() as inner:
            charge(Cost(tokens=2))
        charge(Cost(seconds=3.0))
    charge(Cost(drawings=9))
    assert (outer.cost, inner.cost) == (Cost(drawings=1, seconds=3.0), Cost(tokens=2))
