"""Runs a study: every arm on every item with every seed, whatever was interrupted before."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from g2u import __version__, prompts
from g2u.edits import EditLibrary
from g2u.engine import get_engine
from g2u.pictures import get_store
from g2u.study.answering import Answerer
from g2u.study.arms import Arm, Study
from g2u.study.folder import PICTURES, LineWriter, begin, read_lines, read_study
from g2u.study.items import make_items
from g2u.study.records import Header, ItemRecord, Line
from g2u.study.results import Results

AT_ONCE = 64
"""Answers under way at the same time; the engine batches what they ask."""

Progress = Callable[[int, int], None]
"""Called as `on_progress(done, total)`, of answers."""
Where = Literal["local", "ray"]
"""On this process's engine, or on one engine in each actor of Ray."""


@dataclass(frozen=True)
class Job:
    """One answer to be had."""

    arm: Arm
    item: ItemRecord
    seed: int

    @property
    def key(self) -> tuple[str, str, int]:
        """As that of its line."""
        return self.arm.name, self.item.id, self.seed


def run(
    study: Study,
    folder: Path,
    *,
    engine: Where = "local",
    actors: int = 1,
    on_progress: Progress = lambda done, total: None,
) -> Results:
    """Run a study, or go on with it where it was interrupted.

    Args:
        study: The grid.
        folder: New, or of the same study.
        engine: Where the model is.
        actors: Of Ray.
        on_progress: Told of each answer, those of earlier runs at once.

    Raises:
        StudyError: The folder is another study's or damaged.
        G2UError: In one of its kinds, where an arm, an item or the model cannot be used.
    """
    return asyncio.run(arun(study, folder, engine=engine, actors=actors, on_progress=on_progress))


async def arun(
    study: Study,
    folder: Path,
    *,
    engine: Where = "local",
    actors: int = 1,
    on_progress: Progress = lambda done, total: None,
) -> Results:
    """As `run`, inside an event loop."""
    items = await asyncio.to_thread(_items, study, folder)
    answerer = Answerer(study, items, folder)
    skipped = await answerer.skipped()
    model = await get_engine(study.model, study.weights).ready()
    own_edits = EditLibrary.load().digest
    header = Header(
        g2u=__version__,
        study=study,
        model=model.identity,
        prompts=prompts.digest() | ({"$G2U_EDITS": own_edits} if own_edits else {}),
        items="",
        skipped=skipped,
    )
    begin(folder, header, items)
    lines, whole = read_lines(folder)
    had = {line.key for line in lines}
    wanted = list(jobs([arm for arm in study.arms if arm.name not in skipped], items, study.seeds))
    left = [job for job in wanted if job.key not in had]
    done = len(wanted) - len(left)
    on_progress(done, len(wanted))
    if engine == "ray":
        from g2u.study.on_ray import answer_on_ray

        answers = answer_on_ray(study, items, folder, left, actors)
    else:
        answers = answer_here(answerer, left)
    with LineWriter(folder, whole) as writer:
        async for batch in answers:
            await asyncio.to_thread(writer.write, batch)
            done += len(batch)
            on_progress(done, len(wanted))
    return await asyncio.to_thread(read_study, folder)


def jobs(arms: Sequence[Arm], items: Sequence[ItemRecord], seeds: int) -> Iterator[Job]:
    """Every answer of a study, item by item, so that arms share what is computed of a picture.

    A question in other words is asked once, of the arms that choose: it shows whether they choose alike.
    """
    for item in items:
        for arm in arms:
            if item.paraphrase_of and not arm.chooses:
                continue
            once = item.paraphrase_of or arm.seeds == "first"
            yield from (Job(arm, item, seed) for seed in range(1 if once else seeds))


async def answer_here(answerer: Answerer, wanted: Sequence[Job]) -> AsyncIterator[list[Line]]:
    """Answer on this process's engine; yields what came in since the last time, in the order in which it came."""
    ready: asyncio.Queue[Line] = asyncio.Queue()
    waiting = iter(wanted)

    async def work() -> None:
        for job in waiting:
            ready.put_nowait(await answerer.answer(job.arm, job.item, job.seed))

    workers = [asyncio.create_task(work()) for _ in range(min(AT_ONCE, len(wanted)))]
    try:
        left = len(wanted)
        while left:
            batch = [await ready.get()]
            while not ready.empty():
                batch.append(ready.get_nowait())
            left -= len(batch)
            yield batch
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def run_briefly(study: Study, on_progress: Progress = lambda done, total: None) -> Results:
    """Run a study whose folder nobody needs afterwards."""
    with tempfile.TemporaryDirectory(prefix="g2u-") as folder:
        return run(study, Path(folder) / "study", on_progress=on_progress)


def _items(study: Study, folder: Path) -> list[ItemRecord]:
    return make_items(study.items, get_store(folder / PICTURES))
