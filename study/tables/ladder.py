"""The ladder: the same edits at several levels of fidelity, and the gain that goes with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from ..grid.arms import Arm
from ..running.results import Results
from ..statistics import Fit, fit_levels, mean, monotone
from .choices import MEASURES, MODEL, twin
from .fidelity import RESAMPLES, drawings, fit_answers, gains_by_drawing, measure_column
from .pairing import Pairing
from .table import Column, Table, Value, cells, counted, ranged, sentences

SET = "ladder"
"""Arms of this set are levels, and so is the arm whose thoughts they spoil."""
MAIN = ("psnr", "followed")
"""Measures that levels are ordered by: the first one that is known."""


@dataclass(frozen=True)
class Level:
    """An arm of the ladder: fidelity and gain of every drawing."""

    arm: Arm
    points: Sequence[tuple[float, float, str]]
    """Fidelity, gain and item."""

    @property
    def way(self) -> str:
        """How fidelity was lowered: the drawer without its amount; `model` where it was not."""
        return "steps" if self.arm.steps is not None else self.arm.drawer.partition(":")[0]

    @cached_property
    def by_item(self) -> Mapping[str, tuple[float, float]]:
        """Item to mean fidelity and gain over the seeds."""
        found: dict[str, list[tuple[float, float]]] = {}
        for near, gain, item in self.points:
            found.setdefault(item, []).append((near, gain))
        return {item: (fmean(x for x, _ in rows), fmean(y for _, y in rows)) for item, rows in found.items()}


def ladder(results: Results) -> Table | None:
    """The levels in the order of their mean fidelity; `None` without drawings of arms of the set `ladder`."""
    pairing = Pairing.of(results)
    measure, levels = _levels(pairing)
    if not levels:
        return None
    rows: list[dict[str, Value]] = []
    for level in levels:
        items = set(level.by_item)
        row: dict[str, Value] = {"arm": level.arm.name, "about": level.arm.about or None, "way": level.way}
        row["items"] = len(items)
        for name in MEASURES:
            known = [(near[name], line.item) for line, near in drawings(results, level.arm) if name in near]
            found = mean(
                [value for value, _ in known], [results.cluster(item) for _, item in known], resamples=RESAMPLES
            )
            row |= cells(name, found)
        rows.append(row | cells("gain", pairing.gain(level.arm.name, items)))
    columns = [
        Column("arm", "level"),
        Column("about", "what it is"),
        Column("way", "lowered by"),
        Column("items", "items", "count"),
        *(measure_column(name) for name in MEASURES if any(row[name] is not None for row in rows)),
        ranged("gain", "gain", "points", "Over direct, on the items with a drawing."),
    ]
    unit = MEASURES[measure].partition(",")[0]
    fit, common = fit_of_levels(levels)
    told = f"Over {unit}, the line through the levels has a slope of {_shown(fit)}." if fit else ""
    about = sentences(
        f"The same edits drawn better and better, ordered by {unit}. Items without a drawing, such as those that need "
        "none, are left out.",
        told,
        *(f"By {way}: {_monotone(own, common)}" for way, own in ways_of(levels).items()),
        f"All ways together: {_monotone(levels, common)}" if len(ways_of(levels)) > 1 else "",
        pairing.about,
    )
    return Table("ladder", "Fidelity ladder", about, columns, rows)


def ladder_fit(results: Results) -> Table | None:
    """Lines through the ladder, by levels and by answers, for each measure; `None` where there is none to draw."""
    pairing = Pairing.of(results)
    rows: list[dict[str, Value]] = []
    for measure in MEASURES:
        _, levels = _levels(pairing, measure)
        points = [point for level in levels for point in level.points]
        by_way = [(f"levels of {way}", fit_of_levels(own)[0]) for way, own in ways_of(levels).items()]
        for through, fit in (*by_way, ("levels", fit_of_levels(levels)[0]), ("answers", fit_answers(points))):
            if fit:
                row: dict[str, Value] = {"measure": measure, "through": through, "n": fit.n, "items": fit.slope.n}
                rows.append(row | cells("slope", fit.slope) | cells("r2", fit.r2))
    columns = (
        Column("measure", "measure"),
        Column("through", "through", about="Means of levels, all or of one way, or every answer of every level."),
        Column("n", "points", "count"),
        Column("items", "items", "count"),
        ranged("slope", "slope", "number", "Right answers more than direct, of 1, for each unit of the measure."),
        ranged("r2", "R²", "number", "Share of the variance of gains that the measure explains."),
    )
    about = (
        "Least-squares lines of gain over fidelity. Those through levels take the items that all levels have; few "
        "levels make for a high R². Those through answers have the right or wrong of single items as noise. Intervals "
        "are of a bootstrap over items; that of R² is above zero even without a relation, which the slope tells."
    )
    return Table("ladder_fit", "Gain by fidelity", about, columns, rows) if rows else None


def ways_of(levels: Sequence[Level]) -> dict[str, list[Level]]:
    """The levels of each way to lower fidelity, in their order, with those that are not lowered in every way.

    A decibel lost to noise does other harm than one lost to blur, so that levels of several ways need not be in one
    order even where each way has its own.
    """
    ways = [way for way in dict.fromkeys(level.way for level in levels) if way != MODEL]
    return {way: [level for level in levels if level.way in (way, MODEL)] for way in sorted(ways)}


def fit_of_levels(levels: Sequence[Level]) -> tuple[Fit | None, list[str]]:
    """The line through the means of levels, over the items that all of them have, and these items."""
    rows = [level.by_item for level in levels]
    common = [item for item in rows[0] if all(item in row for row in rows)] if rows else []
    if not common:
        return None, []
    x, y = ([[row[item][side] for row in rows] for item in common] for side in (0, 1))
    return fit_levels(x, y), common


def _levels(pairing: Pairing, measure: str = "") -> tuple[str, list[Level]]:
    """The measure, and levels with drawings of which it is known, the least faithful first."""
    arms = _arms(pairing.results)
    for name in [measure] if measure else MAIN:
        found = [Level(arm, points) for arm in arms if (points := gains_by_drawing(pairing, arm, name))]
        if found:
            return name, sorted(found, key=lambda level: fmean(near for near, _, _ in level.points))
    return measure, []


def _arms(results: Results) -> list[Arm]:
    """Arms of the set, and those that they are the spoilt ones of, which another set may have brought."""
    spoilt = [arm for arm in results.arms if arm.set == SET]
    if any(arm.drawer == MODEL for arm in spoilt):
        return spoilt
    whole = [twin(results, arm, drawer=MODEL) for arm in spoilt]
    return [arm for arm in results.arms if arm in spoilt or arm in whole]


def _monotone(levels: Sequence[Level], common: Sequence[str]) -> str:
    if len(levels) < 2 or not common:
        return ""
    found = monotone([[level.by_item[item][1] for level in levels] for item in common])
    where = f"over the {counted(len(common), 'item')} of all levels"
    if found.holds:
        return f"gains rise from level to level within their intervals ({where})."
    return f"gains do not rise throughout, a later level is up to {100 * found.fall:.1f} points lower ({where})."


def _shown(fit: Fit) -> str:
    slope, r2 = fit.slope, fit.r2
    return (
        f"{100 * slope.value:.2f} [{100 * slope.low:.2f}, {100 * slope.high:.2f}] points a unit and an R² of "
        f"{r2.value:.2f} [{r2.low:.2f}, {r2.high:.2f}]"
    )
