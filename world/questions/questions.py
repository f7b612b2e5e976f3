"""Questions about the world in plain English, with the answers that are right.

A question is a phrasing and up to two words of the picture, its subject and another. All phrasings of all kinds are one
table, so that training can turn a whole batch into tokens without making strings. Kinds of question belong to kinds of
picture: the modules that paint pictures also ask about them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..materials.words import SYNONYMS, WORDS, YES_NO, indices
from ..seeds import constant, integers, permutation, uniform

OPTIONS = 4
"""Options per question at most."""


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


@dataclass(frozen=True)
class Questions:
    """Questions about a batch of pictures; index tensors on the pictures' device."""

    phrasing: Tensor
    """`[batch, questions]`, index into `PHRASINGS`."""
    subject: Tensor
    """`[batch, questions]`, index into `WORDS`; 0 where the phrasing has no subject."""
    other: Tensor
    """`[batch, questions]`, the same for the second word of the picture."""
    options: Tensor
    """`[batch, questions, 4]`, indices into `WORDS`, in the order shown; -1 after the last where there are fewer."""
    answer: Tensor
    """`[batch, questions]`, which of the options is right."""

    def __getitem__(self, index: tuple[int | slice, ...]) -> Questions:
        """The questions at `index`, which indexes the leading axes."""
        return Questions(*(tensor[index] for tensor in vars(self).values()))

    def text(self) -> str:
        """In words; for a single question, whose tensors have no leading axes."""
        subject, other = WORDS[int(self.subject)], WORDS[int(self.other)]
        return PHRASINGS[int(self.phrasing)].text.format(subject=subject, other=other)

    def paraphrase(self) -> str:
        """In other words, of those that training has too or has not either; empty where there are none.

        For a single question.
        """
        own = PHRASINGS[int(self.phrasing)]
        like = [
            index
            for index, other in enumerate(PHRASINGS)
            if (other.kind, other.relation, other.held_out) == (own.kind, own.relation, own.held_out)
        ]
        following = like[(like.index(int(self.phrasing)) + 1) % len(like)]
        if following == int(self.phrasing):
            return ""
        subject, other_word = WORDS[int(self.subject)], WORDS[int(self.other)]
        return PHRASINGS[following].text.format(subject=subject, other=other_word)

    def option_words(self) -> list[str]:
        """The options in words; for a single question."""
        return [WORDS[index] for index in self.options.tolist() if index >= 0]


@dataclass(frozen=True)
class Asked:
    """One kind of question about every picture of a batch; whether it is the one that is asked is settled later."""

    kind: str
    answer: Tensor
    """`[rows]`, index into `WORDS`."""
    pool: Tensor
    """`[rows, n]`, indices into `WORDS` from which the other options come, -1 for none; may hold the answer."""
    subject: Tensor | None = None
    """`[rows]`, index into `WORDS`."""
    other: Tensor | None = None
    relation: Tensor | None = None
    """`[rows]`, index into the relations of the kind, in the order of `PHRASINGS`."""


def each_question(seeds: Tensor, count: int) -> Tensor:
    """A seed for each of `count` questions per picture: `[batch * count]`, the questions of a picture in a row."""
    return (seeds[:, None] * count + torch.arange(count, device=seeds.device)).flatten()


def pose(asked: Sequence[Asked], seeds: Tensor, count: int, held_out: bool = False) -> Questions:
    """Pick one kind for every row, evenly, word it and offer options.

    Args:
        asked: The kinds, each for all rows.
        seeds: `[batch * count]`, from `each_question`.
        count: Questions per picture.
        held_out: Use the wordings that are kept out of training instead of those in it.

    Returns:
        Tensors of `[batch, count]`.
    """
    device = seeds.device
    chosen = integers(seeds, 31, 1, len(asked))[:, 0]
    wide = max(kind.pool.shape[1] for kind in asked)
    nothing = torch.zeros_like(seeds)
    phrasing, subject, other, answer = nothing, nothing - 1, nothing, nothing
    pool = torch.full((len(seeds), wide), -1, device=device)
    for index, kind in enumerate(asked):
        here = chosen == index
        numbers = constant(_wordings(kind.kind, held_out), device)
        relation = nothing if kind.relation is None else kind.relation
        variant = integers(seeds, 34, 1, numbers.shape[1])
        phrasing = torch.where(here, numbers[relation].gather(1, variant)[:, 0], phrasing)
        if kind.subject is not None:
            subject = torch.where(here, kind.subject, subject)
        other = torch.where(here, nothing if kind.other is None else kind.other, other)
        answer = torch.where(here, kind.answer, answer)
        padded = torch.nn.functional.pad(kind.pool, (0, wide - kind.pool.shape[1]), value=-1)
        pool = torch.where(here[:, None], padded, pool)
    options, right = _options(pool, answer, subject, seeds)
    questions = Questions(phrasing, _reworded(subject.clamp(min=0), seeds), other, options, right)
    return Questions(*(tensor.unflatten(0, (-1, count)) for tensor in vars(questions).values()))


def yes_no(yes: Tensor) -> tuple[Tensor, Tensor]:
    """Answer and pool of a question that is answered by yes, where `yes` `[rows]`, or no."""
    words = constant(indices(YES_NO), yes.device)
    return torch.where(yes, words[0], words[1]), words.expand(len(yes), -1)


@functools.cache
def _wordings(kind: str, held_out: bool) -> tuple[tuple[int, ...], ...]:
    """Indices of the phrasings of a kind, a row for each relation."""
    rows: dict[str, list[int]] = {}
    for index, phrasing in enumerate(PHRASINGS):
        if phrasing.kind == kind and phrasing.held_out == held_out:
            rows.setdefault(phrasing.relation, []).append(index)
    return tuple(tuple(row) for row in rows.values())


@functools.cache
def _other_words() -> tuple[int, ...]:
    """For each of `WORDS` a synonym, or itself."""
    known = {word: synonym for synonym, word in SYNONYMS.items()}
    return indices(known.get(word, word) for word in WORDS)


def _reworded(subject: Tensor, seeds: Tensor) -> Tensor:
    """Say one subject in five by a synonym, where it has one."""
    say = uniform(seeds, 38, 1)[:, 0] < 0.2
    return torch.where(say, constant(_other_words(), subject.device)[subject], subject)


def _options(pool: Tensor, answer: Tensor, subject: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """The answer among up to three other words of the pool, never the subject; and where the answer is."""
    usable = (pool != answer[:, None]) & (pool != subject[:, None]) & (pool >= 0)
    order = uniform(seeds, 36, pool.shape[1]) + (~usable).float()
    best = order.argsort(dim=1, stable=True)[:, : OPTIONS - 1]
    wrong = pool.gather(1, best).masked_fill(~usable.gather(1, best), -1)
    missing = OPTIONS - 1 - wrong.shape[1]
    four = torch.nn.functional.pad(torch.cat([answer[:, None], wrong], dim=1), (0, missing), value=-1)
    place = permutation(seeds, 37, OPTIONS).float() + OPTIONS * (four < 0).float()
    options = four.gather(1, place.argsort(dim=1, stable=True))
    return options, (options == answer[:, None]).int().argmax(dim=1)
