"""Rules of a model in an engine: its steps, a caller who goes, a time that is over, prefixes that are kept."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any, cast

from ..engine.engine import Engine
from ..engine.options import EngineOptions
from ..engine.waiting import wait_for
from ..errors import DeadlineError
from ..models.protocol import Reading, StepCallback, UnifiedModel
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from .bench import OPTIONS, QUESTIONS, ROUNDING, STEPS, TOKENS, Bench, demand, nearly_same

MANY_STEPS = 40
"""Of a drawing that somebody does not wait for."""
LATE = 3
"""Steps that a model may still tell of once nobody waits."""


class Watched:
    """A model of which every step that it tells is written down.

    Args:
        model: The one; all else is its own.
    """

    def __init__(self, model: UnifiedModel) -> None:
        """Nothing was told yet."""
        self._model = model
        self.steps: list[tuple[int, int, bool]] = []
        """Done, total, and whether anybody waited; a call that merely asks has the number of the one before."""

    def __getattr__(self, name: str) -> Any:
        """Whatever is not watched."""
        return getattr(self._model, name)

    def read(self, prefixes: Any, texts: Any, max_tokens: int, on_step: StepCallback, *more: Any) -> Any:
        """As the model does."""
        return self._model.read(prefixes, texts, max_tokens, self._told(on_step), *more)

    def draw(self, prefixes: Any, texts: Any, sampler: Any, seeds: Any, on_step: StepCallback, *more: Any) -> Any:
        """As the model does."""
        model: Any = self._model
        return model.draw(prefixes, texts, sampler, seeds, self._told(on_step), *more)

    def _told(self, on_step: StepCallback) -> StepCallback:
        def told(done: int, total: int) -> Sequence[bool]:
            wanted = on_step(done, total)
            self.steps.append((done, total, any(wanted)))
            return wanted

        return told


def hosted(
    bench: Bench, use: Callable[[Engine, Watched, ImageStore, list[ImageRef]], Awaitable[None]], **options: Any
) -> None:
    """Use the model in an engine of its own."""
    watched = Watched(bench.model)

    async def run(engine: Engine) -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = ImageStore(folder)
            await use(engine, watched, store, [store.add_image(picture) for picture in bench.pictures])

    with Engine(lambda: cast(UnifiedModel, watched), EngineOptions(**options)) as engine:
        wait_for(lambda: run(engine))


def check_steps(bench: Bench) -> None:
    """Every call tells its steps, one after the other, to the last."""

    async def use(engine: Engine, watched: Watched, store: ImageStore, refs: list[ImageRef]) -> None:
        await engine.read(store, refs[:1], QUESTIONS[0], max_tokens=TOKENS)
        _check_order("a reading", watched.steps, TOKENS)
        if bench.draws:
            watched.steps.clear()
            await engine.draw(store, refs[:1], bench.instruction, bench.sampler(), 1)
            _check_order("a drawing", watched.steps, STEPS)
            last = watched.steps[-1][0]
            demand(last == STEPS, f"the last step of a drawing of {STEPS} is number {last}")

    hosted(bench, use)


def _check_order(what: str, steps: Sequence[tuple[int, int, bool]], total: int) -> None:
    demand(bool(steps), f"{what} tells of no step, so that nobody can stop it")
    steps = _new(steps)
    numbers = [done for done, _, _ in steps]
    demand(numbers == list(range(1, len(numbers) + 1)), f"{what} tells of its steps as {numbers}")
    demand(all(done <= told for done, told, _ in steps), f"{what} tells of more steps than there are: {steps[-1][:2]}")
    demand(len(steps) <= total, f"{what} of at most {total} steps tells of {len(steps)}")


def _new(steps: Sequence[tuple[int, int, bool]]) -> list[tuple[int, int, bool]]:
    """Steps without those calls that merely ask who still waits."""
    return [step for before, step in pairwise([(0, 0, True), *steps]) if step[0] != before[0]]


def check_cancel(bench: Bench) -> None:
    """A drawing for which nobody waits any more ends at its next step, and the next request is served."""

    async def use(engine: Engine, watched: Watched, store: ImageStore, refs: list[ImageRef]) -> None:
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()
        gone: list[asyncio.Task[Any]] = []

        def on_progress(done: int, total: int) -> None:
            # On the engine's thread, which goes on once the task has been cancelled.
            async def cancel() -> None:
                gone[0].cancel()
                await asyncio.sleep(0)  # the cancellation reaches the request
                await asyncio.sleep(0)
                begun.set()

            if not begun.is_set():
                asyncio.run_coroutine_threadsafe(cancel(), loop).result(60)

        sampler = bench.sampler(MANY_STEPS)
        gone.append(
            asyncio.create_task(engine.draw(store, refs[:1], bench.instruction, sampler, 1, on_progress=on_progress))
        )
        await asyncio.wait(gone)
        await engine.read(store, refs[:1], QUESTIONS[0], max_tokens=1)
        late = sum(not wanted and total == MANY_STEPS for _, total, wanted in watched.steps)
        demand(late <= LATE, f"after its caller had gone a drawing went on for {late} of {MANY_STEPS} steps")
        demand(begun.is_set(), "a drawing tells of no step, so that nobody can stop it")

    hosted(bench, use)


def check_deadline(bench: Bench) -> None:
    """A request whose time is over ends at its next step with a `DeadlineError`, and the next one is served."""

    async def use(engine: Engine, watched: Watched, store: ImageStore, refs: list[ImageRef]) -> None:
        for seconds in (0.2, 2.0, 20.0):  # a busy machine may not come to a first step in time
            # The picture is encoded, and what was read too late before has told of its last step.
            await engine.read(store, refs[:1], QUESTIONS[0], max_tokens=1)
            watched.steps.clear()
            await _read_late(engine, watched, store, refs, seconds)
            if watched.steps:
                break
        after = await engine.read(store, refs[1:2], QUESTIONS[1], max_tokens=TOKENS)
        demand(isinstance(after, Reading), "the next request was not served")
        late = sum(not wanted for _, _, wanted in watched.steps)  # all of them, now that the next one is done
        demand(late <= LATE, f"after its time was over a reading went on for {late} steps")

    hosted(bench, use)


async def _read_late(engine: Engine, watched: Watched, store: ImageStore, refs: list[ImageRef], seconds: float) -> None:
    """Read with so many seconds, all of which pass at the first step."""
    deadline = time.monotonic() + seconds

    def on_progress(done: int, total: int) -> None:
        time.sleep(max(0.0, deadline + 0.01 - time.monotonic()))

    text, most = QUESTIONS[2], 64
    try:
        reading = await engine.read(store, refs[:1], text, max_tokens=most, deadline=deadline, on_progress=on_progress)
    except DeadlineError:
        return
    # Else it was over with its first word.
    demand(len(_new(watched.steps)) == 1, f"a reading of {reading.tokens} tokens came after its time was over")


def check_prefix_cache(bench: Bench) -> None:
    """With kept prefixes and without, the answers are the same."""
    found: dict[bool, list[Any]] = {}
    for kept in (True, False):
        answers: list[Any] = []

        async def use(
            engine: Engine, _: Watched, store: ImageStore, refs: list[ImageRef], answers: list[Any] = answers
        ) -> None:
            shown = refs[: min(2, bench.able.max_pictures)]
            for segments in (refs[:1], shown, refs[:1]):
                answers.append((await engine.read(store, segments, QUESTIONS[0], max_tokens=TOKENS)).text)
            if bench.able.scores:
                answers.append(await engine.score(store, refs[:1], QUESTIONS[1], OPTIONS))
            if bench.draws:
                answers.append(await engine.draw(store, refs[:1], bench.instruction, bench.sampler(), 1))

        hosted(bench, use, **({} if kept else {"prefix_bytes": 0}))
        found[kept] = answers
    demand(found[True][0] == found[True][2], f"a kept prefix reads {found[True][2]!r}, and before {found[True][0]!r}")
    for one, other in zip(found[True], found[False], strict=True):
        if isinstance(one, str):
            demand(one == other, f"with kept prefixes it reads {one!r}, and without {other!r}")
        elif isinstance(one, list):
            near = all(abs(a - b) <= ROUNDING * 4 for a, b in zip(one, other, strict=True))
            demand(near, f"with kept prefixes it scores {one}, and without {other}")
        else:
            demand(nearly_same(one, other), "with kept prefixes it makes another drawing than without")
