"""Posing questions about a batch of pictures: picking a kind, wording it, offering options."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..materials.words import SYNONYMS, WORDS, YES_NO, indices
from ..seeds import constant, integers, permutation, uniform
from .phrasings import PHRASINGS
from .questions import Questions

OPTIONS = 4
"""Options per question at most."""


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
