"""How VLMEvalKit scores MathVista: what the rules can read, and the comparison after a judge has extracted the rest."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, Final

from ..rows import FAILED
from .cells import is_missing
from .choices import ChoiceRule, read_choice
from .judging import Judging, prompt
from .measures import Figures, Marked, NoFigureError
from .scored import Case, Metrics, Reading

_TRIES: Final = 5
_NUMBERS: Final[dict[str, Callable[[Any], float]]] = {"integer": int, "float": float}
"""By the type of the answer. Free answers of other types the kit cannot find right: it compares them with nothing."""


def reading(rule: ChoiceRule) -> Callable[[Case], Reading]:
    """What the rules alone read; a number only where it is the right one, and none that is zero."""

    def read(case: Case) -> Reading:
        if case.cell("question_type") == "multi_choice":
            label = _choice(case, case.prediction, rule)
            return Reading(label, float(label == case.cell("answer_option")), label is not None)
        value = _number(case, case.prediction)
        right = bool(value) and value == _number(case, case.answer)
        return Reading(str(value) if right else None, float(right), right)

    return read


def judging(rule: ChoiceRule) -> Judging:
    """A judge extracts the answer, and what it says is compared as it stands."""

    def take(case: Case, reply: str) -> Reading | None:
        return None if FAILED in reply else _extracted(case, reply)

    def _extracted(case: Case, reply: str) -> Reading:
        if case.cell("question_type") == "multi_choice":
            label = _choice(case, reply or float("nan"), rule)
            hit = label is not None and label == case.cell("answer_option")
            return Reading(label, float(hit), False)
        value = _number(case, reply)
        hit = value is not None and value == _number(case, case.answer)
        return Reading(reply.strip() or None, float(hit), False)

    def ask(case: Case) -> str:
        return prompt("maths", question=case.cell("question"), reply=str(case.prediction))

    return Judging(prompt=ask, take=take, otherwise=lambda case: _extracted(case, ""), tries=_TRIES)


def by_skill(marked: Sequence[Marked]) -> Figures:
    """Over all and for each task and skill: how many, how many the rules read, how many are right."""
    counts: dict[str, list[float]] = {}
    for case, found in marked:
        for name in ("Overall", *_skills(case.cell("skills")), case.cell("task")):
            count = counts.setdefault(name, [0, 0, 0])
            for place, more in enumerate((1, found.prefetched, found.hit)):
                count[place] += more
    if not counts:
        raise NoFigureError("There is no answer to score.")
    metrics: Metrics = {}
    for name, (total, read, right) in counts.items():
        rates = {"prefetch_rate": 100 * read / total, "acc": 100 * right / total}
        metrics[name] = {"tot": total, "prefetch": read, "hit": right, **rates}
    return Figures(metrics, {"accuracy": metrics["Overall"]["acc"]})


def options_of(case: Case) -> dict[str, str]:
    """Letter to option, from the list in the column `choices`."""
    try:
        listed = ast.literal_eval(case.cell("choices"))
        return {chr(ord("A") + place): str(one) for place, one in enumerate(listed)}
    except (ValueError, SyntaxError, TypeError):
        return {}


def _choice(case: Case, reply: object, rule: ChoiceRule) -> str | None:
    return read_choice(reply, options_of(case), rule)


def _number(case: Case, text: Any) -> float | None:
    """A cell as the number that the question asks for; `None` where it is none, or another type is asked for."""
    convert = _NUMBERS.get(case.cell("answer_type"))
    if convert is None or text is None or is_missing(text):
        return None
    try:
        return convert(text)
    except (ValueError, OverflowError):
        return None


def _skills(cell: str) -> list[str]:
    try:
        found = ast.literal_eval(cell)
    except (ValueError, SyntaxError):
        return [cell]
    return [str(one) for one in found] if isinstance(found, list | tuple) else [str(found)]
