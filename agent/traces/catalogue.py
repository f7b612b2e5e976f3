"""The runs of a folder, newest first, each in a few words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from ..errors import TraceError
from .trace import FILE_NAME, Trace, read_trace

NAME_OF_RUN: Final = re.compile(r"\d{8}-\d{6}-\d{3}-[0-9a-f]{8}")
"""What `new_run_id` makes; names sort by time."""


class Summary(BaseModel):
    """A run in a few words."""

    model_config = ConfigDict(frozen=True)

    run: str
    created: datetime
    status: str
    """As `Trace.status`."""
    question: str
    options: list[str]
    answer: str | None
    """`None` where the run never came to one."""
    direct_answer: str | None
    imagined: bool
    """Whether the answer rests on a visual thought."""
    edits: list[str]
    """Of the rounds, in order."""
    verdicts: list[str]
    """Of the thoughts, in order; `not judged` where reflection was off."""
    model: str
    policy: str
    seed: int
    seconds: float | None
    """Wall time; `None` where the run was stopped."""


@dataclass(frozen=True)
class Catalogue:
    """The runs of a folder."""

    traces: list[Trace] = field(default_factory=list)
    """Newest first."""
    unreadable: list[str] = field(default_factory=list)
    """What is wrong with each trace that cannot be read."""


def find_runs(folder: Path, most: int | None = None) -> Catalogue:
    """Read the runs anywhere in a folder, or the one that it is.

    Args:
        folder: To look in.
        most: Only so many, the newest.
    """
    catalogue = Catalogue()
    for path in sorted(folder.rglob(FILE_NAME), key=lambda path: path.parent.name, reverse=True)[:most]:
        try:
            catalogue.traces.append(read_trace(path.parent))
        except TraceError as error:
            catalogue.unreadable.append(str(error))
    return catalogue


def summary_of(trace: Trace) -> Summary:
    """A run in a few words.

    Args:
        trace: Of the run.
    """
    top = trace.header
    return Summary(
        run=top.run,
        created=top.created,
        status=trace.status,
        question=top.question,
        options=top.options,
        answer=trace.answer.text if trace.answer else None,
        direct_answer=trace.direct.text if trace.direct else None,
        imagined=trace.imagined,
        edits=[turn.decision.edit for turn in trace.rounds],
        verdicts=[turn.verdict.action if turn.verdict else "not judged" for turn in trace.drawn],
        model=top.config.model,
        policy=top.config.policy,
        seed=top.config.seed,
        seconds=trace.result.seconds.get("total") if trace.result else None,
    )
