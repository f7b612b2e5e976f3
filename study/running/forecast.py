"""What a study will take, told from a few of its items that are really answered, elsewhere than in its folder."""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import torch

from g2u.engine.registry import get_engine
from g2u.files import write_atomic
from g2u.pictures.store import get_store

from ..grid.arms import Study
from .answering import RECALLED, Answerer
from .beginning import planned
from .folder import PICTURES, read_lines
from .jobs import Job
from .runner import Progress, answer_here

MEASURED = 2
"""Items that are measured, all of their answers together; one before them warms up and does not count."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What some answers took."""

    items: Sequence[str]
    """Their ids."""
    answers: int = 0
    failed: int = 0
    drawings: int = 0
    """That the model made; one that several answers share counts once."""
    tokens: int = 0
    """That the model wrote."""
    seconds: float = 0.0
    """Wall time, of all of them together."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is left of a study, and what it will take on one engine like the one that was measured."""

    answers: int
    """Of the whole study."""
    there: int
    """Those that the folder has already."""
    left_out: Sequence[str]
    """Arms that the model cannot be asked; they are in no number."""
    drawings: int
    tokens: int
    hours: float
    memory: int
    """Most bytes that this process had resident, weights included."""
    device_memory: int | None
    """Most bytes that it had on the GPU; `None` where there is none."""
    measured: Measured

    @property
    def left(self) -> int:
        """Answers to be had."""
        return self.answers - self.there


def forecast(
    study: Study | None, folder: Path, *, again: bool = False, on_progress: Progress = lambda done, total: None
) -> Forecast:
    """Tell what a run of these arguments would take, and write nothing into its folder.

    The answers of `MEASURED` items, spread over those that have answers left, are made by the study's own runner, and
    what is left is taken to be like them. In a larger run more answers share a batch, so that it is rather faster.

    Args:
        study: As for `runner.run`.
        folder: As for `runner.run`.
        again: Count answers that failed as answers to be had.
        on_progress: Told of each answer that is measured.

    Raises:
        G2UError: As `runner.run`.
    """
    return asyncio.run(_forecast(study, folder, again, on_progress))


async def _forecast(study: Study | None, folder: Path, again: bool, on_progress: Progress) -> Forecast:
    with tempfile.TemporaryDirectory(prefix="g2u-") as place:
        elsewhere = Path(place) / "study"
        made = get_store(elsewhere / PICTURES)
        plan = await planned(study, folder, made)
        for picture in (picture for item in plan.items for picture in item.pictures):
            if not made.path(picture).exists():  # of a file that is gone the folder alone has the pictures
                write_atomic(made.path(picture), get_store(folder / PICTURES).path(picture).read_bytes())
        had = {line.key for line in read_lines(folder)[0] if not (again and line.error)}
        left = [job for job in plan.jobs if job.key not in had]
        answerer = Answerer(plan.answerer.study, plan.items, elsewhere)
        found = await _measure(answerer, left, on_progress) if left else Measured(items=[])
    share = len(left) / found.answers if found.answers else 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return Forecast(
        answers=len(plan.jobs),
        there=len(plan.jobs) - len(left),
        left_out=plan.skipped,
        drawings=round(share * found.drawings),
        tokens=round(share * found.tokens),
        hours=share * found.seconds / 3600,
        memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        device_memory=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None,
        measured=found,
    )


async def _measure(answerer: Answerer, left: Sequence[Job], on_progress: Progress) -> Measured:
    """Answer some items, the first of which warms up where there are others."""
    by_item: dict[str, list[Job]] = {}
    for job in left:
        by_item.setdefault(job.item.paraphrase_of or job.item.id, []).append(job)
    names = list(by_item)
    count = min(len(names), MEASURED + 1)
    chosen = [names[number * len(names) // count] for number in range(count)]
    total = sum(len(by_item[name]) for name in chosen)
    done = 0
    on_progress(done, total)

    def tell() -> None:
        nonlocal done
        done += 1
        on_progress(done, total)

    with answerer.engine.recall.keeping(RECALLED):
        if len(chosen) > 1:
            await _answer(answerer, by_item[chosen.pop(0)], tell)
        before, began = _counted(answerer), time.perf_counter()
        failed = await _answer(answerer, wanted := [job for name in chosen for job in by_item[name]], tell)
        seconds, after = time.perf_counter() - began, _counted(answerer)
    drawings, tokens = (now - then for now, then in zip(after, before, strict=True))
    return Measured(items=chosen, answers=len(wanted), failed=failed, drawings=drawings, tokens=tokens, seconds=seconds)


async def _answer(answerer: Answerer, wanted: Sequence[Job], tell: Callable[[], None]) -> int:
    """Have some answers; how many failed."""
    failed = 0
    async with aclosing(answer_here(answerer, wanted)) as answers:
        async for batch in answers:
            for line in batch:
                failed += bool(line.error)
                tell()
    return failed


def _counted(answerer: Answerer) -> tuple[int, int]:
    """Drawings and tokens that the engines of a study have made."""
    counters = [get_engine(answerer.study.model, weights).counters() for weights in answerer.weights]
    return sum(one.draw.requests for one in counters), sum(one.tokens for one in counters)
