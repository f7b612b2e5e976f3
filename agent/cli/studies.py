"""What `g2u study` prints: tables of a study, what is not as it should be, and what one will take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from . import layout
from .output import duration, say

if TYPE_CHECKING:
    from g2u.study.running.forecast import Forecast
    from g2u.study.running.results import Results
    from g2u.study.tables.table import Table


def forecast_json(found: Forecast) -> dict[str, Any]:
    """What a study will take, for programs; of one engine."""
    return asdict(found) | {"left": found.left}


def print_forecast(found: Forecast, actors: int) -> None:
    """Print what a study will take, and on what that was measured.

    Args:
        found: For one engine.
        actors: Engines that will share it.
    """
    measured = found.measured
    table = RichTable("", "left", "measured", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("answers", f"{found.left:,} of {found.answers:,}", f"{measured.answers:,}")
    table.add_row("drawings", f"{found.drawings:,}", f"{measured.drawings:,}")
    table.add_row("written tokens", f"{found.tokens:,}", f"{measured.tokens:,}")
    table.add_row("time", duration(3600 * found.hours), duration(measured.seconds))
    table.add_row("memory, GB", "", f"{found.memory / 1e9:.1f}")
    if found.device_memory is not None:
        table.add_row("memory of the GPU, GB", "", f"{found.device_memory / 1e9:.1f}")
    Console().print(table)
    if measured.items:
        say(f"Measured on one engine here, on all answers of {', '.join(measured.items)}; nothing of it was kept.")
    if measured.failed:
        say(f"{measured.failed} of {measured.answers} measured answers failed: the run would tell why.")
    if actors > 1 and found.left:
        say(f"{actors} actors share the time, so about {duration(3600 * found.hours / actors)}; each takes the memory.")
    if found.left_out:
        say(f"The model cannot be asked: {', '.join(found.left_out)}.")


def told(results: Results) -> dict[str, Any]:
    """What programs are told of a study that ran."""
    from g2u.study.tables import TABLES

    arms = TABLES["arms"](results)
    failed, late = (sum(bool(getattr(line, field)) for line in results.lines) for field in ("error", "unscored"))
    rows = list(arms.rows) if arms else []
    return {"lines": len(results.lines), "failed": failed, "unscored": late, "arms": rows}


def tell(results: Results) -> None:
    """What people are told of it: what is not as it should be, then the tables."""
    from g2u.study.report.summary import notes
    from g2u.study.tables import TABLES

    for note in notes(results):
        say(note)
    if any(line.error for line in results.lines):
        say("Once the reason is mended, the same command with `--again` makes them anew.")
    if late := [line.unscored for line in results.lines if line.unscored]:
        say(f"{len(late)} of {len(results.lines)} answers have no value yet, and are in no share: {late[0]}")
        say("The same command scores them once that is mended; the model is not asked again.")
    shown = (TABLES[name](results) for name in ("arms", "readings", "clusters"))
    print_tables(filter(None, shown), "in `g2u study report`")


SHOWN = ("arms", "readings", "clusters", "costs", "seeds", "alignment", "regret", "gate")
"""Tables of a report that are for a terminal too; the page has them all."""
_FIRST = {
    "arms": ("accuracy", "gain", "p_holm", "fixed", "broken", "failed", "of_gold", "n"),
    "alignment": ("agreement", "none_fit", "entropy", "same_words"),
    "regret": ("regret", "zero", "fixed", "broken"),
    "gate": ("keep", "retry", "discard", "worth", "precision", "recall", "auroc"),
    "models": ("accuracy", "gain", "of_gold", "drawings", "n"),
    "comparison": ("before", "after", "difference", "p_holm", "fixed", "broken"),
}
"""Their columns that come first, where a terminal has no room for all."""


def print_tables(tables: Iterable[Table], elsewhere: str) -> None:
    """Tables with their most important columns first, as many as the terminal has room for."""
    from g2u.study.tables.table import show_cell

    for one in tables:
        if not one.rows:
            typer.echo(f"{one.title}: {one.about}\n")
            continue
        first = [column for key in _FIRST.get(one.name, ()) for column in one.columns if column.key == key]
        names = list(takewhile(lambda column: column.kind == "text", one.columns))
        others = [column for column in one.columns if column not in names and column not in first]
        columns = [*names, *first, *others]
        printed = layout.Table([layout.Heading(column.title, words=column.kind == "text") for column in columns])
        for row in one.rows:
            printed.add(*(show_cell(row, column) for column in columns))
        layout.print_table(one.title, printed, names=len(names), elsewhere=elsewhere.format(table=one.name))
