"""Scenes: shapes or named objects in the cells of a 3x3 grid, with an arrow that says which way is up.

Three uses of one painter. A plain scene holds five different things. A *crowd* holds the thing that is asked about
several times among others; rings mark it once it is marked. A *faint* scene is hardly there until it is outlined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ..materials.atlas import CONCEPTS
from ..materials.layers import SIZE, Layers
from ..materials.things import INK, arrow, paint_emoji, paint_shapes, tile_axes
from ..materials.words import COLOUR, COLOURS, CONCEPT, NUMBERS, PLACES, SHAPE, SHAPES, indices
from ..questions.phrasings import DIRECTIONS, SPOTS
from ..questions.posing import Asked, each_question, pose, yes_no
from ..questions.questions import Questions
from ..seeds import choose, constant, integers, permutation, uniform

OBJECTS = 5
"""Things in a plain scene."""
CROWD = 8
"""Things in a crowd."""
MOST = 6
"""Of those, the most that are alike."""
GRID = 3
"""Cells per side; a cell holds one thing, the arrow or nothing."""
CELL = 40
"""Side of a cell, in pixels."""
FAINT = 0.10
"""Opacity of the things of a faint scene."""
RING = (0.90, 0.05, 0.60)
"""Colour of the rings that mark what is asked."""

Use = Literal["plain", "crowd", "faint"]


@dataclass(frozen=True)
class Scenes:
    """What a batch of scenes holds; the arrow, if any, is the last thing."""

    word: Tensor
    """`[batch, things]`, index into `WORDS`; in a crowd the first is what is asked about."""
    colour: Tensor
    """`[batch, things]`, index into `COLOURS`, of shapes; five different ones a scene."""
    cell: Tensor
    """`[batch, things + 1]`, `row * 3 + column`; all different."""
    offset: Tensor
    """`[batch, things + 1, 2]`, x and y from the centre of the cell, pixels."""
    radius: Tensor
    """`[batch, things + 1]`, pixels; with the offset it stays inside the cell."""
    style: Tensor
    """`[batch]`, index into `atlas.EMOJI_STYLES`."""
    absent: Tensor
    """`[batch]`, index into `WORDS` of something that is not there."""


def sample_scenes(seeds: Tensor, emoji: bool, crowd: bool, styles: tuple[int, ...]) -> Scenes:
    """Decide what is in the scene of each seed.

    Args:
        seeds: `[batch]`, int64.
        emoji: Named objects, not shapes.
        crowd: The first thing is there once to six times, and three others besides.
        styles: Styles of emoji that may be used.
    """
    things = CROWD if crowd else OBJECTS
    first, number = (CONCEPT, len(CONCEPTS)) if emoji else (SHAPE, len(SHAPES))
    kinds = permutation(seeds, 4, number)[:, : OBJECTS + 1] + first
    word = kinds[:, :OBJECTS]
    if crowd:
        alike = 1 + integers(seeds, 7, 1, MOST)
        others = kinds[:, 1:4].gather(1, integers(seeds, 8, things, 3))
        word = torch.where(torch.arange(things, device=seeds.device) < alike, kinds[:, :1], others)
    spread = 4.0 if emoji else 6.0
    return Scenes(
        word=word,
        colour=permutation(seeds, 5, len(COLOURS))[:, :things],
        cell=permutation(seeds, 1, GRID * GRID)[:, : things + 1],
        offset=(uniform(seeds, 2, 2 * things + 2).view(-1, things + 1, 2) - 0.5) * spread,
        radius=(16.0 if emoji else 14.0) + 2.0 * uniform(seeds, 3, things + 1),
        style=constant(styles, seeds.device)[integers(seeds, 6, 1, len(styles))[:, 0]],
        absent=kinds[:, -1],
    )


def paint_scenes(scenes: Scenes, bare: Tensor, emoji: bool, use: Use) -> Layers:
    """Paint scenes.

    Args:
        scenes: What to paint.
        bare: `[batch]`, bool: without the rings of a crowd or the outlines of a faint scene.
        emoji: As for `sample_scenes`.
        use: What the scenes are for.
    """
    things = scenes.word.shape[1]
    u, v = tile_axes(scenes.offset, scenes.radius, CELL)
    ut, vt, radius = u[:, :things], v[:, :things], scenes.radius[:, :things]
    colour, cover = (
        paint_emoji(scenes.word, scenes.style, ut, vt)
        if emoji
        else paint_shapes(scenes.word, scenes.colour, ut, vt, radius)
    )
    drawn = torch.cat([colour, cover], dim=2)
    ink = constant(INK, bare.device)[:, None, None]
    if use == "faint":
        grown = functional.max_pool2d(cover.flatten(0, 1), 3, 1, 1).view_as(cover)
        edge = (grown - (-functional.max_pool2d(-cover.flatten(0, 1), 3, 1, 1).view_as(cover))).clamp(0, 1)
        edge = edge * ~bare[:, None, None, None, None]
        drawn = torch.cat([colour + (ink - colour) * edge, torch.maximum(FAINT * cover, edge)], dim=2)
    if use == "crowd":
        width = (1.5 - ((torch.hypot(ut, vt) * radius[..., None, None]) - CELL / 2 + 4.5).abs()).clamp(0, 1)
        asked = (scenes.word == scenes.word[:, :1]) & ~bare[:, None]
        ring = (width * asked[..., None, None])[:, :, None]
        mark = constant(RING, bare.device)[:, None, None]
        drawn = torch.cat([colour + (mark - colour) * ring, torch.maximum(cover, ring)], dim=2)
    else:
        up = (0.5 - arrow(u[:, -1:], v[:, -1:]) * scenes.radius[:, -1:, None, None]).clamp(0, 1)[:, :, None]
        drawn = torch.cat([drawn, torch.cat([ink.expand(len(bare), 1, -1, CELL, CELL), up], dim=2)], dim=1)
    cells = torch.zeros(len(bare), GRID * GRID, 4, CELL, CELL, device=bare.device)
    place = scenes.cell[:, : drawn.shape[1], None, None, None].expand_as(drawn)
    grid = cells.scatter(1, place, drawn).unflatten(1, (GRID, GRID)).permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
    canvas = functional.pad(grid, ((SIZE - GRID * CELL) // 2,) * 4)
    return Layers(canvas[:, :3], canvas[:, 3:])


def ask_scenes(scenes: Scenes, seeds: Tensor, count: int, kinds: tuple[str, ...], held_out: bool = False) -> Questions:
    """Ask about each scene.

    Args:
        scenes: What is in the pictures.
        seeds: `[batch]`, int64.
        count: Questions per scene.
        kinds: Which kinds may be asked, evenly: of `colour`, `shape` (of shapes only), `beside`, `spot`, `row`, `there`
            and `missing`, or `count` alone (of crowds).
        held_out: See `pose`.
    """
    seeds = each_question(seeds, count)
    word, colour, cell = (t.repeat_interleave(count, dim=0) for t in (scenes.word, scenes.colour, scenes.cell))
    rows = torch.arange(len(seeds), device=seeds.device)
    if kinds == ("count",):
        alike = (word == word[:, :1]).sum(dim=1)
        numbers = constant(indices(NUMBERS[: CROWD + 1]), seeds.device)
        return pose(
            [Asked("count", numbers[alike], numbers[1:].expand(len(seeds), -1), word[:, 0])], seeds, count, held_out
        )
    anchor = integers(seeds, 33, 1, OBJECTS)[:, 0]
    thing, hue = word[rows, anchor], colour[rows, anchor] + COLOUR
    neighbour = _neighbours(cell[:, :OBJECTS]).flatten(1)
    pair = choose(seeds, 32, neighbour >= 0)
    at = cell[:, :OBJECTS, None] == constant(tuple(GRID * row + column for row, column in SPOTS.values()), seeds.device)
    spot = choose(seeds, 39, at.any(dim=1))
    found = at[rows, :, spot].int().argmax(dim=1)
    present = uniform(seeds, 40, 1)[:, 0] < 0.5
    named = torch.where(present, thing, scenes.absent.repeat_interleave(count))
    rows_of = constant(indices(PLACES[:GRID]), seeds.device)
    beside = word[rows, neighbour[rows, pair].clamp(min=0)]
    directions = len(DIRECTIONS)
    possible = {
        "colour": Asked("colour", hue, colour + COLOUR, thing),
        "shape": Asked("shape", thing, word, hue),
        "beside": Asked("beside", beside, word, word[rows, pair // directions], relation=pair % directions),
        "spot": Asked("spot", word[rows, found], word, relation=spot),
        "row": Asked("row", rows_of[cell[rows, anchor] // GRID], rows_of.expand(len(seeds), -1), thing),
        "there": Asked("there", *yes_no(present), named),
        "missing": Asked("missing", *yes_no(~present), named),
    }
    return pose([possible[kind] for kind in kinds], seeds, count, held_out)


def _neighbours(cell: Tensor) -> Tensor:
    """Nearest thing of each thing in each direction, -1 for none: `[batch, things, directions]`."""
    step = constant(tuple(DIRECTIONS.values()), cell.device)
    row, column = cell // GRID, cell % GRID
    down, right = row[:, None, :] - row[:, :, None], column[:, None, :] - column[:, :, None]
    offset = torch.stack([down, right], dim=-1)[:, :, None]
    along = (offset * step[:, None, :]).sum(-1)
    aside = (offset * (1 - step[:, None, :].abs())).sum(-1)
    distance = along.masked_fill((aside != 0) | (along <= 0), GRID)
    nearest = distance.argmin(dim=-1)
    return nearest.masked_fill(distance.amin(dim=-1) == GRID, -1)
