"""Tables in a terminal, however narrow: no name and no number is cut, and whatever is left out is named."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .output import NOTHING

_ANY = 10_000
"""Wider than any table, in characters."""
LONGEST = 40
"""Of a word that is never broken; longer ones, such as a path, are where there is no other way."""

if TYPE_CHECKING:
    import rich.table
    from rich.console import Console


@dataclass(frozen=True)
class Heading:
    """Of a column."""

    title: str
    words: bool = False
    """Whether it holds words, which may be wrapped between them; numbers never are."""


@dataclass(frozen=True)
class Table:
    """What is printed."""

    headings: Sequence[Heading]
    """Of the columns, the most important ones first."""
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """One more row."""
        self.rows.append(cells)

    def markdown(self) -> str:
        """All of it, as Markdown."""
        marks = ["---" if heading.words else "--:" for heading in self.headings]
        lines = [[heading.title for heading in self.headings], marks, *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def print_table(title: str, table: Table, *, names: int = 1, elsewhere: str = "") -> None:
    """Print a table that fits the terminal.

    Columns without a value are not shown, and what is the same in every row is said once, below. Where the others have
    no room, the last ones are left out and named; or, where they are nowhere else, they follow in a table of their own.

    Args:
        title: Above it.
        table: Printed below.
        names: How many columns say what a row is; they are in every part.
        elsewhere: Where columns are that have no room, such as "in arms.csv"; empty: show them below.
    """
    from rich.console import Console
    from rich.text import Text

    console, headings, rows = Console(), table.headings, table.rows
    cells = {place: [row[place] for row in rows] for place in range(names, len(headings))}
    told = [place for place, found in cells.items() if any(cell != NOTHING for cell in found)]
    same = [place for place in told if len(rows) > 1 and len(set(cells[place])) == 1]
    left = [place for place in told if place not in same]
    console.print(Text(title, "bold"))
    while True:
        number = len(left)
        while number > 1 and not _fits(console, _of(table, [*range(names), *left[:number]])):
            number -= 1
        console.print(_of(table, [*range(names), *left[:number]]))
        left = left[number:]
        if elsewhere or not left:
            break
    if same:
        shared = "; ".join(f"{headings[place].title}: {cells[place][0]}" for place in same)
        console.print(Text(f"In every row the same: {shared}."))
    if left:
        console.print(Text(f"Without room here, {elsewhere}: {'; '.join(headings[place].title for place in left)}."))
    console.print()


def _fits(console: Console, table: rich.table.Table) -> bool:
    wanted = console.measure(table, options=console.options.update(max_width=_ANY)).minimum
    return wanted <= console.width


def _of(table: Table, places: Sequence[int]) -> rich.table.Table:
    """Some columns of a table, none narrower than what must not be broken."""
    from rich import box
    from rich.table import Table as Shown

    shown = Shown(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    for place in places:
        heading = table.headings[place]
        cells = [row[place] for row in table.rows]
        parts = [word for cell in cells for word in cell.split()] if heading.words else cells
        least = max(len(part) for part in (*parts, *heading.title.split()))
        shown.add_column(
            heading.title if heading.words else "\n".join(textwrap.wrap(heading.title, least)),
            justify="left" if heading.words else "right",
            min_width=min(least, LONGEST) if heading.words else least,
            overflow="fold",
        )
    for row in table.rows:
        shown.add_row(*(row[place] for place in places))
    return shown
