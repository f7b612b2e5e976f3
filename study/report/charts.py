"""Charts of a study's tables: each takes a table and gives a drawing, or nothing where the table cannot be drawn.

Columns are found by their name, or by their kind where a table calls them otherwise; a table without them is shown as
a table alone. Every chart draws the 95 % intervals that its table has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..tables.table import Column, Kind, Table, Value, show, show_cell
from .svg import Axis

Row = Mapping[str, Value]


@dataclass(frozen=True)
class Mark:
    """A row of a forest plot; places are percentages of its width."""

    name: str
    value: float
    low: float
    high: float
    text: str
    kind: str
    """CSS class: `more`, `less`, or `level` where the interval holds zero; `fixed` and `broken` are bars from zero."""


@dataclass(frozen=True)
class Forest:
    """Values with intervals, one below the other on one axis."""

    name: str
    """What its rows are."""
    title: str
    """What its marks are."""
    marks: Sequence[Mark]
    zero: float
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Cell:
    """One cell of a heat map."""

    middle: str
    interval: str
    strength: float
    """Of its colour, in [0, 1]."""
    kind: str


@dataclass(frozen=True)
class HeatMap:
    """Gains by two names."""

    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]


def find(table: Table, *keys: str, kinds: Sequence[Kind] = (), but: Column | None = None) -> Column | None:
    """The first column of one of these names, or else of one of these kinds."""
    for key in keys:
        if found := next((column for column in table.columns if column.key == key and column != but), None):
            return found
    return next((column for column in table.columns if column.kind in kinds and column != but), None)


def number(row: Row, key: str) -> float | None:
    """A finite number of a row, or `None`."""
    value = row.get(key) if key else None
    if value is None or isinstance(value, str) or not math.isfinite(value):
        return None
    return float(value)


def bounds(row: Row, column: Column) -> tuple[float, float] | None:
    """The 95 % interval of a cell, where there is one."""
    low, high = number(row, column.low), number(row, column.high)
    return None if low is None or high is None else (low, high)


def forest(table: Table, *keys: str) -> Forest | None:
    """A mark for each row of the table: its name, its gain and the interval of that gain."""
    name, value = find(table, "name", "arm", kinds=["text"]), find(table, *keys, kinds=["points"])
    if name is None or value is None:
        return None
    found = [
        (str(row.get(name.key)), middle, bounds(row, value), show_cell(row, value), "")
        for row in table.rows
        if (middle := number(row, value.key)) is not None
    ]
    return _forest(name.title, value.title, value.kind, found)


def flips(table: Table) -> Forest | None:
    """Two bars for each row of the table: the share of its items that was fixed, and the share that was broken."""
    name, total = find(table, "arm", "name", kinds=["text"]), find(table, "items", "n", "pairs", "total")
    if name is None or total is None:
        return None
    found = []
    for row in table.rows:
        for kind in ("fixed", "broken"):
            count, items = number(row, kind), number(row, total.key)
            if count is not None and items:
                title, told = f"{row.get(name.key)}: {kind}", f"{count:g} of {items:g}"
                found.append((title, count / items, wilson(count, items), told, kind))
    return _forest(name.title, "Share of items, %", "percent", found)


def heat_map(table: Table) -> HeatMap | None:
    """Gains by family and task: a cell for each pair, coloured by the gain."""
    texts = [column for column in table.columns if column.kind == "text"]
    value = find(table, "gain", kinds=["points"])
    if len(texts) < 2 or value is None or not table.rows:
        return None
    down = find(table, "family", "edit") or texts[0]
    across = find(table, "task", but=down) or next(column for column in texts if column != down)
    columns = list(dict.fromkeys(str(row.get(across.key)) for row in table.rows))
    gains = [abs(gain) for row in table.rows if (gain := number(row, value.key)) is not None]
    most = max(gains, default=0.0) or 1.0
    rows: dict[str, list[Cell | None]] = {}
    for row in table.rows:
        cells = rows.setdefault(str(row.get(down.key)), [None] * len(columns))
        if (gain := number(row, value.key)) is not None:
            interval = bounds(row, value)
            told = f"{show(interval[0], value.kind)} to {show(interval[1], value.kind)}" if interval else ""
            kind = _sign(gain, interval)
            cells[columns.index(str(row.get(across.key)))] = Cell(
                show(gain, value.kind), told, abs(gain) / most, f"{kind} {'rise' if gain > 0 else 'fall'}"
            )
    return HeatMap(f"{down.title} \\ {across.title}", columns, list(rows.items()))


def wilson(count: float, total: float) -> tuple[float, float]:
    """The 95 % Wilson interval of a share."""
    z = 1.959964
    share, weight = count / total, z * z / total
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def _forest(
    name: str, title: str, kind: Kind, found: Sequence[tuple[str, float, tuple[float, float] | None, str, str]]
) -> Forest | None:
    """A forest plot of names, values, intervals, texts and CSS classes (empty: by the sign)."""
    if not found:
        return None
    ends = [end for _, middle, interval, *_ in found for end in (middle, *(interval or ()))]
    axis = Axis.over(title, kind, [0.0, *ends])
    marks = []
    for row, middle, interval, text, look in found:
        low, high = interval or (middle, middle)
        value, start, end = (100 * axis.share(place) for place in (middle, low, high))
        marks.append(Mark(row, value, start, end, text, look or _sign(middle, interval)))
    ticks = [(100 * axis.share(tick), axis.label(tick)) for tick in axis.values]
    return Forest(name, title, marks, 100 * axis.share(0.0), ticks)


def _sign(value: float, interval: tuple[float, float] | None) -> str:
    low, high = interval or (value, value)
    return "more" if low > 0 else "less" if high < 0 else "level"
