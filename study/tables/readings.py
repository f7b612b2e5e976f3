"""Readings: the same answers as the likeliest option and as the model wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from ..grid.arms import DIRECT, READINGS, AnswerReading
from ..grid.records import Line
from ..running.results import Results
from .pairing import difference, share
from .table import Column, Table, Value, cells, ranged, sentences

COLUMNS = (
    Column("arm", "arm"),
    Column("reading", "reading", about="Scored: the likeliest option. Written: what was found in the model's words."),
    Column("n", "items", "count"),
    ranged("accuracy", "right, %", "percent", "What the answers are worth, mean over seeds."),
    ranged("gain", "gain", "points", "Over the direct answers in the same lines, read alike."),
    Column("written", "written", "count", about="Answers that the model wrote."),
    Column(
        "not_found",
        "not found",
        "count",
        about="Those of them in which no answer could be found. Worth nothing, unless a scorer looks at all the words.",
    ),
)


def readings(results: Results) -> Table | None:
    """Each arm in each reading; `None` where there is one reading, and an answer was found in all."""
    rows: list[dict[str, Value]] = []
    for arm in results.arms:
        for reading in READINGS:
            if read := _read(results.by_arm[arm.name], reading):
                rows.append(_row(results, arm.name, reading, read))
    both = len({row["reading"] for row in rows}) > 1
    if not both and not any(row["not_found"] for row in rows):
        return None
    about = sentences(
        "A model that compares options always names one of them; one that writes may name none, and then its answer "
        "is worth nothing and is counted: no letter is put in its place.",
        "The other tables rest on the scored reading." if both else "",
    )
    return Table("readings", "Readings of the answers", about, COLUMNS, rows)


def _read(lines: Sequence[Line], reading: AnswerReading) -> list[Line]:
    return [line for line in lines if reading in line.marks and not line.marks[reading].unscored]


def _row(results: Results, arm: str, reading: AnswerReading, lines: Sequence[Line]) -> dict[str, Value]:
    values: dict[str, list[float]] = {}
    pairs: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        value, direct = line.marks[reading].value, line.direct_marks.get(reading)
        values.setdefault(line.item, []).append(value)
        if direct is not None and not direct.unscored:
            pairs.setdefault(line.item, []).append((value, direct.value))
    scores = {item: fmean(found) for item, found in values.items()}
    compared = {item: (fmean(one for one, _ in both), fmean(one for _, one in both)) for item, both in pairs.items()}
    written = [line.marks[reading] for line in lines] if reading == "written" else []
    return {
        "arm": arm,
        "reading": reading,
        "n": len(scores),
        **cells("accuracy", share(results, scores)),
        **cells("gain", difference(results, compared) if arm != DIRECT else None),
        "written": len(written),
        "not_found": sum(mark.found is None for mark in written),
    }
