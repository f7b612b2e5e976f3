"""Patterns: rows of things that repeat, four by four tiles, of which the frame may cut the last column off."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..materials.atlas import CONCEPTS
from ..materials.layers import SIZE, Layers
from ..materials.things import paint_emoji, tile_axes
from ..materials.words import CONCEPT
from ..questions.phrasings import LINES
from ..questions.posing import Asked, each_question, pose
from ..questions.questions import Questions
from ..seeds import constant, integers, permutation

TILES = 4
"""Tiles per side."""
PERIOD = 3
"""Different things in a pattern."""
TILE = SIZE // TILES
"""Side of a tile, in pixels."""


@dataclass(frozen=True)
class Patterns:
    """A batch of patterns: row r, column c holds thing (start + shift * r + c) mod 3, or mod 2."""

    word: Tensor
    """`[batch, 3]`, index into `WORDS` of the things that repeat."""
    place: Tensor
    """`[batch, 16]`, which of the three things each tile holds, row by row."""
    absent: Tensor
    """`[batch]`, index into `WORDS` of a thing that is not there."""
    style: Tensor
    """`[batch]`, index into `atlas.EMOJI_STYLES`."""


def sample_patterns(seeds: Tensor, styles: tuple[int, ...]) -> Patterns:
    """Decide the pattern of each seed (`[batch]`, int64), drawn in one of some styles of emoji."""
    four = permutation(seeds, 160, len(CONCEPTS))[:, : PERIOD + 1] + CONCEPT
    period = 2 + integers(seeds, 161, 1, 2)
    start, shift = integers(seeds, 162, 2, PERIOD).split(1, dim=1)
    tile = torch.arange(TILES * TILES, device=seeds.device)
    return Patterns(
        word=four[:, :PERIOD],
        place=(start + shift * (tile // TILES) + tile % TILES) % period,
        absent=four[:, PERIOD],
        style=constant(styles, seeds.device)[integers(seeds, 163, 1, len(styles))[:, 0]],
    )


def paint_patterns(patterns: Patterns) -> Layers:
    """Paint patterns, whole."""
    batch, device = len(patterns.style), patterns.style.device
    radius = torch.full((batch, PERIOD), TILE / 2 - 2.0, device=device)
    u, v = tile_axes(torch.zeros(batch, PERIOD, 2, device=device), radius, TILE)
    drawn = torch.cat(paint_emoji(patterns.word, patterns.style, u, v), dim=2)
    rows = torch.arange(batch, device=device)[:, None]
    tiles = drawn[rows, patterns.place].unflatten(1, (TILES, TILES))
    canvas = tiles.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
    return Layers(canvas[:, :3], canvas[:, 3:])


def ask_patterns(patterns: Patterns, seeds: Tensor, count: int, held_out: bool = False) -> Questions:
    """Ask what the last tile of the top or the bottom row holds; arguments as for `ask_scenes`."""
    seeds = each_question(seeds, count)
    word, place, absent = (t.repeat_interleave(count, dim=0) for t in (patterns.word, patterns.place, patterns.absent))
    rows = torch.arange(len(seeds), device=seeds.device)
    line = integers(seeds, 164, 1, len(LINES))[:, 0]
    last = place[rows, (line * (TILES - 1) + 1) * TILES - 1]
    pool = torch.cat([word, absent[:, None]], dim=1)
    return pose([Asked("next", word[rows, last], pool, relation=line)], seeds, count, held_out)
