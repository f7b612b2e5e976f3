"""A table of results: rows of plain values, and how to show them; the same for a terminal, a page, CSV and Parquet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..statistics import Difference, Estimate

Value = str | int | float | bool | None
"""Of a cell; `None` where there is nothing to say. Shares and gains are of 1, never of 100."""
Kind = Literal["text", "count", "percent", "points", "number", "probability", "seconds"]
"""How a value is shown: `percent` 0.873 as 87.3, `points` 0.041 as +4.1, `probability` 0.0004 as <0.001."""


@dataclass(frozen=True)
class Column:
    """One column."""

    key: str
    """Of the rows."""
    title: str
    kind: Kind = "text"
    low: str = ""
    """Keys of the bounds of its 95 % interval in the rows; empty for none."""
    high: str = ""
    about: str = ""
    """What it means, in a sentence."""


@dataclass(frozen=True)
class Table:
    """A table with its name and meaning."""

    name: str
    """Of its files: `arms` is written to `arms.csv` and `arms.parquet`."""
    title: str
    about: str
    """What it says and how it was computed, for a reader of the page; what was left out is counted here."""
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Value]] = field(default_factory=list)


def show(value: Value, kind: Kind) -> str:
    """A value in the words of a page or a terminal."""
    if value is None:
        return "-"
    return _SHOWN[kind](value) if kind != "text" else str(value)


def show_cell(row: Mapping[str, Value], column: Column) -> str:
    """A cell with its interval, such as `87.3 [85.1, 89.2]`."""
    middle = show(row.get(column.key), column.kind)
    if not column.low or row.get(column.low) is None or middle == "-":
        return middle
    return f"{middle} [{show(row[column.low], column.kind)}, {show(row[column.high], column.kind)}]"


def cells(key: str, found: Estimate | Difference | None) -> dict[str, Value]:
    """A number and its bounds, under `key`, `key_low` and `key_high`; all `None` where there is no number."""
    if found is None:
        return {key: None, f"{key}_low": None, f"{key}_high": None}
    return {key: found.value, f"{key}_low": found.low, f"{key}_high": found.high}


def ranged(key: str, title: str, kind: Kind, about: str = "") -> Column:
    """The column of such cells."""
    return Column(key, title, kind, f"{key}_low", f"{key}_high", about)


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 item`, `3 items`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def sentences(*parts: str) -> str:
    """Join what there is to say."""
    return " ".join(part for part in parts if part)


def _probability(value: Value) -> str:
    return "<0.001" if float(value or 0) < 0.001 else f"{float(value or 0):.3f}"


_SHOWN: Mapping[Kind, Callable[[Value], str]] = {
    "count": lambda value: f"{int(value or 0):,}",
    "percent": lambda value: f"{100 * float(value or 0):.1f}",
    "points": lambda value: f"{100 * float(value or 0):+.1f}",
    "number": lambda value: f"{float(value or 0):.3g}",
    "probability": _probability,
    "seconds": lambda value: f"{float(value or 0):.2f}",
}
