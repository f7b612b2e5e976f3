"""What all commands print alike: answers on standard output, everything else on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]
"""The option that every command with a result has."""


NOTHING = "-"
"""Stands in a table where there is nothing to say."""


def say(line: str) -> None:
    """One line for people, on standard error, as it is."""
    typer.echo(line, err=True)


def print_json(value: Any) -> None:
    """One JSON value on standard output; ASCII, so that any terminal takes it."""
    typer.echo(json.dumps(value, indent=2))


def figure(value: float | None, scale: float = 1.0, digits: int = 1) -> str:
    """A figure of a table; `NOTHING` where there is none."""
    return NOTHING if value is None else f"{scale * value:.{digits}f}"


EVERY = 10.0
"""Seconds between two lines about progress, at least, where there is no terminal."""


@contextmanager
def progress() -> Iterator[Progress]:
    """Bars on standard error that go away when the work is done; where that is no terminal, a plain line now and then.

    A log thus tells how far a long run is, and what ends within seconds leaves nothing in it.
    """
    console = Console(stderr=True)
    times = TimeElapsedColumn(), TimeRemainingColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *times)
    kind = Progress if console.is_terminal else ProgressLines
    with kind(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield bars


class ProgressLines(Progress):
    """Progress as lines of a log, such as `answers: 120 of 300, 40 %, about 3 min left`."""

    def __init__(self, *columns: ProgressColumn, **options: Any) -> None:
        """As `Progress`; the first line comes after `EVERY` seconds."""
        super().__init__(*columns, **options)
        self._told = self.get_time()
        self._first: dict[TaskID, tuple[float, float]] = {}  # when each was heard of, and what was done of it by then

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """As `Progress.update`."""
        super().update(task_id, **changes)
        self._tell(self._tasks[task_id])

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """As `Progress.advance`."""
        super().advance(task_id, advance)
        self._tell(self._tasks[task_id])

    def _tell(self, task: Task) -> None:
        with self._lock:
            now = self.get_time()
            began, first = self._first.setdefault(task.id, (now, task.completed))
            if now - max(self._told, began) < EVERY or task.completed <= first:
                return
            self._told = now
        line = f"{task.description}: {task.completed:,.0f}"
        if task.total:
            left = (now - began) * (task.total - task.completed) / (task.completed - first)
            line += f" of {task.total:,.0f}, {task.percentage:.0f} %, about {duration(left)} left"
        say(line)


def duration(seconds: float) -> str:
    """A time in the largest unit of which there is one, such as `40 s`, `3 min` or `2.5 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
