"""Runs a study: every arm on every item with every seed, whatever was interrupted before."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Literal

from g2u.engine.registry import get_engine

from ..grid.arms import Study
from ..grid.records import Line
from .answering import RECALLED, Answerer
from .beginning import begun
from .folder import LineWriter, read_lines, read_study
from .jobs import Job
from .journals import JOURNALS, clear, left_behind
from .marking import mark_late
from .results import Results

Progress = Callable[[int, int], None]
"""Called as `on_progress(done, total)`, of answers."""
Where = Literal["local", "ray"]
"""On this process's engine, or on one engine in each actor of Ray."""


def run(
    study: Study | None,
    folder: Path,
    *,
    engine: Where = "local",
    actors: int = 1,
    again: bool = False,
    on_progress: Progress = lambda done, total: None,
) -> Results:
    """Run a study, go on with it where it was interrupted, or let it grow.

    Args:
        study: The grid, asked beside all that the folder asks already; no answer is asked for twice. `None` for no more
            than that.
        folder: New, or of a study that differs in arms, items and seeds alone.
        engine: Where the model is.
        actors: Of Ray.
        again: Make the answers anew that failed before.
        on_progress: Told of each answer, those of earlier runs at once.

    Raises:
        StudyError: The folder is another study's, damaged, or held by another process; it stays as it is. Or the model
            can be asked none of the arms.
        MissingExtraError: The extra `study` is not installed, by which drawings of the world are measured.
        G2UError: In one of its kinds, where an arm, an item, the model or the disk cannot be used. Nothing was written
            by then, unless answers were.
    """
    return asyncio.run(arun(study, folder, engine=engine, actors=actors, again=again, on_progress=on_progress))


async def arun(
    study: Study | None,
    folder: Path,
    *,
    engine: Where = "local",
    actors: int = 1,
    again: bool = False,
    on_progress: Progress = lambda done, total: None,
) -> Results:
    """As `run`, inside an event loop."""
    async with AsyncExitStack() as held:
        pool = None
        if engine == "ray":
            from .on_ray import pool_of

            pool = held.enter_context(pool_of(actors))  # refuses before anything is written
        plan = await held.enter_async_context(begun(study, folder))
        answerer = plan.answerer
        lines, whole = read_lines(folder)
        late = [line for line in lines if line.unscored]
        had = {line.key for line in lines if not (again and line.error)}
        found = [line for line in left_behind(folder) if line.key not in had and not (again and line.error)]
        had |= {line.key for line in found}
        wanted = plan.jobs
        left = [job for job in wanted if job.key not in had]
        done = len(wanted) - len(left)
        on_progress(done, len(wanted))
        with LineWriter(folder, whole) as writer, answerer.engine.recall.keeping(RECALLED):
            if found:
                await asyncio.to_thread(writer.write, found)
            clear(folder / JOURNALS)
            async for line in mark_late([*late, *(line for line in found if line.unscored)], plan.items):
                await asyncio.to_thread(writer.write, [line])
            if pool:
                from .on_ray import answer_on_ray

                at_once = await answerer.at_once()
                for weights in answerer.weights:  # no copy beside those of the actors
                    await asyncio.to_thread(get_engine(answerer.study.model, weights).close)
                answers = answer_on_ray(folder, left, pool, at_once=at_once, seconds=answerer.study.seconds)
            else:
                answers = answer_here(answerer, left)
            async with aclosing(answers):
                async for batch in answers:
                    await asyncio.to_thread(writer.write, batch)
                    done += len(batch)
                    on_progress(done, len(wanted))
        return await asyncio.to_thread(read_study, folder)


async def answer_here(answerer: Answerer, wanted: Sequence[Job]) -> AsyncGenerator[list[Line], None]:
    """Answer on this process's engine; yields what came in since the last time, in the order in which it came.

    Raises:
        G2UError: The rest cannot be had for now, see `Answerer.answer`; what came in before was yielded.
    """
    ready: asyncio.Queue[Line | Exception] = asyncio.Queue()
    waiting = iter(wanted)

    async def work() -> None:
        for job in waiting:
            try:
                ready.put_nowait(await answerer.answer(job.arm, job.item, job.seed))
            except Exception as error:  # told to the one who reads the queue, and raised there
                ready.put_nowait(error)

    workers = [asyncio.create_task(work()) for _ in range(min(await answerer.at_once(), len(wanted)))]
    try:
        left = len(wanted)
        while left:
            batch = [await ready.get()]
            while not ready.empty():
                batch.append(ready.get_nowait())
            left -= len(batch)
            if lines := [one for one in batch if isinstance(one, Line)]:
                yield lines
            if error := next((one for one in batch if isinstance(one, Exception)), None):
                raise error
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def run_briefly(study: Study, on_progress: Progress = lambda done, total: None) -> Results:
    """Run a study whose folder nobody needs afterwards."""
    with tempfile.TemporaryDirectory(prefix="g2u-") as folder:
        return run(study, Path(folder) / "study", on_progress=on_progress)
