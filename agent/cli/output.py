"""What all commands print alike: answers on standard output, everything else on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

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


@contextmanager
def progress() -> Iterator[Progress]:
    """Bars on standard error that go away when the work is done; nothing where that is no terminal."""
    console = Console(stderr=True)
    times = TimeElapsedColumn(), TimeRemainingColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *times)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield bars
