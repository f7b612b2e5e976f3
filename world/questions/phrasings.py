"""Every way to ask every kind of question, as one table: training turns a whole batch into tokens without strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Phrasing:
    """One way to ask one kind of question."""

    kind: str
    relation: str
    """What the kind leaves open, such as the direction; empty where it leaves nothing open."""
    text: str
    """With `{subject}` and `{other}` where words of the picture go."""
    held_out: bool
    """Never used in training."""


def _phrasings(kind: str, relations: Sequence[str], texts: Sequence[str]) -> list[Phrasing]:
    """Every relation in every wording; the last wording is held out."""
    return [
        Phrasing(kind, relation, text.replace("{relation}", relation), held_out=text is texts[-1])
        for relation in relations
        for text in texts
    ]


DIRECTIONS: dict[str, tuple[int, int]] = {"left of": (0, -1), "right of": (0, 1), "above": (-1, 0), "below": (1, 0)}
"""Words to (row, column) step in the upright view."""


SPOTS: dict[str, tuple[int, int]] = {
    "in the top left corner": (0, 0),
    "in the top right corner": (0, 2),
    "in the middle": (1, 1),
    "in the bottom left corner": (2, 0),
    "in the bottom right corner": (2, 2),
}
"""Words to (row, column) in the upright view."""


LINES: tuple[str, ...] = ("top", "bottom")
"""Rows of a pattern that are asked about."""


PHRASINGS: tuple[Phrasing, ...] = (
    *_phrasings(
        "colour",
        [""],
        [
            "What colour is the {subject}?",
            "Which colour does the {subject} have?",
            "What is the colour of the {subject}?",
        ],
    ),
    *_phrasings(
        "shape",
        [""],
        ["What shape is {subject}?", "Which shape has the colour {subject}?", "Which shape is the {subject} one?"],
    ),
    *_phrasings(
        "beside",
        tuple(DIRECTIONS),
        [
            "What is {relation} the {subject}?",
            "What can be seen {relation} the {subject}?",
            "What is shown {relation} the {subject}?",
        ],
    ),
    *_phrasings(
        "spot", tuple(SPOTS), ["What is {relation}?", "What can be seen {relation}?", "What is shown {relation}?"]
    ),
    *_phrasings(
        "row",
        [""],
        [
            "Is the {subject} at the top, middle or bottom?",
            "Which row is the {subject} in?",
            "In which row is the {subject}?",
        ],
    ),
    *_phrasings("there", [""], ["Is the {subject} there?", "Can the {subject} be seen?", "Is the {subject} shown?"]),
    *_phrasings(
        "missing", [""], ["Is the {subject} not there?", "Is the {subject} missing?", "Is the {subject} not shown?"]
    ),
    *_phrasings(
        "count",
        [""],
        [
            "How many times is the {subject} shown?",
            "How often can the {subject} be seen?",
            "How many times can the {subject} be seen?",
        ],
    ),
    *_phrasings("word", [""], ["What word is written?", "Which word can be read?", "What is the written word?"]),
    *_phrasings(
        "number", [""], ["What number is written?", "Which number can be read?", "What is the written number?"]
    ),
    *_phrasings(
        "value",
        [""],
        [
            "What is the value of the {subject} bar?",
            "How high is the {subject} bar?",
            "What value does the {subject} bar have?",
        ],
    ),
    *_phrasings(
        "extreme",
        ["highest", "lowest"],
        ["Which bar is the {relation}?", "What colour is the {relation} bar?", "Which colour has the {relation} bar?"],
    ),
    *_phrasings(
        "compare",
        ["higher", "lower"],
        [
            "Is the {subject} bar {relation} than the {other} bar?",
            "Is {subject} {relation} than {other}?",
            "Is the bar in {subject} {relation} than the bar in {other}?",
        ],
    ),
    *_phrasings(
        "exit",
        [""],
        [
            "Which exit can be reached from the start?",
            "Where does the way from the start lead?",
            "Which exit does the way from the start reach?",
        ],
    ),
    *_phrasings(
        "end",
        [""],
        [
            "Which end belongs to {subject}?",
            "Where does the line {subject} lead?",
            "Which end does the line {subject} reach?",
        ],
    ),
    *_phrasings(
        "next",
        LINES,
        [
            "What comes next in the {relation} row?",
            "What continues the {relation} row of the pattern?",
            "What is next in the {relation} row of the pattern?",
        ],
    ),
)
"""Every way to ask; the third wording of each kind is held out of all training."""
