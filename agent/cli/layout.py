"""Tables in a terminal, however narrow: no name and no number is cut, and whatever is left out is named."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .output import NOTHING

_GAP = 2
"""Spaces between two columns."""
LONGEST = 40
"""Of a word that is never broken; longer ones, such as a path, are where there is no other way."""

if TYPE_CHECKING:
    import rich.table


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
        while number > 1 and not _fits(table, [*range(names), *left[:number]], console.width):
            number -= 1
        console.print(_of(table, [*range(names), *left[:number]], console.width))
        left = left[number:]
        if elsewhere or not left:
            break
    if same:
        shared = "; ".join(f"{headings[place].title}: {cells[place][0]}" for place in same)
        console.print(Text(f"In every row the same: {shared}."))
    if left:
        console.print(Text(f"Without room here, {elsewhere}: {'; '.join(headings[place].title for place in left)}."))
    console.print()


def _least(table: Table, place: int) -> int:
    """Characters of a column below which a word or a number would be broken."""
    heading, cells = table.headings[place], [row[place] for row in table.rows]
    parts = [word for cell in cells for word in cell.split()] if heading.words else cells
    least = max(len(part) for part in (*parts, *heading.title.split()))
    return min(least, LONGEST) if heading.words else least


def _fits(table: Table, places: Sequence[int], room: int) -> bool:
    return sum(_least(table, place) for place in places) + _GAP * (len(places) - 1) <= room


def _of(table: Table, places: Sequence[int], room: int) -> rich.table.Table:
    """Some columns of a table; words get what numbers leave."""
    from rich import box
    from rich.table import Table as Shown

    widths = {place: _least(table, place) for place in places}
    left = max(0, room - sum(widths.values()) - _GAP * (len(places) - 1))
    shown = Shown(box=box.SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), show_edge=False, pad_edge=False)
    for place, width in widths.items():
        heading = table.headings[place]
        if heading.words:
            natural = max(len(cell) for cell in (heading.title, *(row[place] for row in table.rows)))
            more = min(left, max(0, natural - width))
            width, left = width + more, left - more
        title = "\n".join(textwrap.wrap(heading.title, width))
        shown.add_column(title, justify="left" if heading.words else "right", width=width, overflow="fold")
    for row in table.rows:
        shown.add_row(*(row[place] for place in places))
    return shown
