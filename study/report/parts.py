"""Parts of a study's page: which tables go together, with which chart, and what that chart shows in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..tables.table import Table
from .charts import Forest, HeatMap, find, flips, forest, heat_map
from .plots import Panel, calibration, histogram, scatter


@dataclass(frozen=True)
class Figure:
    """A chart with its sentence; one of the three kinds."""

    caption: str
    forest: Forest | None = None
    heat: HeatMap | None = None
    panels: Sequence[Panel] = ()


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
    for name, (title, source, names, draw) in _PARTS.items():
        figure = draw(tables[source], tables) if source in tables and tables[source].rows else None
        found = [tables[key] for key in names if key in tables]
        if figure is not None or (found and name == "arms"):
            parts.append(Part(name, title, found, figure, headline=name in ("arms", "comparison")))
    taken = [table for part in parts for table in part.tables]
    return parts, [table for table in tables.values() if table not in taken]


def _gains(table: Table, tables: Mapping[str, Table]) -> Figure | None:
    drawn = forest(table, "gain")
    told = (
        "How much more often each arm is right than the direct answer to the same items, in percentage points: "
        "dots are means, whiskers 95 % intervals, and an arm whose whisker crosses the dashed line may gain nothing."
    )
    return Figure(told, forest=drawn) if drawn else None


def _differences(table: Table, tables: Mapping[str, Table]) -> Figure | None:
    drawn = forest(table, "difference")
    told = (
        "How much more often each arm is right in the second study (B) than in the first (A), in percentage points: "
        "dots are means, whiskers 95 % intervals."
    )
    return Figure(told, forest=drawn) if drawn else None


def _flips(table: Table, tables: Mapping[str, Table]) -> Figure | None:
    drawn = flips(table)
    told = (
        "Share of the answers that each arm fixed (wrong before, right after) and broke (right before, wrong after), "
        "with 95 % Wilson intervals."
    )
    return Figure(told, forest=drawn) if drawn else None


def _transfer(table: Table, tables: Mapping[str, Table]) -> Figure | None:
    drawn = heat_map(table)
    told = (
        "Gain of each family of edits on each task, in percentage points with its 95 % interval: blue is gained, "
        "orange is lost, stronger colours are larger, and bold marks intervals without zero."
    )
    return Figure(told, heat=drawn) if drawn else None


def _ladder(table: Table, tables: Mapping[str, Table]) -> Figure | None:
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
    told = (
        "Gain against the fidelity of the thought: a dot for each level of the ladder with its 95 % intervals, and the "
        "line through the levels. First each way to lower fidelity, then all of them by each measure."
    )
    return Figure(told, panels=panels) if panels else None


def _regret(table: Table, tables: Mapping[str, Table]) -> Figure | None:
    panels = histogram(table, "regret")
    told = (
        "How much probability of the right answer the picked edit gave away against the best edit for the same item: "
        "the first bar counts choices as good as the best, or nearly so; whiskers are 95 % Wilson intervals."
    )
    return Figure(told, panels=panels) if panels else None


def _reliability(table: Table, tables: Mapping[str, Table]) -> Figure | None:
    across, up = find(table, "confidence", "probability"), find(table, "good", "accuracy", "right")
    if across is None or up is None:
        return None
    told = (
        "How often what the model says with some probability is so: on the dashed line it knows exactly how sure to "
        "be, below it is too sure; whiskers are 95 % intervals."
    )
    return Figure(told, panels=calibration(table, across, up))


_Draw = Callable[[Table, Mapping[str, Table]], Figure | None]
_PARTS: Final[Mapping[str, tuple[str, str, Sequence[str], _Draw]]] = {
    "comparison": ("What changed", "comparison", ["comparison", "changes"], _differences),
    "arms": ("Arms", "arms", ["arms", "readings", "clusters", "groups"], _gains),
    "flips": ("Fixed and broken", "arms", ["flips"], _flips),
    "transfer": ("Which family helps which task", "transfer", ["transfer", "edits"], _transfer),
    "ladder": ("Fidelity and gain", "ladder", ["ladder", "ladder_fit", "fidelity"], _ladder),
    "regret": ("Regret", "regret_items", ["regret", "regret_items"], _regret),
    "reliability": ("Calibration", "reliability", ["reliability", "gate"], _reliability),
}
"""Section to its title, the table that its chart is drawn from, its tables and its chart."""
