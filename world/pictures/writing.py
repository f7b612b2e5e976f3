"""Writing: one word and one number, each on a line of its own."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from ..materials.atlas import GLYPH_SIZE, GLYPHS, glyphs
from ..materials.layers import SIZE, Layers
from ..materials.words import NUMBERS, WORDS, WRITTEN, indices
from ..questions.posing import Asked, each_question, pose
from ..questions.questions import Questions
from ..seeds import constant, integers, uniform

_WORD, _NUMBER = indices((WRITTEN[0], NUMBERS[0]))
_LONGEST = max(len(word) for word in WRITTEN)
_MARGIN = 4
"""Pixels at the rim of the picture that stay free."""
_HALF = SIZE // 2
"""Each line has half of the picture."""
_JITTER = 6
_DARK = 0.28
"""Lightness of ink at most."""


@dataclass(frozen=True)
class Writing:
    """A batch of written pictures."""

    word: Tensor
    """`[batch]`, index into `WORDS`."""
    number: Tensor
    """`[batch]`, index into `WORDS`."""
    font: Tensor
    """`[batch]`, index into `FONTS`."""
    ink: Tensor
    """`[batch, 3]`, colour of both lines."""
    word_first: Tensor
    """`[batch]`, bool: the word is above the number."""
    gap: Tensor
    """`[batch]`, pixels between letters, where there is room."""
    shift: Tensor
    """`[batch, 2]`, pixels by which the upper and the lower line are off the middle, to the right."""
    top: Tensor
    """`[batch, 2]`, pixels above the tiles of each line, in its half of the picture."""


def sample_writing(seeds: Tensor, fonts: tuple[int, ...]) -> Writing:
    """Choose what each seed (`[batch]`, int64) writes, in one of `fonts` (indices into `FONTS`)."""
    colour = uniform(seeds, 100, 3)
    lightness = 0.30 * colour[:, :1] + 0.59 * colour[:, 1:2] + 0.11 * colour[:, 2:]
    return Writing(
        word=_WORD + integers(seeds, 101, 1, len(WRITTEN))[:, 0],
        number=_NUMBER + 10 + integers(seeds, 102, 1, 90)[:, 0],
        font=constant(fonts, seeds.device)[integers(seeds, 103, 1, len(fonts))[:, 0]],
        ink=colour * (_DARK / lightness.clamp(min=_DARK)),
        word_first=uniform(seeds, 104, 1)[:, 0] < 0.5,
        gap=2 + integers(seeds, 105, 1, 2)[:, 0],
        shift=integers(seeds, 106, 2, 2 * _JITTER + 1) - _JITTER,
        top=_MARGIN + integers(seeds, 107, 2, _HALF - 2 * _MARGIN - GLYPH_SIZE[0] + 1),
    )


def paint_writing(writing: Writing) -> Layers:
    """Paint both lines."""
    device = writing.word.device
    coverage, ink_width = glyphs(device)
    height, width = GLYPH_SIZE
    font = writing.font[:, None, None]

    lines = torch.stack([writing.word, writing.number], dim=1)
    lines = torch.where(writing.word_first[:, None], lines, lines.flip(1))
    letter = constant(_spelling(), device)[lines]
    there = letter >= 0
    wide = ink_width[font, letter.clamp(min=0)]
    inked = (wide * there).sum(dim=2)
    # Letters of the longest words in the widest fonts move together.
    gap = torch.minimum(writing.gap[:, None], (SIZE - 2 * _MARGIN - inked) // (there.sum(dim=2) - 1))
    length = inked + gap * (there.sum(dim=2) - 1)
    step = (wide + gap[:, :, None]) * there
    left = torch.minimum((SIZE - length) // 2 + writing.shift, SIZE - _MARGIN - length).clamp(min=_MARGIN)
    start = left[:, :, None] + step.cumsum(dim=2) - step

    # Each column of the picture shows a column of the last letter that has begun.
    x, y = torch.arange(SIZE, device=device), torch.arange(_HALF, device=device)
    begun = (x[:, None] >= start[:, :, None] - 1) & there[:, :, None]
    slot = begun.sum(dim=3).clamp(min=1) - 1
    column = x - start.gather(2, slot) + (width - wide.gather(2, slot)) // 2
    row = y - writing.top[:, :, None]
    ink = coverage[
        font[..., None],
        letter.gather(2, slot)[:, :, None],
        row.clamp(0, height - 1)[..., None],
        column.clamp(0, width - 1)[:, :, None],
    ]
    inside = ((row >= 0) & (row < height))[..., None] & ((column >= 0) & (column < width))[:, :, None]
    cover = (ink * inside).float() / 255.0
    return Layers(
        colour=writing.ink[:, :, None, None].expand(-1, -1, SIZE, SIZE),
        cover=cover.flatten(1, 2)[:, None],
    )


def ask_writing(writing: Writing, seeds: Tensor, count: int, held_out: bool = False) -> Questions:
    """Ask for the word or the number, `count` questions per picture.

    Args:
        writing: What the pictures show.
        seeds: `[batch]`, int64.
        count: Questions per picture.
        held_out: Use the wordings that are kept out of training instead of those in it.

    Returns:
        Tensors of `[batch, count]`.
    """
    word, number = writing.word.repeat_interleave(count), writing.number.repeat_interleave(count)
    words = constant(_words_alike(), seeds.device)[word - _WORD]
    numbers = constant(_numbers_alike(), seeds.device)[number - _NUMBER]
    asked = [Asked("word", word, words), Asked("number", number, numbers)]
    return pose(asked, each_question(seeds, count), count, held_out)


@functools.cache
def _spelling() -> tuple[tuple[int, ...], ...]:
    """For each of `WORDS` its letters, indices into `GLYPHS`; -1 after the last, and for words that are not written."""
    written = {*WRITTEN, *NUMBERS}
    letters = [[GLYPHS.index(letter) for letter in word] if word in written else [] for word in WORDS]
    return tuple((*row, *[-1] * (_LONGEST - len(row))) for row in letters)


def _padded(rows: list[list[str]]) -> tuple[tuple[int, ...], ...]:
    wide = max(len(row) for row in rows)
    return tuple((*indices(row), *[-1] * (wide - len(row))) for row in rows)


@functools.cache
def _words_alike() -> tuple[tuple[int, ...], ...]:
    """For each of `WRITTEN` the others of its length; where those are fewer than three, also those a letter off."""
    rows = []
    for word in WRITTEN:
        off = {other: abs(len(other) - len(word)) for other in WRITTEN if other != word}
        near = [other for other in off if off[other] == 0]
        rows.append(near if len(near) >= 3 else [other for other in off if off[other] <= 1])
    return _padded(rows)


@functools.cache
def _numbers_alike() -> tuple[tuple[int, ...], ...]:
    """For each number those that share its tens or its ones; nothing for numbers below 10."""
    alike = [
        [other for other in NUMBERS[10:] if other != number and (other[0] == number[0] or other[1] == number[1])]
        for number in NUMBERS[10:]
    ]
    return _padded([*[[] for _ in range(10)], *alike])
