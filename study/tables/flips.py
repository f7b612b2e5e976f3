"""Flips: the items that an arm fixed and those that it broke."""

from __future__ import annotations

from ..grid.arms import DIRECT, Arm
from ..grid.records import Line
from ..running.results import Results
from .pairing import Pairing
from .table import Column, Table, Value

_NOTHING = 1e-9


def flips(results: Results) -> Table | None:
    """Every item whose score is not that of the direct answer, a row for each arm; `None` where nothing flipped."""
    pairing = Pairing.of(results)
    rows: list[dict[str, Value]] = []
    for arm in results.arms:
        pairs = pairing.pairs(arm.name) if arm.name != DIRECT else {}
        rows += [_row(results, arm, item, *pair) for item, pair in pairs.items() if abs(pair[0] - pair[1]) > _NOTHING]
    columns = (
        Column("arm", "arm"),
        Column("item", "item"),
        Column("change", "change", about="Fixed: its score is higher than the direct one; broken: lower."),
        Column("direct", "direct, %", "percent", about="Share of right direct answers."),
        Column("score", "right, %", "percent", about="Share of right answers over the seeds."),
        Column("seed", "seed", "count", about="The first one that shows the change."),
        Column("edits", "edits", about="Made with that seed, one a round."),
        Column("said", "answer", about="With that seed; nothing for a failure."),
        Column("answer", "right answer"),
    )
    about = f"Items that imagining fixed or broke. {pairing.about}"
    return Table("flips", "Fixed and broken", about, columns, rows) if rows else None


def _row(results: Results, arm: Arm, item: str, score: float, direct: float) -> dict[str, Value]:
    fixed = score > direct
    line = _line(results, arm, item, direct, fixed)
    return {
        "arm": arm.name,
        "item": item,
        "change": "fixed" if fixed else "broken",
        "direct": direct,
        "score": score,
        "seed": line.seed,
        "edits": " > ".join(turn.decision.edit for turn in line.rounds) or None,
        "said": line.answer.text if line.answer else None,
        "answer": results.items[item].answer,
    }


def _line(results: Results, arm: Arm, item: str, direct: float, fixed: bool) -> Line:
    """The first line of an item that changed as the mean over the seeds did; there is one, or that would not differ."""
    lines = [line for line in results.by_arm[arm.name] if line.item == item and not line.unscored]
    changed = [line for line in lines if (line.score > direct if fixed else line.score < direct)]
    return next(iter(changed), lines[0])
