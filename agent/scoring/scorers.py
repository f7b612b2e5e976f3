"""Scorers as data: each a function from an answer and what is expected to what the answer is worth."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from ..errors import ExtensionError, MissingExtraError, SettingError, UnknownNameError
from ..extensions import FORM, find_function, is_place
from .expected import Expected, Score
from .extraction import extract_option
from .texts import number_of, plain

Scorer = Callable[[str, Expected, str], Score]
"""Called as `scorer(text, expected, argument)`; the argument is what stands behind the colon of its name."""

JUDGE: Final = "judge"
"""The scorer that asks a chat model, `judge:PROVIDER:MODEL`; none of these functions, since it waits for a reply."""

ANLS_THRESHOLD: Final = 0.5
"""Share of characters from which on a text is another one (Biten et al. 2019, section 4)."""
CHART_TOLERANCE: Final = 0.05
"""Relaxed accuracy of charts (Methani et al. 2020): a number may differ by 5 % of the expected one."""


def exact(text: str, expected: Expected, argument: str = "") -> Score:
    """One of the accepted answers; case, outer marks and spaces aside."""
    return Score(float(plain(text) in {plain(answer) for answer in expected.answers}))


def option(text: str, expected: Expected, argument: str = "") -> Score:
    """The option that is an accepted answer, named by its words or its letter."""
    found = extract_option(text, expected.options)
    alike = {plain(option): option for option in expected.options}
    right = [answer if answer in expected.options else alike.get(plain(answer)) for answer in expected.answers]
    return Score(float(found is not None and found in right))


def number(text: str, expected: Expected, argument: str = "") -> Score:
    """The same number, however it is written: `12`, `12.0`, `twelve`; the argument is a relative tolerance.

    An accepted answer that is no number is compared as a text.
    """
    tolerance = float(argument or 0)
    found = number_of(text)

    def fits(answer: str) -> bool:
        wanted = number_of(answer)
        if wanted is None or found is None or math.isinf(wanted) or math.isinf(found):
            return plain(answer) == plain(text)
        return abs(found - wanted) <= tolerance * abs(wanted) + 1e-9 * max(abs(found), abs(wanted))

    return Score(float(any(map(fits, expected.answers))))


def chart(text: str, expected: Expected, argument: str = "") -> Score:
    """As `number` with the tolerance of charts, 5 %."""
    return number(text, expected, str(CHART_TOLERANCE))


def anls(text: str, expected: Expected, argument: str = "") -> Score:
    """Average normalised Levenshtein similarity: 1 less the share of characters that differ, 0 from half of them on.

    Raises:
        MissingExtraError: The extra `study` is not installed.
    """
    try:
        distance = importlib.import_module("rapidfuzz.distance").Levenshtein.normalized_distance
    except ImportError as error:
        raise MissingExtraError("The scorer 'anls'", "rapidfuzz", "study") from error

    def near(answer: str) -> float:
        one, other = (" ".join(part.casefold().split()) for part in (text, answer))
        far = float(distance(one, other))
        return 1.0 - far if far < ANLS_THRESHOLD else 0.0

    return Score(max(map(near, expected.answers)))


def vqa(text: str, expected: Expected, argument: str = "") -> Score:
    """Soft accuracy of VQA: the answers are those of people, and three that agree with the text make it right.

    The mean over leaving each person out, as the official evaluation has it (Antol et al. 2015). Numbers in words,
    articles, case and marks do not count.
    """
    told, people = _vqa_plain(text), [_vqa_plain(answer) for answer in expected.answers]
    agreeing = [person == told for person in people]
    if len(people) < 4:  # fewer than three are left when one is: all must agree
        return Score(sum(agreeing) / len(people))
    return Score(fmean(min(1.0, (sum(agreeing) - one) / 3) for one in agreeing))


def regex(text: str, expected: Expected, argument: str = "") -> Score:
    """Accepted answers are regular expressions, one of which is found in the text, whatever its case."""
    return Score(float(any(re.search(pattern, text, re.IGNORECASE) for pattern in expected.answers)))


@dataclass(frozen=True, kw_only=True)
class ScorerEntry:
    """A scorer as it is listed."""

    score: Scorer
    about: str
    """In a few words."""
    argument: str = ""
    """What may stand behind the colon; empty for nothing."""
    needs_options: bool = False
    whole: bool = False
    """Looks at all that was written, not at the answer that was found in it."""


SCORERS: Final[Mapping[str, ScorerEntry]] = {
    "exact": ScorerEntry(score=exact, about="an accepted answer, whatever its case and outer marks"),
    "option": ScorerEntry(score=option, about="an accepted option, by its words or its letter", needs_options=True),
    "number": ScorerEntry(score=number, about="the same number: 12 = 12.0 = twelve", argument="relative tolerance"),
    "chart": ScorerEntry(score=chart, about="a number that differs by 5 % at most"),
    "anls": ScorerEntry(score=anls, about="similarity of the letters, 0 from half of them on"),
    "vqa": ScorerEntry(score=vqa, about="agreement with the answers of people, three make it right"),
    "regex": ScorerEntry(score=regex, about="a regular expression, found in the text", whole=True),
}
"""By name."""


def scorer_of(expected: Expected) -> str:
    """The name of the scorer: the one that is named, or else the one that fits the answers."""
    if expected.scorer:
        return expected.scorer
    if expected.options:
        return "option"
    try:
        numbers = all(number_of(answer) is not None for answer in expected.answers)
    except MissingExtraError:  # an answer in words is one of letters to who cannot read numbers in words
        numbers = False
    return "number" if numbers else "exact"


def is_own(scorer: str) -> bool:
    """Whether a scorer is a function of a user's own, `package.module:function` or `path/to/file.py:function`."""
    return is_place(scorer, dotted=True) and not scorer.startswith(f"{JUDGE}:")


def check_scorer(expected: Expected) -> None:
    """Refuse what cannot be scored, before anything is asked.

    Raises:
        UnknownNameError: There is no such scorer.
        SettingError: Its argument is none, it needs options, or an accepted answer is no pattern or empty.
        MissingExtraError: It needs the extra `study`.
        ExtensionError: A function of your own cannot be found.
    """
    if not expected.answers or not all(answer.strip() for answer in expected.answers):
        raise SettingError("An accepted answer is empty.", 'Write "answer": "red" or "answers": ["red", "crimson"].')
    if is_own(expected.scorer):
        find_function(expected.scorer)
        return
    name, _, argument = scorer_of(expected).partition(":")
    if name == JUDGE:
        if not argument:
            raise SettingError("A judge needs a name.", "Write judge:PROVIDER:MODEL or judge:NAME.")
        return
    entry = _entry(name)
    if argument and not entry.argument:
        raise SettingError(f"The scorer {name!r} takes no argument, and was given {argument!r}.")
    if entry.needs_options and not expected.options:
        raise SettingError(f"The scorer {name!r} needs options, and the question has none.", "Name another scorer.")
    if name == "number":
        _check_tolerance(argument)
    if name == "regex":
        for pattern in expected.answers:
            try:
                re.compile(pattern)
            except re.error as error:
                raise SettingError(f"The accepted answer {pattern!r} is no regular expression: {error}.") from error
    else:
        entry.score("", expected, argument)  # what is not installed is told now


def score(text: str, expected: Expected) -> Score:
    """What an answer is worth, by a scorer that asks nobody.

    Raises:
        UnknownNameError: There is no such scorer.
        MissingExtraError: It needs the extra `study`.
        ExtensionError: An own function gave something else than a number from 0 to 1 or a `Score`.
    """
    if is_own(expected.scorer):
        return _own(expected.scorer, find_function(expected.scorer)(text, expected))
    name, _, argument = scorer_of(expected).partition(":")
    return _entry(name).score(text, expected, argument)


def _own(scorer: str, given: object) -> Score:
    """What a function of a user's own gave, as a score."""
    number = getattr(given, "item", lambda: given)()  # of numpy or torch
    found = given if isinstance(given, Score) else Score(float(number)) if isinstance(number, int | float) else None
    if found is None or not 0.0 <= found.value <= 1.0:
        gave = given if isinstance(given, int | float | Score) else type(given).__name__
        raise ExtensionError(f"The scorer {scorer!r} gave {gave}; expected a number from 0 to 1, or a `Score`.")
    return found


def _entry(name: str) -> ScorerEntry:
    if name not in SCORERS:
        raise UnknownNameError("scorer", name, [*SCORERS, JUDGE, FORM])
    return SCORERS[name]


def _check_tolerance(argument: str) -> None:
    try:
        good = not argument or 0 <= float(argument) < 1
    except ValueError:
        good = False
    if not good:
        raise SettingError(f"A tolerance is a share from 0 to 1, such as number:0.05, not {argument!r}.")


_DIGITS: Final = {
    "none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
}  # fmt: skip
"""As the official evaluation of VQA reads numbers in words."""


def _vqa_plain(text: str) -> str:
    joined = re.sub(r"(?<=\d),(?=\d)|'", "", plain(text))  # 3,000 and don't
    words = re.sub(r"[^\w\s.:-]", " ", joined).split()
    return " ".join(_DIGITS.get(word, word) for word in words if word not in ("a", "an", "the"))
