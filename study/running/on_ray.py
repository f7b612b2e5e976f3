"""A study over Ray: one engine in each actor, on any number of GPUs or CPUs; the same lines come out.

Actors share the folder of the study (on one machine, or on a network file system): pictures, and drawings that were
made before. Only the process that runs the study writes lines.

An actor is another process: what was registered in this one (`g2u.register_model`, `register_engine`, `register_policy`
and `register_writer`) is unknown there. What is named by a place or brought by an installed package is found there, as
are modules of the folder in which the study was started.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import torch

from g2u.errors import G2UError, MissingExtraError, StudyError

from ..grid.arms import Study
from ..grid.records import ItemRecord, Line
from .answering import GO_ON, RECALLED, Answerer
from .jobs import Job

BATCH = 64
"""Answers that an actor is given together."""


class Actor:
    """Answers batches of jobs on an engine of its own.

    Args:
        study: The grid, as JSON.
        items: All of its questions, as JSON.
        folder: Of the study.
        home: Folder in which the study was started, from where its paths are seen.
        modules: Folders in which Python looks for modules there.
    """

    def __init__(self, study: str, items: Sequence[str], folder: str, home: str, modules: Sequence[str]) -> None:
        """Load nothing yet."""
        os.chdir(home)
        sys.path += [place for place in modules if place not in sys.path]
        records = [ItemRecord.model_validate_json(item) for item in items]
        self._answerer = Answerer(Study.model_validate_json(study), records, Path(folder))
        self._answerer.engine.recall.entries = RECALLED  # for as long as the actor lives
        self._arms = {arm.name: arm for arm in self._answerer.study.arms}
        self._items = {item.id: item for item in records}

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Answer a batch of columns `arm`, `item` and `seed`.

        Returns:
            Columns `line`, as JSON, and `error`, what ends the study; one of the two is empty.
        """
        found = asyncio.run(self._answer(list(zip(batch["arm"], batch["item"], batch["seed"], strict=True))))
        return {
            "line": [one.to_json().decode() if isinstance(one, Line) else "" for one in found],
            "error": ["" if isinstance(one, Line) else str(one) for one in found],
        }

    async def _answer(self, rows: Sequence[tuple[str, str, int]]) -> list[Line | G2UError]:
        try:
            turns = asyncio.Semaphore(await self._answerer.at_once())
        except G2UError as error:  # the model cannot be loaded there
            return [error for _ in rows]

        async def answer(arm: str, item: str, seed: int) -> Line | G2UError:
            async with turns:
                try:
                    return await self._answerer.answer(self._arms[arm], self._items[item], int(seed))
                except G2UError as error:
                    return error

        return await asyncio.gather(*(answer(*row) for row in rows))


async def answer_on_ray(
    study: Study, items: Sequence[ItemRecord], folder: Path, wanted: Sequence[Job], actors: int
) -> AsyncGenerator[list[Line], None]:
    """Answer with Ray Data; yields lines as they come in.

    Args:
        study: The grid.
        items: All of its questions.
        folder: Of the study.
        wanted: The answers to be had.
        actors: How many; each takes one GPU where there are any.

    Raises:
        MissingExtraError: The extra `ray` is not installed.
        StudyError: An actor cannot go on, such as on a full disk, or ended; what came in before was yielded.
    """
    if not wanted:
        return
    data = ray_data()
    rows = [{"arm": job.arm.name, "item": job.item.id, "seed": job.seed} for job in wanted]
    lines = (
        data.from_items(rows, override_num_blocks=max(actors, -(-len(rows) // BATCH)))
        .map_batches(
            Actor,
            fn_constructor_args=(
                study.model_dump_json(),
                [item.model_dump_json() for item in items],
                str(folder.resolve()),
                os.getcwd(),
                [place for place in sys.path if place],
            ),
            batch_size=BATCH,
            concurrency=actors,
            num_gpus=1 if torch.cuda.is_available() else 0,
        )
        .iter_rows()
    )
    rows_left = iter(lines)
    stops = importlib.import_module("ray.exceptions").RayError
    while True:
        try:
            batch = await asyncio.to_thread(lambda: list(itertools.islice(rows_left, BATCH)))
        except stops as error:
            last = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip().rstrip(".")
            raise StudyError(f"An actor of Ray ended: {last}.", GO_ON) from error
        if not batch:
            return
        if lines := [Line.model_validate_json(row["line"]) for row in batch if row["line"]]:
            yield lines
        if problem := next((row["error"] for row in batch if row["error"]), ""):
            raise StudyError(problem)


def ray_data() -> Any:
    """The module `ray.data`.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module("ray.data")
    except ImportError as error:
        raise MissingExtraError("A study over Ray", "ray", "ray") from error
