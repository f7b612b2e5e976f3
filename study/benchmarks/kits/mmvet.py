"""How the kits score MM-Vet: every score is a judge's; what they do with it differs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from .judging import Judging, prompt
from .measures import Figures, Marked, NoFigureError
from .scored import Case, Metrics, Reading

CAPABILITIES: Final = ("rec", "ocr", "know", "gen", "spat", "math")


def unread(case: Case) -> Reading:
    """Without a judge there is no score."""
    return Reading(None, 0.0, False)


def judging(*, tries: int, first_word: bool) -> Judging:
    """A judge grades from 0 to 1.

    Args:
        tries: Replies at most; then the grade is 0.
        first_word: Whether a reply may go on behind its number.
    """

    def take(case: Case, reply: str) -> Reading | None:
        try:
            grade = float(reply.strip().split(" ")[0] if first_word else reply)
        except ValueError:
            return None
        return Reading(f"{grade:g}", grade, False) if 0 <= grade <= 1 else None

    def ask(case: Case) -> str:
        answer = re.sub(r"<(AND|OR)>", r" <\1> ", case.cell("answer"))
        return prompt("free", question=case.cell("question"), answer=answer, reply=str(case.prediction))

    return Judging(prompt=ask, take=take, otherwise=unread, tries=tries)


def by_capability(marked: Sequence[Marked]) -> Figures:
    """As VLMEvalKit: an item with one single capability counts twice for it, and each of the six has to be there."""
    totals: dict[str, list[float]] = {}
    for case, reading in marked:
        tested = case.cell("category")
        own = [name for name in CAPABILITIES if name in tested]
        for name in (*own, tested.replace(",", "_"), "Overall"):
            total = totals.setdefault(name, [0, 0.0])
            total[0] += 1
            total[1] += reading.hit
    if absent := [name for name in CAPABILITIES if name not in totals]:
        raise NoFigureError(f"All six capabilities count, and no graded answer has {', '.join(absent)}.")
    metrics: Metrics = {
        name: {"tot": totals[name][0], "acc": 100 * totals[name][1] / totals[name][0]}
        for name in (*CAPABILITIES, "Overall")
    }
    return Figures(metrics, {"score": metrics["Overall"]["acc"]})


def overall(marked: Sequence[Marked]) -> Figures:
    """As lmms-eval: the mean grade, and that of each capability that is there."""
    if not marked:
        raise NoFigureError("There is no graded answer.")
    metrics: Metrics = {}
    for name in ("Overall", *CAPABILITIES):
        grades = [reading.hit for case, reading in marked if name == "Overall" or name in case.cell("category")]
        if grades:
            metrics[name] = {"tot": len(grades), "acc": 100 * sum(grades) / len(grades)}
    return Figures(metrics, {"score": metrics["Overall"]["acc"]})
