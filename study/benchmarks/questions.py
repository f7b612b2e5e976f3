"""From a row to what is asked: the stem, the options, the right answer and what belongs together, by its form."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from g2u.errors import BenchmarkError, G2UError
from g2u.loop.admission import check_question

from .catalogue import Benchmark, Form
from .rows import Row
from .tsv import REFERENCE

DIGITS: Final = 18
"""Of an index by which copies or pairs are known, at most."""
COPIES: Final = 1_000_000
"""Copies of one question are as many apart in their indices."""
GROUP: Final = "group:"
"""What the names of further columns that tables tell apart begin with."""
GOLD: Final = "gold_edits"
"""Column of the edits that are known to help, with commas; empty where nobody knows."""
SHOWN: Final = ("Yes", "No")
"""Options of a question that is answered by yes or no."""

_OPTIONS: Final = re.compile(r"\s*\b(?:Options|Choices)\s*:", re.IGNORECASE)
_ASKED: Final = re.compile(r"\A\s*Hint:.*?^Question:\s*", re.DOTALL | re.MULTILINE)
"""What MathVista has before a question: how to write the answer."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked about the pictures of a row."""

    text: str
    """The stem: without the options, so that whoever decides what to draw does not see them, nor their order."""
    options: tuple[str, ...] = ()
    answers: tuple[str, ...]
    scorer: str = ""
    """Of `g2u.scoring.scorers`; empty for the one that fits the answers."""
    groups: Mapping[str, str]
    gold_edits: tuple[str, ...] | None = None
    """`None` where nobody knows."""


def question_of(row: Row, benchmark: Benchmark, where: str) -> Question:
    """What a row asks.

    Args:
        row: Its pictures are not needed.
        benchmark: That it is of.
        where: What errors call the file.

    Raises:
        BenchmarkError: It cannot be asked: options that are empty, alike or too many, an answer that is none of them.
            The row and the column are named.
    """
    try:
        found = _FORMS[benchmark.form](row)
        check_question(found.text, found.options)
    except _CellError as fault:
        raise BenchmarkError(f"{where}: row {row.index!r}, column {fault.column!r}: {fault.what}") from fault
    except G2UError as error:
        raise BenchmarkError(f"{where}: row {row.index!r}: {error.message}", error.hint) from error
    groups = {name: row.cells[name] for name in benchmark.groups if row.cells.get(name)}
    groups |= {name.removeprefix(GROUP): text for name, text in row.cells.items() if name.startswith(GROUP) and text}
    gold = tuple(filter(None, (part.strip() for part in row.cells.get(GOLD, "").split(","))))
    return Question(
        text=found.text,
        options=found.options,
        answers=found.answers,
        scorer=found.scorer,
        groups=groups,
        gold_edits=gold or None,
    )


def clusters_of(indices: Sequence[str], form: Form, where: str) -> dict[str, str]:
    """Which rows are right together only, as a name for each index; empty for those that stand alone.

    Args:
        indices: Of all rows that are asked.
        form: Of the benchmark.
        where: What errors call the file.

    Raises:
        BenchmarkError: An index is no whole number where copies or pairs are known by it.
    """
    if form not in ("circular", "pairs"):
        return dict.fromkeys(indices, "")
    if strange := next((one for one in indices if not one.isdecimal() or len(one) > DIGITS), None):
        needs = "copies of a question are known by it" if form == "circular" else "pairs are known by it"
        shown = strange if len(strange) <= REFERENCE else f"{strange[:REFERENCE]}..."
        raise BenchmarkError(
            f"{where}: row {shown!r}, column 'index': it is no whole number of {DIGITS} digits at most, and {needs}."
        )
    if form == "circular":
        return {index: str(int(index) % COPIES) for index in indices}
    ordered = sorted(indices, key=int)
    return {index: ordered[place - place % 2] for place, index in enumerate(ordered)}


class _CellError(Exception):
    """A cell that cannot be."""

    def __init__(self, column: str, what: str) -> None:
        self.column, self.what = column, what


@dataclass(frozen=True)
class _Asked:
    text: str
    options: tuple[str, ...]
    answers: tuple[str, ...]
    scorer: str = ""


def _choices(row: Row) -> _Asked:
    options = _options(row)
    if not options:
        raise _CellError("A", "there are no options.")
    return _Asked(_stem(row, options), options, (_chosen(row.cells["answer"], options, "answer"),))


def _yes_no(row: Row) -> _Asked:
    answer = row.cells["answer"].strip()
    found = next((one for one in SHOWN if one.casefold() == answer.casefold()), None)
    if found is None:
        raise _CellError("answer", f"{answer!r} is neither yes nor no.")
    return _Asked(_stem(row, SHOWN), SHOWN, (found,))


def _free(row: Row) -> _Asked:
    answer = row.cells["answer"].strip()
    if not answer:
        raise _CellError("answer", "it is empty.")
    return _Asked(_stem(row, ()), (), (answer,))


def _maths(row: Row) -> _Asked:
    if row.cells.get("question_type") != "multi_choice":
        free = _free(row)
        number = row.cells.get("answer_type") in ("integer", "float")
        return _Asked(free.text, (), free.answers, "number" if number else "exact")
    options = _list(row.cells.get("choices", ""), "choices")
    answer = row.cells["answer"].strip()
    named = answer if answer in options else row.cells.get("answer_option", "").strip() or answer
    return _Asked(_stem(row, options), options, (_chosen(named, options, "answer"),))


def _any(row: Row) -> _Asked:
    if _options(row):
        return _choices(row)
    answer = row.cells["answer"].strip().casefold()
    return _yes_no(row) if answer in {one.casefold() for one in SHOWN} else _free(row)


def _suite(row: Row) -> _Asked:
    raise AssertionError("a suite has no rows, its parts have")


_FORMS: Final[Mapping[Form, Callable[[Row], _Asked]]] = {
    "any": _any,
    "choices": _choices,
    "circular": _choices,
    "pairs": _choices,
    "yes-no": _yes_no,
    "maths": _maths,
    "free": _free,
    "judged": _free,
    "suite": _suite,
}
"""How each form is asked."""


def _options(row: Row) -> tuple[str, ...]:
    """The cells of the columns A, B, ... up to the last one that is not empty."""
    texts = [row.cells.get(letter, "").strip() for letter in string.ascii_uppercase]
    last = max((place for place, text in enumerate(texts) if text), default=-1)
    if "" in texts[: last + 1]:
        letter = string.ascii_uppercase[texts.index("")]
        raise _CellError(letter, f"it is empty, and there is an option {string.ascii_uppercase[last]}.")
    return tuple(texts[: last + 1])


def _list(cell: str, column: str) -> tuple[str, ...]:
    try:
        found = ast.literal_eval(cell)
    except (ValueError, SyntaxError) as error:
        raise _CellError(column, "it is no list of options.") from error
    if not isinstance(found, list) or not found:
        raise _CellError(column, "it is no list of options.")
    options = tuple(str(one).strip() for one in found)
    if len(options) > len(string.ascii_uppercase):
        raise _CellError(column, f"there are {len(options)} options, more than letters.")
    if "" in options:
        raise _CellError(column, f"option {string.ascii_uppercase[options.index('')]} is empty.")
    return options


def _chosen(answer: str, options: Sequence[str], column: str) -> str:
    """The option that an answer names, by its letter or, where it is none, by its words."""
    answer = answer.strip()
    lettered = dict(zip(string.ascii_uppercase, options, strict=False))
    if answer in lettered:
        return lettered[answer]
    if answer in options:
        return answer
    last = string.ascii_uppercase[len(options) - 1]
    raise _CellError(column, f"{answer!r} is none of the options A to {last}: {list(options)}.")


def _stem(row: Row, options: Sequence[str]) -> str:
    """The question with what is told beside it, and without the options that some files repeat in it."""
    text = _ASKED.sub("", row.cells["question"]).strip()
    found = list(_OPTIONS.finditer(text))
    if options and found and all(option in text[found[-1].end() :] for option in options):
        text = text[: found[-1].start()].rstrip()
    hint = row.cells.get("hint", "").strip()
    return f"{hint}\n{text}" if hint else text
