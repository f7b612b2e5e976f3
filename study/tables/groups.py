"""Every arm on every kind of item."""

from __future__ import annotations

from ..grid.arms import DIRECT
from ..running.results import Results
from .choices import group_names, items_of
from .pairing import Pairing, difference, share
from .table import Column, Table, Value, cells, ranged, sentences

COLUMNS = (
    Column("arm", "arm"),
    Column("group", "group"),
    Column("value", "value"),
    Column("n", "items", "count"),
    ranged("accuracy", "right, %", "percent"),
    ranged("gain", "gain", "points", "Over direct, on the items of both."),
)


def groups(results: Results) -> Table | None:
    """Accuracy and gain of each arm on each value of each group; `None` where nothing tells items apart."""
    pairing = Pairing.of(results)
    parts = [(name, value, ids) for name in group_names(results) for value, ids in items_of(results, name).items()]
    rows: list[dict[str, Value]] = []
    for arm in results.arms:
        scores, pairs = results.scores(arm.name), pairing.pairs(arm.name)
        for name, value, ids in parts:
            own = {item: score for item, score in scores.items() if item in ids}
            if own:
                gain = difference(results, pairs, ids) if arm.name != DIRECT else None
                row: dict[str, Value] = {"arm": arm.name, "group": name, "value": value, "n": len(own)}
                rows.append(row | cells("accuracy", share(results, own)) | cells("gain", gain))
    if not rows:
        return None
    about = sentences(
        "Each arm on each kind of item, with 95 % intervals as in the table of arms.",
        pairing.about,
        "Intervals are not corrected for the number of kinds: one in twenty misses by chance.",
    )
    return Table("groups", "Kinds of items", about, COLUMNS, rows)
