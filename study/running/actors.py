"""What an actor of Ray does: it answers batches of a study on an engine of its own.

An actor is another process: what was registered in the one that runs the study (`g2u.register_model`,
`register_engine`, `register_policy` and `register_writer`) is unknown there. What is named by a place or brought by an
installed package is found there, as are modules of the folder in which the study was started.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from g2u.errors import G2UError, StudyError

from ..grid.records import Line
from .answering import GO_ON, RECALLED, Answerer
from .beginning import header_of
from .folder import read_asked, read_header
from .growth import union
from .jobs import Job
from .journals import Journal, stopped

LOOK = 0.5
"""Seconds between two looks whether anybody still waits."""
SETTINGS = "G2U_"
"""How names of our settings in the environment begin."""


class Actor:
    """Answers batches of jobs; all that it is told of the study is where its folder is.

    Args:
        folder: Of the study.
        run: Folder of the journals of this run.
        deaths: After how many ends of the process while it answers an item that item is given up.
        home: Folder in which the study was started, from where its paths are seen.
        modules: Folders in which Python looks for modules there.
        settings: Those of G2U in the environment there, in the place of any that are here.
    """

    def __init__(
        self, folder: str, run: str, deaths: int, home: str, modules: Sequence[str], settings: Mapping[str, str]
    ) -> None:
        """Load nothing yet."""
        os.chdir(home)
        sys.path += [place for place in modules if place not in sys.path]
        for name in [name for name in os.environ if name.startswith(SETTINGS)]:
            del os.environ[name]
        os.environ.update(settings)
        self._folder, self._run, self._deaths = Path(folder), Path(run), deaths
        self._answerer: Answerer | None = None

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
        """Answer batches, a row each: `number` of the batch, and `jobs`, JSON of arm, item and seed of each answer.

        Returns:
            Rows of `number`, `lines`, as JSON Lines, and `error`: what ends the study, empty where nothing does.
        """
        found = [
            asyncio.run(self._answered(str(number), json.loads(jobs)))
            for number, jobs in zip(batch["number"], batch["jobs"], strict=True)
        ]
        return {
            "number": [str(number) for number in batch["number"]],
            "lines": [b"\n".join(line.to_json() for line in lines).decode() for lines, _ in found],
            "error": [error for _, error in found],
        }

    async def _answered(self, number: str, wanted: Sequence[tuple[str, str, int]]) -> tuple[list[Line], str]:
        lines: list[Line] = []
        try:
            with Journal(self._run / number) as journal:
                async with _unless_stopped(self._run):
                    await self._answer(journal, wanted, lines)
        except G2UError as error:
            return lines, str(error)
        return lines, ""

    async def _answer(self, journal: Journal, wanted: Sequence[tuple[str, str, int]], lines: list[Line]) -> None:
        """Answer what earlier attempts left; `lines` gets each answer as it is had.

        Items that were under way when one of them ended come last, answer by answer, so that the next end is about one
        of them alone.

        Raises:
            G2UError: The rest cannot be had for now.
        """
        past = journal.past
        keys = [(arm, item, seed) for arm, item, seed in wanted]
        lines += [past.lines[key] for key in keys if key in past.lines]
        if len(lines) == len(keys):
            return
        if past.idle >= self._deaths:
            message = f"{past.idle} times an actor of Ray ended before it had asked the model anything"
            raise StudyError(f"{message}, such as while it loaded the model.", GO_ON)
        answerer = await self._ready()
        arms = {arm.name: arm for arm in answerer.study.arms}
        items = {item.id: item for item in answerer.items}
        jobs = [Job(arms[key[0]], items[key[1]], key[2]) for key in keys if key not in past.lines]
        turns = asyncio.Semaphore(await answerer.at_once())

        async def answer(job: Job) -> None:
            async with turns:
                arm, item, seed = job.key
                if past.deaths.get(item, 0) < self._deaths:
                    await asyncio.to_thread(journal.begin, job.key)
                    line = await answerer.answer(job.arm, job.item, job.seed)
                else:
                    told = f"{past.deaths[item]} times the process ended that was answering this item."
                    line = Line(arm=arm, item=item, seed=seed, error=told)
                await asyncio.to_thread(journal.end, line)
            lines.append(line)

        answers = [asyncio.ensure_future(answer(job)) for job in jobs if job.item.id not in past.deaths]
        try:
            found = await asyncio.gather(*answers, return_exceptions=True)
        finally:
            for one in answers:  # where nobody waits any more; the journal is closed once none of them writes
                one.cancel()
            await asyncio.gather(*answers, return_exceptions=True)
        if error := next((one for one in found if isinstance(one, BaseException)), None):
            raise error
        for job in jobs:
            if job.item.id in past.deaths:
                await answer(job)

    async def _ready(self) -> Answerer:
        """The answerer of the study, once it is sure that answers here are those that the study has elsewhere."""
        if self._answerer is None:
            header = read_header(self._folder)
            union(self._folder, header, await header_of(header.study))
            self._answerer = Answerer(header.study, read_asked(self._folder, header), self._folder)
            self._answerer.engine.recall.entries = RECALLED  # for as long as the actor lives
        return self._answerer


@asynccontextmanager
async def _unless_stopped(run: Path) -> AsyncIterator[None]:
    """A block that ends with a `StudyError` where the run is stopped."""
    task = asyncio.current_task()
    assert task is not None, "it runs in one"
    ended = False

    async def look() -> None:
        nonlocal ended
        while not await asyncio.to_thread(stopped, run):
            await asyncio.sleep(LOOK)
        ended = True
        task.cancel()

    looking = asyncio.ensure_future(look())
    try:
        yield
    except asyncio.CancelledError:
        if not ended:
            raise
        task.uncancel()
        raise StudyError("The run was stopped.", GO_ON) from None
    finally:
        looking.cancel()
