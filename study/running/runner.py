"""Runs a study: every arm on every item with every seed, whatever was interrupted before."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Literal

from g2u import prompts
from g2u.edits.library import EditLibrary
from g2u.engine.registry import get_engine
from g2u.files import write_atomic
from g2u.models.device import find_device
from g2u.pictures.store import ImageStore, get_store
from g2u.version import __version__
from g2u.world.judging.metrics import torchmetrics

from ..grid.arms import Study
from ..grid.items import WORLD, make_items
from ..grid.records import Header, ItemRecord, Line
from .answering import RECALLED, Answerer
from .folder import PICTURES, LineWriter, begin, check, locked, read_lines, read_study
from .jobs import Job, jobs
from .marking import mark_late
from .results import Results
from .sources import code_of

Progress = Callable[[int, int], None]
"""Called as `on_progress(done, total)`, of answers."""
Where = Literal["local", "ray"]
"""On this process's engine, or on one engine in each actor of Ray."""


def run(
    study: Study,
    folder: Path,
    *,
    engine: Where = "local",
    actors: int = 1,
    again: bool = False,
    on_progress: Progress = lambda done, total: None,
) -> Results:
    """Run a study, or go on with it where it was interrupted.

    Args:
        study: The grid.
        folder: New, or of the same study.
        engine: Where the model is.
        actors: Of Ray.
        again: Make the answers anew that failed before.
        on_progress: Told of each answer, those of earlier runs at once.

    Raises:
        StudyError: The folder is another study's, damaged, or held by another process; it stays as it is.
        MissingExtraError: The extra `study` is not installed, by which drawings of the world are measured.
        G2UError: In one of its kinds, where an arm, an item, the model or the disk cannot be used.
    """
    return asyncio.run(arun(study, folder, engine=engine, actors=actors, again=again, on_progress=on_progress))


async def arun(
    study: Study,
    folder: Path,
    *,
    engine: Where = "local",
    actors: int = 1,
    again: bool = False,
    on_progress: Progress = lambda done, total: None,
) -> Results:
    """As `run`, inside an event loop."""
    if study.items.source == WORLD:
        torchmetrics()  # refuses before anything is drawn
    header = await _header(study)
    items = await asyncio.to_thread(_items_again, study, folder, header) if check(folder, header) else None
    with locked(folder):
        check(folder, header)  # once more: another process may have begun meanwhile
        if items is None:
            items = await asyncio.to_thread(make_items, study.items, get_store(folder / PICTURES))
        answerer = Answerer(study, items, folder)
        skipped = await answerer.skipped()
        lines, whole = read_lines(folder)
        ran = {line.arm for line in lines}
        kept = {arm: reason for arm, reason in skipped.items() if arm not in ran}
        begin(folder, header.model_copy(update={"skipped": kept}), items)
        late = [line for line in lines if line.unscored]
        had = {line.key for line in lines if not (again and line.error)}
        wanted = list(jobs([arm for arm in study.arms if arm.name not in skipped], items, study.seeds))
        left = [job for job in wanted if job.key not in had]
        done = len(wanted) - len(left)
        on_progress(done, len(wanted))
        if engine == "ray":
            from .on_ray import answer_on_ray

            for weights in answerer.weights:  # no copy beside those of the actors
                await asyncio.to_thread(get_engine(study.model, weights).close)
            answers = answer_on_ray(study, items, folder, left, actors)
        else:
            answers = answer_here(answerer, left)
        with LineWriter(folder, whole) as writer, answerer.engine.recall.keeping(RECALLED):
            async for line in mark_late(late, items):
                await asyncio.to_thread(writer.write, [line])
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


async def _header(study: Study) -> Header:
    """What decides the lines of a study, but for its items and what is skipped; loads the model."""
    model = await get_engine(study.model, study.weights).ready()
    own_edits = EditLibrary.load().digest
    return Header(
        g2u=__version__,
        study=study,
        model=model.identity,
        prompts=prompts.digest() | ({"$G2U_EDITS": own_edits} if own_edits else {}),
        code=code_of(type(model)),
        device=find_device().type,
        items="",
    )


def _items_again(study: Study, folder: Path, header: Header) -> list[ItemRecord]:
    """The items of a study that was begun, made elsewhere: a folder of others is refused as it is.

    Raises:
        StudyError: They are others now.
    """
    store = get_store(folder / PICTURES)
    with tempfile.TemporaryDirectory(prefix="g2u-") as place:
        made = ImageStore(place)
        items = make_items(study.items, made)
        check(folder, header, items)
        for picture in (picture for item in items for picture in item.pictures):
            if not store.path(picture).exists():
                write_atomic(store.path(picture), made.path(picture).read_bytes())
    return items
