"""What a rule is, and those of VLMEvalKit."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ..rows import Row
from . import mathvista, measures, mmvet
from .cells import cases
from .choices import NONE_FITS, ChoiceRule, read_choice
from .judging import Judging, prompt
from .measures import Measure
from .scored import Case, Reading
from .yesno import read_yes_or_no


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How a kit scores a benchmark.

    Attributes:
        name: What it is, in a word or two; of lmms-eval the task.
        see: The rows that have a prediction, as the kit sees them.
        read: What is found in an answer.
        measure: The figures.
        judging: How a judge is used; `None`: it is not.
        graded: Whether every answer is a judge's to grade, so that there is no figure without one.
        columns: That have to be there, beside `answer`.
    """

    name: str
    see: Callable[[Sequence[Row], Mapping[str, str]], list[Case]]
    read: Callable[[Case], Reading]
    measure: Measure
    judging: Judging | None = None
    graded: bool = False
    columns: tuple[str, ...] = ()


SAID: Final = re.compile(r"answer\s+is\s+\**([ABCD])", re.IGNORECASE)
"""What VLMEvalKit searches for since 2026-06-17, without looking at what stands behind the letter."""


def vlmevalkit(said: re.Pattern[str] | None, *, pairs: bool) -> dict[str, Rule]:
    """The rules of a version, by the name of the benchmark; that of other files is under `""`.

    Args:
        said: See `ChoiceRule`.
        pairs: Whether MMVP is scored in pairs.
    """
    choice = ChoiceRule(said)
    one = Rule(
        name="choices",
        see=cases,
        read=_choice(choice),
        measure=measures.accuracy,
        judging=_choice_judging(choice),
        columns=("A",),
    )
    circular = replace(one, name="circular choices", measure=measures.circular)
    yes_no = Rule(name="", see=cases, read=_yes_no, measure=measures.accuracy, judging=_YES_NO_JUDGING)
    rules = {name: one for name in CHOICES} | {name: circular for name in CIRCULAR}
    return {
        **rules,
        "MMVP": replace(one, name="pairs of choices", measure=measures.pairs) if pairs else one,
        "MME": replace(yes_no, name="acc and acc+", measure=measures.mme, columns=("category", "image_path")),
        "HallusionBench": replace(
            yes_no, name="aAcc, fAcc, qAcc", measure=measures.hallusion, columns=("category", "l2-category")
        ),
        "POPE": replace(yes_no, name="F1 of yes", measure=measures.pope, columns=("category",)),
        "MathVista_MINI": Rule(
            name="extraction and comparison",
            see=cases,
            read=mathvista.reading(choice),
            measure=mathvista.by_skill,
            judging=mathvista.judging(choice),
            columns=("question_type", "answer_type", "answer_option", "choices", "task", "skills"),
        ),
        "MMVet": Rule(
            name="grades",
            see=cases,
            read=mmvet.unread,
            measure=mmvet.by_capability,
            judging=mmvet.judging(tries=5, first_word=False),
            graded=True,
            columns=("category",),
        ),
        "": one,
        "circular": circular,
    }


CHOICES: Final = (
    "MMStar", "R-Bench-Dis", "R-Bench-Ref", "AI2D_TEST", "AI2D_TEST_NO_MASK", "RealWorldQA", "BLINK", "VStarBench",
    "KiVA", "KIVA", "VisThink",
)  # fmt: skip
CIRCULAR: Final = (
    "MMBench", "MMBench_V11", "MMBench_DEV_EN", "MMBench_DEV_EN_V11", "MMBench_TEST_EN", "MMBench_TEST_EN_V11",
    "MMBench_DEV_CN", "MMBench_DEV_CN_V11", "MMBench_TEST_CN", "MMBench_TEST_CN_V11", "BLINK_circular",
)  # fmt: skip
"""Scored by groups of copies; so is every other file whose name has `circular` or `mmbench` in it."""


def options_of(case: Case) -> dict[str, Any]:
    """Letter to option, of those that are not blank."""
    return {label: case.cells[label] for label in string.ascii_uppercase if label in case.cells}


def choice_prompt(case: Case, options: Mapping[str, Any]) -> str:
    """What a judge is asked about a reply to a question with options."""
    reply = str(case.prediction)
    return prompt("choice", question=case.cell("question"), options=list(options.items()), reply=reply)


def yes_no_prompt(case: Case) -> str:
    """What a judge is asked about a reply to a question of yes or no."""
    return prompt("yes_no", question=case.cell("question"), reply=str(case.prediction))


def labelled(label: str | None, case: Case, *, judged: bool = False) -> Reading:
    """A reading that is right when the label is the answer."""
    return Reading(label, float(label is not None and label == case.answer), label is not None and not judged)


def _choice(rule: ChoiceRule) -> Callable[[Case], Reading]:
    return lambda case: labelled(read_choice(case.prediction, options_of(case), rule), case)


def _choice_judging(rule: ChoiceRule) -> Judging:
    """A judge is asked up to three times; where the kit then draws an option by chance, nothing is read here."""

    def take(case: Case, reply: str) -> Reading | None:
        label = read_choice(reply, options_of(case), rule)
        return None if label is None else labelled(label, case, judged=True)

    return Judging(
        prompt=lambda case: choice_prompt(case, options_of(case)),
        take=take,
        otherwise=lambda case: labelled(None, case),
        tries=3,
    )


def _yes_no(case: Case) -> Reading:
    return labelled(read_yes_or_no(case.prediction), case)


def _take_yes_no(case: Case, reply: str) -> Reading | None:
    label = read_yes_or_no(reply)
    return None if label is None else labelled(label, case, judged=True)


_YES_NO_JUDGING: Final = Judging(
    prompt=yes_no_prompt, take=_take_yes_no, otherwise=lambda case: labelled(None, case), tries=5
)
UNREAD: Final = (None, NONE_FITS)
"""Labels that name no option."""
