"""`g2u study export`: the answers of a study in other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .output import say


class Program(StrEnum):
    """Whose files are written."""

    inspect = "inspect"


def export_study(
    folder: Annotated[Path, typer.Argument(help="Folder of a study.", show_default=False)],
    to: Annotated[Program, typer.Option(help="inspect: a log for each arm, with pictures.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
) -> None:
    """Write every answer of a study, with its pictures, for another program."""
    from g2u.study.running.folder import read_study

    from ..errors import StudyError

    results = read_study(folder)
    if not results.lines:
        raise StudyError(f"The study in {str(folder)!r} has no answer yet.", f"Run it: `g2u study run --out {folder}`.")
    from ..plugins.inspect import export_study as export

    files = export(results, out)
    for file in files:
        typer.echo(str(file))
    say(f"Now look at them: inspect view --log-dir {out}")
