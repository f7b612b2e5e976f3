"""Which edits help which task: the sweep of every edit over every item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from g2u.edits.library import Family

from ..running.results import Results
from .choices import first_decision, items_of, sweep
from .pairing import Pairing, Pairs, difference
from .table import Column, Table, Value, cells, ranged, sentences

ALL = "all"
"""Stands for all tasks together."""
_GAIN = ranged("gain", "gain", "points", "Right answers more than direct, points.")


def transfer(results: Results) -> Table | None:
    """Gain of each family of edits on each task; `None` without a sweep."""
    pairing, families = Pairing.of(results), _families(results)
    members: dict[str, list[Pairs]] = {}
    for edit, arm in sweep(results).items():
        if edit in families:
            members.setdefault(families[edit], []).append(pairing.pairs(arm))
    rows: list[dict[str, Value]] = []
    for family, arms in members.items():
        together = _together(arms)
        rows += [{"family": family, "edits": len(arms), **row} for row in _by_task(results, together)]
    columns = (
        Column("family", "family"),
        Column("edits", "edits", "count", about="Edits of the family in the sweep."),
        Column("task", "task"),
        Column("n", "items", "count"),
        _GAIN,
    )
    about = sentences(
        "Every edit was made on every item, whether or not it fits. A cell is the mean gain of the edits of a family, "
        "first within each item; intervals are of a bootstrap over items.",
        pairing.about,
    )
    return Table("transfer", "Families of edits by task", about, columns, rows) if rows else None


def edits(results: Results) -> Table | None:
    """Gain of each edit on each task; `None` without a sweep."""
    pairing, families = Pairing.of(results), _families(results)
    rows: list[dict[str, Value]] = []
    for edit, arm in sweep(results).items():
        head: dict[str, Value] = {"edit": edit, "family": families.get(edit)}
        rows += [head | row for row in _by_task(results, pairing.pairs(arm))]
    columns = (
        Column("edit", "edit"),
        Column("family", "family"),
        Column("task", "task"),
        Column("n", "items", "count"),
        _GAIN,
        Column("p", "p", "probability", about="Exact test, not corrected for the number of cells."),
        Column("fixed", "fixed", "count"),
        Column("broken", "broken", "count"),
    )
    about = sentences("Every edit was made on every item, whether or not it fits.", pairing.about)
    return Table("edits", "Edits by task", about, columns, rows) if rows else None


def _by_task(results: Results, pairs: Pairs) -> list[dict[str, Value]]:
    """The gain over all items and over those of each task, a row each."""
    tasks = {ALL: set(pairs), **items_of(results, "task")}
    rows: list[dict[str, Value]] = []
    for task, ids in tasks.items():
        if gain := difference(results, pairs, ids):
            row: dict[str, Value] = {"task": task, "n": len(pairs.keys() & ids), **cells("gain", gain)}
            rows.append(row | {"p": gain.p, "fixed": gain.fixed, "broken": gain.broken})
    return rows


def _together(arms: Sequence[Pairs]) -> Pairs:
    """Item to the mean score over some arms, and the direct one; items that an arm left out have the others alone."""
    scores: dict[str, list[tuple[float, float]]] = {}
    for pairs in arms:
        for item, pair in pairs.items():
            scores.setdefault(item, []).append(pair)
    return {
        item: (fmean(score for score, _ in found), fmean(direct for _, direct in found))
        for item, found in scores.items()
    }


def _families(results: Results) -> Mapping[str, Family]:
    """Edit to its family, as the study's own decisions say, whatever library is installed now."""
    decided = [first_decision(line) for arm in sweep(results).values() for line in results.by_arm[arm]]
    return {decision.edit: decision.family for decision in decided if decision}
