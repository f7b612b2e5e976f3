"""A study over Ray Data: one engine in each actor, on any number of GPUs or CPUs; the same lines come out.

Actors share the folder of the study (on one machine, or on a network file system): what is asked, pictures, drawings
that were made before, and the journals of what they have under way. Only the process that runs the study writes lines.

A worker that is lost loses no answer that was had, and what it had under way is asked again. An item during which it
ends again and again is given up: its answers get lines that say so, and the study goes on. Ray itself retries without
end; what bounds it is that each end is charged to an item, by the journals, or ends the study.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
import os
import sys
import threading
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g2u.errors import MissingExtraError, StudyError

from ..grid.records import Line
from .actors import SETTINGS, Actor
from .answering import GO_ON
from .jobs import Job
from .journals import begun_run, clear, stop

DEATHS = 3
"""Ends of a process while it answers an item after which that item is given up."""
SHARES = 4
"""Batches for each actor at least, where there are as many items, so that all of them end at about the same time."""
PATIENCE = 60.0
"""Seconds that actors have to end theirs, once nobody waits for them."""


@dataclass(frozen=True)
class Pool:
    """Actors that can be had."""

    actors: int
    each: Mapping[str, float]
    """What each takes of what Ray shares out."""

    @property
    def on_gpus(self) -> bool:
        """Whether each has a GPU of its own."""
        return bool(self.each.get("num_gpus"))


@contextmanager
def pool_of(actors: int) -> Iterator[Pool]:
    """Start Ray where this process has none, join the cluster of $RAY_ADDRESS where that is set, and end it again.

    Args:
        actors: How many; each takes one GPU where Ray has any, unless $G2U_DEVICE is `cpu`, else an equal share of the
            CPUs, one at most.

    Raises:
        MissingExtraError: The extra `ray` is not installed.
        StudyError: There are fewer GPUs, or Ray cannot be started.
    """
    ray = _module("ray")
    _module("ray.data")
    own = not ray.is_initialized()
    if own:
        try:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
        except Exception as error:  # of many kinds, by what the machine or the cluster lacks
            raise StudyError(f"Ray cannot be started: {_last_line(error)}.") from error
        logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        there = ray.cluster_resources()
        gpus = 0.0 if os.environ.get("G2U_DEVICE", "").startswith("cpu") else there.get("GPU", 0.0)
        if gpus and actors > gpus:
            message = f"{actors} actors need a GPU each, and Ray has {gpus:g}."
            raise StudyError(message, f"Name as many: `--actors {int(gpus)}`.")
        share = {"num_gpus": 1.0} if gpus else {"num_cpus": min(1.0, there.get("CPU", 1.0) / actors)}
        yield Pool(actors, share)
    finally:
        if own:
            ray.shutdown()


async def answer_on_ray(
    folder: Path, wanted: Sequence[Job], pool: Pool, *, at_once: int, seconds: float
) -> AsyncGenerator[list[Line], None]:
    """Answer with Ray Data; yields lines as they come in, each answer once.

    Args:
        folder: Of the study; all that actors are told of it.
        wanted: The answers to be had, those of an item one after the other.
        pool: The actors.
        at_once: How many keep the model of an actor busy.
        seconds: Of each answer at most.

    Raises:
        StudyError: An actor cannot go on, such as on a full disk, or Ray ended; what came in before was yielded.
    """
    if not wanted:
        return
    run = begun_run(folder.resolve())
    left = {job.key for job in wanted}
    rows: asyncio.Queue[Mapping[str, Any] | BaseException | None] = asyncio.Queue()
    size = max(1, min(at_once, -(-len(wanted) // (SHARES * pool.actors))))
    thread = _put_rows(_dataset(folder, run, batches(wanted, size), pool, seconds), rows)
    try:
        while (row := await rows.get()) is not None:
            if isinstance(row, BaseException):
                raise StudyError(f"Ray ended: {_last_line(row)}.", GO_ON) from row
            lines = [Line.model_validate_json(line) for line in row["lines"].splitlines()]
            lines = [line for line in lines if line.key in left]
            left -= {line.key for line in lines}
            if lines:
                yield lines
            clear(run / row["number"])  # they are among the lines of the study by now
            if row["error"]:
                raise StudyError(row["error"])
        clear(run.parent)
    finally:
        if thread.is_alive():
            with contextlib.suppress(OSError):
                stop(run)
            await asyncio.to_thread(thread.join, PATIENCE)


def batches(wanted: Sequence[Job], size: int) -> list[list[Job]]:
    """Answers that an actor is given together: of whole items, so that what arms share is computed once.

    Args:
        wanted: Those of an item one after the other.
        size: Answers after which a batch ends with its item.
    """
    found: list[list[Job]] = []
    for job in wanted:
        if not found or (len(found[-1]) >= size and found[-1][-1].item.id != job.item.id):
            found.append([])
        found[-1].append(job)
    return found


def _dataset(folder: Path, run: Path, parts: Sequence[Sequence[Job]], pool: Pool, seconds: float) -> Any:
    """A row for each batch, which is a block and thus a task of its own."""
    data = _module("ray.data")
    rows = [{"number": str(number), "jobs": json.dumps([job.key for job in part])} for number, part in enumerate(parts)]
    hidden = ("G2U_DEVICE",) if pool.on_gpus else ()  # an actor sees no GPU but its own
    settings = {name: value for name, value in os.environ.items() if name.startswith(SETTINGS) and name not in hidden}
    dataset = data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        Actor,
        fn_constructor_args=(
            str(folder.resolve()),
            str(run),
            DEATHS,
            os.getcwd(),
            [place for place in sys.path if place],
            settings,
        ),
        batch_size=1,
        compute=data.ActorPoolStrategy(size=pool.actors, max_tasks_in_flight_per_actor=1),
        **pool.each,
    )
    dataset.context.enable_progress_bars = False
    dataset.context.print_on_execution_start = False
    if dataset.context.execution_no_progress_timeout_s > 0:  # else nothing ends a run that waits
        dataset.context.execution_no_progress_timeout_s += DEATHS * seconds * max(map(len, parts))
    return dataset


def _put_rows(dataset: Any, rows: asyncio.Queue[Any]) -> threading.Thread:
    """Begin to compute, and put each row into a queue as it comes, then `None`, or the error that ended it."""
    loop = asyncio.get_running_loop()

    def put() -> None:
        end: BaseException | None = None
        try:
            for row in dataset.iter_rows():
                loop.call_soon_threadsafe(rows.put_nowait, row)
        except BaseException as error:  # told to the one who reads the queue
            end = error
        with contextlib.suppress(RuntimeError):  # nobody reads it any more
            loop.call_soon_threadsafe(rows.put_nowait, end)

    thread = threading.Thread(target=put, name="g2u-ray", daemon=True)
    thread.start()
    return thread


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip().rstrip(".")


def _module(name: str) -> Any:
    """A module of Ray.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError("A study over Ray", "ray", "ray") from error
