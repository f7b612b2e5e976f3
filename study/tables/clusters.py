"""Clusters: items that belong together, such as circular copies of a question, scored as one."""

from __future__ import annotations

from collections.abc import Mapping

from ..grid.arms import DIRECT
from ..running.results import Results
from ..statistics import paired_difference, proportion
from .pairing import Pairing
from .table import Column, Table, Value, cells, ranged

COLUMNS = (
    Column("arm", "arm"),
    Column("n", "clusters", "count"),
    Column("items", "items", "count"),
    ranged("all_right", "all right, %", "percent", "Share of clusters whose every item is right with every seed."),
    ranged("gain", "gain", "points", "Over direct, on the clusters of both, points."),
    Column("p", "p", "probability", about="Exact test of the gain over clusters."),
)


def clusters(results: Results) -> Table | None:
    """Each arm, a cluster counting as right when all of its items are; `None` where items belong to none."""
    if not results.clustered:
        return None
    pairing = Pairing.of(results)
    rows: list[dict[str, Value]] = []
    for arm in results.arms:
        scores = results.scores(arm.name)
        own = _all_right(results, scores)
        pairs = pairing.pairs(arm.name) if arm.name != DIRECT else {}
        after, before = (_all_right(results, {item: pair[place] for item, pair in pairs.items()}) for place in (0, 1))
        gain = paired_difference(list(after.values()), list(before.values()))
        rows.append(
            {
                "arm": arm.name,
                "n": len(own),
                "items": len(scores),
                **cells("all_right", proportion(list(own.values()))),
                **cells("gain", gain),
                "p": gain.p if gain else None,
            }
        )
    about = "Items that belong together are one, right when all of them are. All tables resample them as one."
    return Table("clusters", "Clusters of items", about, COLUMNS, rows)


def _all_right(results: Results, scores: Mapping[str, float]) -> dict[str, float]:
    """Cluster to whether all of its items are right; a cluster of which one has no score is absent."""
    found: dict[str, list[float]] = {}
    for item in results.items.values():
        if not item.paraphrase_of:
            found.setdefault(results.cluster(item.id), []).append(scores.get(item.id, -1.0))
    return {name: float(min(values) >= 1.0) for name, values in found.items() if min(values) >= 0}
