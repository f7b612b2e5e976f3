"""Plots with two axes: gain against fidelity, calibration and histograms, several small ones side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from markupsafe import Markup

from ..tables.table import Column, Table, show, show_cell
from .charts import Row, bounds, find, number, wilson
from .svg import Axis, Plot

PLOTS = 12
"""Small plots of one chart at most."""
_BINS = 20


@dataclass(frozen=True)
class Panel:
    """One of several small plots side by side."""

    title: str
    drawing: Markup


def scatter(rows: Sequence[Row], across: Column, up: Column, title: str, slope: Row | None = None) -> Panel | None:
    """Dots with intervals around a line: the fitted one of that slope, or none.

    Args:
        rows: A dot each, where both values are known.
        across: The column of one axis.
        up: That of the other.
        title: Of the plot.
        slope: `slope` of a least-squares line, and `intercept` where it is known; else the line goes through the mean
            of the dots, as such a line does.
    """
    dots = [
        (row, x, y)
        for row in rows
        if (x := number(row, across.key)) is not None and (y := number(row, up.key)) is not None
    ]
    if not dots:
        return None
    wide = [end for row, x, _ in dots for end in (x, *(bounds(row, across) or ()))]
    tall = [end for row, _, y in dots for end in (y, *(bounds(row, up) or ()))]
    plot = Plot(
        Axis.over(across.title, across.kind, wide),
        Axis.over(up.title, up.kind, [0.0, *tall]),
        f"{up.title} against {across.title}, {len(dots)} dots",
    )
    plot.line((plot.across.values[0], 0), (plot.across.values[-1], 0), "reference")
    if slope is not None and (steep := number(slope, "slope")) is not None:
        start = number(slope, "intercept")
        if start is None:
            start = fmean(y for _, _, y in dots) - steep * fmean(x for _, x, _ in dots)
        low, high = min(wide), max(wide)
        plot.line((low, start + steep * low), (high, start + steep * high), "fit")
    for row, x, y in dots:
        if interval := bounds(row, up):
            plot.interval(x, *interval)
        if interval := bounds(row, across):
            plot.interval_across(y, *interval)
        plot.dot(x, y, f"{next(iter(row.values()))}: {show_cell(row, across)}, {show_cell(row, up)}")
    return Panel(title, plot.draw())


def calibration(table: Table, across: Column, up: Column) -> list[Panel]:
    """How often what was said with some probability is so: a plot for each arm, with the diagonal."""
    unit = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    panels = []
    for title, rows in _groups(table, find(table, "arm"))[:PLOTS]:
        plot = Plot(Axis(_told(across), "percent", unit), Axis(_told(up), "percent", unit), f"{title}: {_told(up)}")
        plot.line((0, 0), (1, 1), "reference")
        for row in rows:
            x, y, count = number(row, across.key), number(row, up.key), number(row, "n")
            if x is not None and y is not None:
                if interval := bounds(row, up) or (wilson(y * count, count) if count else None):
                    plot.interval(x, *interval)
                plot.dot(x, y, f"{show(x, 'percent')} %: {show_cell(row, up)} %, {show(count, 'count')} cases")
        panels.append(Panel(title, plot.draw()))
    return panels


def histogram(table: Table, *keys: str) -> list[Panel]:
    """How often each size of a value comes, with 95 % Wilson intervals; a plot for each group of rows."""
    value = find(table, *keys)
    if value is None:
        return []
    panels = []
    every = [size for row in table.rows if (size := number(row, value.key)) is not None]
    groups = _groups(table, find(table, "arm", "policy"))
    for title, rows in groups[:PLOTS]:
        sizes = [size for row in rows if (size := number(row, value.key)) is not None]
        if not sizes:
            continue
        across = Axis.over(value.title, value.kind, [0.0, *every])
        low, width = across.values[0], (across.values[-1] - across.values[0]) / _BINS
        counts = [0] * _BINS
        for size in sizes:
            counts[min(_BINS - 1, int((size - low) / width + 1e-9))] += 1
        intervals = [wilson(count, len(sizes)) for count in counts]
        up = Axis.over("share of choices, %", "percent", [0.0, *(high for _, high in intervals)])
        plot = Plot(across, up, f"{title}: {value.title} of {len(sizes)} choices" if title else value.title)
        for place, (count, interval) in enumerate(zip(counts, intervals, strict=True)):
            if count:
                plot.bar(low + place * width, low + (place + 1) * width, count / len(sizes))
                plot.interval(low + (place + 0.5) * width, *interval)
        panels.append(Panel(title, plot.draw()))
    return panels


def _told(column: Column) -> str:
    """What a column says, in its own sentence where that is short."""
    return f"{column.about.rstrip('.')}, %" if 0 < len(column.about) <= 40 else column.title


def _groups(table: Table, column: Column | None) -> list[tuple[str, Sequence[Row]]]:
    if column is None:
        return [("", table.rows)]
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        groups.setdefault(str(row.get(column.key)), []).append(row)
    return list(groups.items())
