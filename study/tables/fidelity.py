"""How near the drawings of each arm come to the true results, and whether nearer ones help more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..grid.arms import Arm
from ..grid.records import Line
from ..running.results import Results
from ..statistics import Fit, fit_line, mean
from .choices import MEASURES, shown_drawing
from .pairing import Pairing
from .table import Column, Table, Value, cells, ranged, sentences

RESAMPLES = 2000
"""Of bootstraps of measures and lines, which have no test to decide and many values to draw from."""


def fidelity(results: Results) -> Table | None:
    """Each arm with drawings whose fidelity is known; `None` where there is none."""
    pairing = Pairing.of(results)
    rows: list[dict[str, Value]] = []
    seen: set[str] = set()
    for arm in results.arms:
        drawn = drawings(results, arm)
        if not drawn:
            continue
        items = {line.item for line, _ in drawn}
        row: dict[str, Value] = {"arm": arm.name, "n": len(drawn), "items": len(items)}
        for measure in MEASURES:
            known = [(near[measure], line.item) for line, near in drawn if measure in near]
            found = mean(
                [value for value, _ in known], [results.cluster(item) for _, item in known], resamples=RESAMPLES
            )
            row |= cells(measure, found)
        known_here = [measure for measure in MEASURES if row[measure] is not None]
        seen.update(known_here)
        row |= cells("gain", pairing.gain(arm.name, items))
        fit = fit_answers(gains_by_drawing(pairing, arm, known_here[0]))
        row |= {"measure": known_here[0], **cells("slope", fit.slope if fit else None)}
        rows.append(row | cells("r2", fit.r2 if fit else None))
    columns = [
        Column("arm", "arm"),
        Column("n", "drawings", "count", about="One an answer: the last one kept, or the last one where none was."),
        Column("items", "items", "count"),
        *(measure_column(measure) for measure in MEASURES if measure in seen),
        ranged("gain", "gain", "points", "Over direct, on these items."),
        Column("measure", "measure", about="That the line is over."),
        ranged("slope", "slope", "number", "Right answers more than direct, of 1, for each unit of the measure."),
        ranged("r2", "R²", "number", "Share of the variance of gains that the measure explains, answer by answer."),
    ]
    about = sentences(
        "Fidelity of the drawing that the reader saw, or would have seen: the last one kept, or the last one drawn. "
        "The line is through the answers of an arm, gain against fidelity. Intervals are of a bootstrap over items.",
        pairing.about,
    )
    return Table("fidelity", "Fidelity", about, columns, rows) if rows else None


def drawings(results: Results, arm: Arm) -> list[tuple[Line, Mapping[str, float]]]:
    """The lines of an arm with the measures of the drawing that they come down to, where those are known."""
    shown = [(line, shown_drawing(line)) for line in results.by_arm[arm.name] if not line.error]
    found = [(line, line.fidelity.get(turn.number, {})) for line, turn in shown if turn]
    return [(line, near) for line, near in found if any(measure in near for measure in MEASURES)]


def gains_by_drawing(pairing: Pairing, arm: Arm, measure: str) -> list[tuple[float, float, str]]:
    """Fidelity of each drawing, gain of its answer over the direct one, and the item."""
    direct = {item: score for item, (_, score) in pairing.pairs(arm.name).items()}
    return [
        (near[measure], line.score - direct[line.item], line.item)
        for line, near in drawings(pairing.results, arm)
        if measure in near and line.item in direct and not line.unscored
    ]


def fit_answers(points: Sequence[tuple[float, float, str]]) -> Fit | None:
    """The line through some of `gains_by_drawing`; items are its clusters."""
    x, y, items = ([point[side] for point in points] for side in range(3))
    return fit_line(x, y, items, resamples=RESAMPLES)


def measure_column(measure: str) -> Column:
    """The column of a measure of fidelity, with its interval."""
    return ranged(measure, MEASURES[measure], "number", "Mean over the drawings.")
