"""A careful reader of our own: what a person would find in a reply, and nothing where that is open.

Its figures are those of VLMEvalKit; only the reading differs, so that the difference of the two is what reading costs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from g2u.scoring.extraction import extract_option, extract_value
from g2u.scoring.texts import number_of, plain

from . import lmms, mmvet
from .mathvista import options_of as listed_options
from .rules import Rule, labelled, options_of, vlmevalkit
from .scored import Case, Reading

_YES_NO: Final = {"Yes": "Yes", "No": "No"}
_LEADING: Final = re.compile(r"\W*(yes|no)\s*[,.;:!]", re.IGNORECASE)


def rules() -> dict[str, Rule]:
    """By the name of the benchmark; that of other files is under `""`."""
    found = {}
    for name, rule in vlmevalkit(None, pairs=True).items():
        reader = _READERS.get(name) or _option
        found[name] = replace(rule, name=f"{rule.name}, read with care", see=lmms.see, read=reader, judging=None)
    found["MMVet"] = replace(found["MMVet"], measure=mmvet.overall, graded=False, name="words of the answer")
    return found


def _option(case: Case) -> Reading:
    return labelled(_named(case, {label: str(option) for label, option in options_of(case).items()}), case)


def _yes_no(case: Case) -> Reading:
    """As an option; a yes or no before a mark, with which a reply begins, whatever follows."""
    leading = _LEADING.match(case.prediction)
    return labelled(leading[1].capitalize() if leading else _named(case, _YES_NO), case)


def _named(case: Case, options: dict[str, str]) -> str | None:
    """The label of the option that a reply names."""
    named = extract_option(str(case.prediction), list(options.values()))
    return next((label for label, option in options.items() if option == named), None)


def _maths(case: Case) -> Reading:
    """An option, or the same number, list or text as the answer; numbers to the places that the answer has."""
    answer = case.cell("answer")
    if case.cell("question_type") == "multi_choice":
        label = _named(case, listed_options(case))
        return Reading(label, float(label is not None and label == case.cell("answer_option")))
    found = extract_value(case.prediction)
    if found is None:
        return Reading(None, 0.0)
    told, wanted = number_of(found), number_of(answer)
    if told is None or wanted is None:
        return Reading(found, float(plain(found) == plain(answer)))
    places = len(answer.partition(".")[2])
    return Reading(found, float(math.isclose(round(told, places), wanted)))


def _words(case: Case) -> Reading:
    """The share of the parts of an answer whose words are in the reply; of several answers the best one."""
    told = plain(case.prediction)
    best, grade = None, 0.0
    for answer in case.cell("answer").split("<OR>"):
        parts = [plain(part) for part in answer.split("<AND>")]
        share = sum(bool(re.search(rf"(?<!\w){re.escape(part)}(?!\w)", told)) for part in parts) / len(parts)
        if share > grade:
            best, grade = answer, share
    return Reading(best if grade else (told or None), grade)


_READERS: Final[dict[str, Callable[[Case], Reading]]] = {
    "MME": _yes_no, "HallusionBench": _yes_no, "POPE": _yes_no, "MathVista_MINI": _maths, "MMVet": _words,
}  # fmt: skip
