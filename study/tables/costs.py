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
    Column("times", "times direct", "number", about="Model-seconds, as a multiple of those of the arm `direct`."),
)


def costs(results: Results) -> Table | None:
    """Each arm in a row; `None` before the first answer."""
    spent = {
        arm.name: [line.cost for line in results.by_arm[arm.name] if line.answer is not None] for arm in results.arms
    }
    direct = _mean(spent.get(DIRECT, []))["seconds"]
    rows: list[dict[str, Value]] = []
    for name, found in spent.items():
        if found:
            means = _mean(found)
            times = means["seconds"] / direct if direct and means["seconds"] is not None else None
            rows.append({"arm": name, "n": len(found), **means, "times": times})
    about = sentences(
        "What an answer takes, the direct one that comes with it among it. Model-seconds are the time inside the "
        "model, not that in its queue: the time of a batch is shared among its requests.",
        "What several arms have in common was computed once and counts in each, as what it cost then: a row is what "
        "the arm would cost by itself. Pictures that were read before count where they were read first.",
    )
    return Table("costs", "Cost of an answer", about, COLUMNS, rows) if rows else None


def _mean(found: Sequence[Cost]) -> dict[str, float | None]:
    keys = ("drawings", "tokens", "seconds")
    return {key: fmean(getattr(one, key) for one in found) if found else None for key in keys}
