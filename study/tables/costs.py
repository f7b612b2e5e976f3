"""What an answer of each arm cost the model: drawings, tokens and seconds of its work."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from g2u.engine.costs import Cost

from ..grid.arms import DIRECT
from ..running.results import Results
from .table import Column, Table, Value, sentences

COLUMNS = (
    Column("arm", "arm"),
    Column("n", "answers", "count", about="Answers that were had; failures are not among them."),
    Column(
        "drawings",
        "drawings",
        "number",
        about="That the model drew, per answer; what is made without it is not counted.",
    ),
    Column("tokens", "tokens", "number", about="That the model wrote, per answer: choices, plans, verdicts, answers."),
    Column("seconds", "model-seconds", "seconds", about="In which the model worked, per answer."),
    Column(
        "times",
        "times direct",
        "number",
        about="Model-seconds, as a multiple of those of the arm `direct`, on the items of both.",
    ),
)


def costs(results: Results) -> Table | None:
    """Each arm in a row; `None` before the first answer."""
    spent = {
        arm.name: [line.cost for line in results.by_arm[arm.name] if line.answer is not None] for arm in results.arms
    }
    direct = _seconds(results, DIRECT) if DIRECT in spent else {}
    rows: list[dict[str, Value]] = []
    for name, found in spent.items():
        if found:
            own = _seconds(results, name)
            both = [item for item in own if item in direct]
            least = sum(direct[item] for item in both)
            times = sum(own[item] for item in both) / least if least else None
            rows.append({"arm": name, "n": len(found), **_mean(found), "times": times})
    about = sentences(
        "What an answer takes, the direct one that comes with it among it. Model-seconds are the time inside the "
        "model, not that in its queue: the time of a batch is shared among its requests.",
        "What several arms have in common was computed once and counts in each, as what it cost then: a row is what "
        "the arm would cost by itself. Pictures that were read before count where they were read first.",
    )
    return Table("costs", "Cost of an answer", about, COLUMNS, rows) if rows else None


def _mean(found: Sequence[Cost]) -> dict[str, float]:
    return {key: fmean(getattr(one, key) for one in found) for key in ("drawings", "tokens", "seconds")}


def _seconds(results: Results, arm: str) -> dict[str, float]:
    """Item to the model-seconds of an answer of an arm, the mean over its seeds."""
    found: dict[str, list[float]] = {}
    for line in results.by_arm[arm]:
        if line.answer is not None:
            found.setdefault(line.item, []).append(line.cost.seconds)
    return {item: fmean(seconds) for item, seconds in found.items()}
