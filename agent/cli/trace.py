"""`g2u trace`: look at runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

trace = typer.Typer(help="Look at runs.", no_args_is_help=True)


@trace.callback()
def group() -> None:
    """Keeps `show` a command of its own while it is the only one."""


@trace.command()
def show(
    run: Annotated[Path, typer.Argument(help="A run, or a folder above runs: the newest is shown.")] = Path("runs"),
) -> None:
    """Show a run in the terminal: its pictures, edits, verdicts and both answers."""
    from rich.console import Console

    from g2u.errors import TraceError
    from g2u.terminal import show_trace
    from g2u.trace import FILE_NAME, read_trace, store_of

    # Names of runs begin with their time, wherever they are.
    newest = max((path.parent for path in run.rglob(FILE_NAME)), key=lambda folder: folder.name, default=None)
    if newest is None:
        raise TraceError(f"There is no run in {str(run)!r}.", "Make one: `g2u ask PICTURE QUESTION`.")
    found = read_trace(newest)
    show_trace(found, store_of(found), Console())
