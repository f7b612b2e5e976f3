"""Parts of a study's page: which tables go together, with which chart, and what that chart shows in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ..tables.table import Table
from .charts import Forest, HeatMap, find, flips, forest, heat_map
from .plots import Panel, calibration, histogram, scatter

Chart = Literal["forest_plot", "heat_table", "panel_grid"]
"""The macro of the page that draws it."""


@dataclass(frozen=True)
class Figure:
    """A chart with its sentence."""

    caption: str
    chart: Chart
    drawn: Forest | HeatMap | Sequence[Panel]


@dataclass(frozen=True)
class Part:
    """A section of the page."""

    name: str
    """Of its address, `#name`."""
    title: str
    tables: Sequence[Table]
    """The first one is what the chart was drawn from."""
    figure: Figure | None = None
    headline: bool = False
    """Whether its first table is open."""


def parts_of(tables: Mapping[str, Table]) -> tuple[list[Part], list[Table]]:
    """The sections with charts, in the order of the page, and the tables that belong to none of them.

    A table whose columns cannot be drawn, or that has no rows, goes to the second list.
    """
    parts = []
    for plan in _PLANS:
        source = tables.get(plan.source)
        drawn = plan.draw(source, tables) if source and source.rows else None
        figure = Figure(plan.caption, plan.chart, drawn) if drawn else None
        found = [tables[key] for key in plan.tables if key in tables]
        if figure or (found and plan.always):
            parts.append(Part(plan.name, plan.title, found, figure, plan.headline))
    taken = [table for part in parts for table in part.tables]
    return parts, [table for table in tables.values() if table not in taken]


def _ladder(table: Table, tables: Mapping[str, Table]) -> list[Panel]:
    up = find(table, "gain", kinds=["points"])
    lines = tables["ladder_fit"].rows if "ladder_fit" in tables else []
    measures = [column for column in table.columns if column.kind == "number" and column.low and up]
    ways = sorted({str(row["way"]) for row in table.rows if row.get("way")} - {"model"})
    wanted = [(across, way) for across in measures[:1] for way in ways if len(ways) > 1]
    panels = []
    for across, way in [*wanted, *((across, "") for across in measures)]:
        rows = [row for row in table.rows if not way or row.get("way") in (way, "model")]
        through = (f"levels of {way}",) if way else (None, "levels")
        fits = [row for row in lines if row.get("measure") == across.key and row.get("through") in through]
        title = f"{across.title}, lowered by {way}" if way else across.title
        if up and (panel := scatter(rows, across, up, title, fits[0] if fits else None)):
            panels.append(panel)
    return panels


def _reliability(table: Table, tables: Mapping[str, Table]) -> list[Panel]:
    across, up = find(table, "confidence", "probability"), find(table, "good", "accuracy", "right")
    return calibration(table, across, up) if across and up else []


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """A section, before it is known whether its tables are there and can be drawn."""

    name: str
    title: str
    source: str
    """Name of the table that its chart is drawn from."""
    tables: Sequence[str]
    chart: Chart
    draw: Callable[[Table, Mapping[str, Table]], Forest | HeatMap | Sequence[Panel] | None]
    """From the source and all tables; nothing where the source cannot be drawn."""
    caption: str
    headline: bool = False
    always: bool = False
    """Whether it is there without its chart."""


_PLANS: Final = [
    _Plan(
        name="models",
        title="Models",
        source="models",
        tables=["models"],
        chart="forest_plot",
        draw=lambda table, _: forest(table, "gain"),
        caption="How much more often each model is right in each arm than in its own direct answers to the same items, "
        "in percentage points: dots are means, whiskers 95 % intervals.",
        headline=True,
    ),
    _Plan(
        name="comparison",
        title="What changed",
        source="comparison",
        tables=["comparison", "changes"],
        chart="forest_plot",
        draw=lambda table, _: forest(table, "difference"),
        caption="How much more often each arm is right in the second folder (B) than in the first (A), in percentage "
        "points: dots are means, whiskers 95 % intervals.",
        headline=True,
    ),
    _Plan(
        name="arms",
        title="Arms",
        source="arms",
        tables=["arms", "readings", "clusters", "replay", "groups"],
        chart="forest_plot",
        draw=lambda table, _: forest(table, "gain"),
        caption="How much more often each arm is right than the direct answer to the same items, in percentage points: "
        "dots are means, whiskers 95 % intervals, and an arm whose whisker crosses the dashed line may gain nothing.",
        headline=True,
        always=True,
    ),
    _Plan(
        name="flips",
        title="Fixed and broken",
        source="arms",
        tables=["flips"],
        chart="forest_plot",
        draw=lambda table, _: flips(table),
        caption="Share of the answers that each arm fixed (wrong before, right after) and broke (right before, wrong "
        "after), with 95 % Wilson intervals.",
    ),
    _Plan(
        name="transfer",
        title="Which family helps which task",
        source="transfer",
        tables=["transfer", "edits"],
        chart="heat_table",
        draw=lambda table, _: heat_map(table),
        caption="Gain of each family of edits on each task, in percentage points with its 95 % interval: blue is "
        "gained, orange is lost, stronger colours are larger, and bold marks intervals without zero.",
    ),
    _Plan(
        name="ladder",
        title="Fidelity and gain",
        source="ladder",
        tables=["ladder", "ladder_fit", "fidelity"],
        chart="panel_grid",
        draw=_ladder,
        caption="Gain against the fidelity of the thought: a dot for each level of the ladder with its 95 % intervals, "
        "and the line through the levels. First each way to lower fidelity, then all of them by each measure.",
    ),
    _Plan(
        name="regret",
        title="Regret",
        source="regret_items",
        tables=["regret", "regret_items"],
        chart="panel_grid",
        draw=lambda table, _: histogram(table, "regret"),
        caption="How much probability of the right answer the picked edit gave away against the best edit for the same "
        "item: the first bar counts choices as good as the best, or nearly so; whiskers are 95 % Wilson intervals.",
    ),
    _Plan(
        name="reliability",
        title="Calibration",
        source="reliability",
        tables=["reliability", "gate"],
        chart="panel_grid",
        draw=_reliability,
        caption="How often what the model says with some probability is so: on the dashed line it knows exactly how "
        "sure to be, below it is too sure; whiskers are 95 % intervals.",
    ),
]
"""The sections, in the order of the page."""
