"""Tangles: four lines that cross each other on the way from four letters to four coloured discs."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..materials.atlas import GLYPHS, glyphs
from ..materials.layers import SIZE, Layers
from ..materials.words import COLOUR, COLOURS, LETTERS, indices
from ..questions.posing import Asked, each_question, pose
from ..questions.questions import Questions
from ..seeds import constant, integers, permutation, uniform

MAGENTA = (0.90, 0.05, 0.60)
"""Colour of the line that is asked about, where it is drawn."""
DISC_COLOURS = tuple(name for name in COLOURS if name not in ("pink", "red", "purple", "white"))
"""Colours of discs: none is like the drawn line or like a ground."""

_LINES = len(LETTERS)
_FIRST, _LAST = 25, 113
"""Columns where lines begin and end; discs lie around the last."""
_TOP, _PITCH = 19, 30
"""Row of the uppermost letter and disc, and rows from one to the next."""
_RIM = 7
"""Rows at the rim of the picture into which no middle of a line comes."""
_RADIUS = 9.0
_LETTER = (22, 19)
"""Height and width of a letter's tile."""
_WAVES = 5
"""Frequencies of wiggles, in half turns: 1 to 5."""
_PAIRS = ((0, 0, 0, 1, 1, 2), (1, 2, 3, 2, 3, 3))
"""Every two lines."""
_TRIES = 24
"""Tangles that are drawn up for each that is painted."""


@dataclass(frozen=True)
class Tangles:
    """A batch of tangles; lines from the uppermost letter down."""

    row: Tensor
    """`[batch, 4, 128]`, float: row of each line's middle in each column."""
    slope: Tensor
    """`[batch, 4, 128]`, its derivative."""
    end: Tensor
    """`[batch, 4]`, which disc each line leads to, counted from the top."""
    colour: Tensor
    """`[batch, 4]`, index into `WORDS` of the colour of each disc, from the top."""
    ink: Tensor
    """`[batch, 3]`, colour of letters and lines."""
    asked: Tensor
    """`[batch]`, the line that is asked about."""


def sample_tangles(seeds: Tensor) -> Tangles:
    """Choose the tangle of each seed (`[batch]`, int64): of several, the one that is hard and yet clear."""
    device = seeds.device
    end = permutation(seeds, 140, _LINES)
    rows, slopes = _ways(seeds, end)
    best = _cost(rows, slopes).argmin(dim=1)[:, None, None, None].expand(-1, 1, _LINES, SIZE)
    order = permutation(seeds, 141, len(DISC_COLOURS))[:, :_LINES]
    return Tangles(
        row=rows.gather(1, best)[:, 0],
        slope=slopes.gather(1, best)[:, 0],
        end=end,
        colour=constant(indices(DISC_COLOURS), device)[order],
        ink=0.04 + 0.26 * uniform(seeds, 142, 3),
        asked=integers(seeds, 143, 1, _LINES)[:, 0],
    )


def paint_tangles(tangles: Tangles, bare: Tensor) -> Layers:
    """Paint letters, lines and discs.

    Args:
        tangles: What to paint.
        bare: `[batch]`, bool: leave out the line in magenta that shows where the asked line leads.
    """
    batch, device = tangles.asked.shape[0], tangles.asked.device
    axis = torch.arange(SIZE, device=device)
    ink = tangles.ink[:, :, None, None]

    run = ((axis >= _FIRST) & (axis <= _LAST)).float()
    away = (axis[:, None] - tangles.row[:, :, None]).abs() / (1.0 + tangles.slope * tangles.slope).sqrt()[:, :, None]
    dark = (1.75 - away.amin(dim=1, keepdim=True)).clamp(0.0, 1.0) * run
    chosen = tangles.asked[:, None, None, None].expand(-1, 1, SIZE, SIZE)
    bright = (3.0 - away.gather(1, chosen)).clamp(0.0, 1.0) * run * (~bare)[:, None, None, None]

    middle = _TOP + _PITCH * torch.arange(_LINES, device=device)
    squared = (axis[:, None] - middle[:, None, None]) ** 2 + (axis - _LAST) ** 2
    disc = (_RADIUS + 0.5 - squared.float().sqrt()).clamp(0.0, 1.0)
    paint = constant(tuple(COLOURS.values()), device)[tangles.colour - COLOUR]
    discs = (paint[..., None, None] * (disc[:, None] > 0)).sum(dim=1)

    colour, cover = torch.zeros(batch, 3, SIZE, SIZE, device=device), torch.zeros(batch, 1, SIZE, SIZE, device=device)
    magenta = constant(MAGENTA, device)[:, None, None]
    for what, where in ((ink, _letters(device)), (ink, dark), (magenta, bright), (discs, disc.amax(dim=0))):
        colour = colour + (what - colour) * where
        cover = cover + (1.0 - cover) * where
    return Layers(colour=colour / cover.clamp(min=1e-6), cover=cover)


def ask_tangles(tangles: Tangles, seeds: Tensor, count: int, held_out: bool = False) -> Questions:
    """Ask where the asked line leads, `count` questions per picture.

    Args:
        tangles: What the pictures show.
        seeds: `[batch]`, int64.
        count: Questions per picture.
        held_out: Use the wordings that are kept out of training instead of those in it.

    Returns:
        Tensors of `[batch, count]`.
    """
    reached = tangles.colour.gather(1, tangles.end.gather(1, tangles.asked[:, None]))[:, 0]
    letter = constant(indices(LETTERS), seeds.device)[tangles.asked]
    asked = Asked(
        "end",
        answer=reached.repeat_interleave(count),
        pool=tangles.colour.repeat_interleave(count, dim=0),
        subject=letter.repeat_interleave(count),
    )
    return pose([asked], each_question(seeds, count), count, held_out)


@functools.cache
def _curves() -> tuple[tuple[tuple[float, ...], ...], ...]:
    """Values and slopes in every column of the step from 0 to 1 and of the wiggles, which leave and arrive level.

    A table made in Python, so that rows are the same to the last bit on any device.
    """
    span = _LAST - _FIRST
    at = [min(max((column - _FIRST) / span, 0.0), 1.0) for column in range(SIZE)]
    values, slopes = [tuple(t * t * (3 - 2 * t) for t in at)], [tuple(6 * t * (1 - t) / span for t in at)]
    for wave in range(1, _WAVES + 1):
        # The sine of the wave times the sine of half a turn, as a difference of cosines.
        slow, fast = math.pi * (wave - 1), math.pi * (wave + 1)
        values.append(tuple((math.cos(slow * t) - math.cos(fast * t)) / 2 for t in at))
        slopes.append(tuple((fast * math.sin(fast * t) - slow * math.sin(slow * t)) / 2 / span for t in at))
    return tuple(values), tuple(slopes)


def _ways(seeds: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and slopes of lines for every try: `[batch, tries, 4, 128]` each."""
    device = seeds.device
    values, slopes = constant(_curves(), device)
    shape = (-1, _TRIES, _LINES, 2)
    size = 14.0 + 22.0 * uniform(seeds, 144, _TRIES * _LINES * 2).view(shape)
    sign = 1.0 - 2.0 * integers(seeds, 145, _TRIES * _LINES * 2, 2).view(shape)
    # A slow wiggle, and a faster one that is smaller.
    wave = integers(seeds, 146, _TRIES * _LINES * 2, 3).view(shape) + constant((1, 3), device)
    size = size * sign * constant((1.0, 0.4), device)

    first = torch.arange(_LINES, device=device)
    begin, rise = (_TOP + _PITCH * first)[:, None], (_PITCH * (end - first)).float()[:, None, :, None]
    plain = begin + rise * values[0]
    wiggle = size[..., :1] * values[wave[..., 0]] + size[..., 1:] * values[wave[..., 1]]
    bend = size[..., :1] * slopes[wave[..., 0]] + size[..., 1:] * slopes[wave[..., 1]]
    # Wiggles are made as small as the picture demands.
    room = torch.where(wiggle < 0, plain - _RIM, SIZE - 1 - _RIM - plain)
    fit = (room / wiggle.abs().clamp(min=1e-3)).amin(dim=3, keepdim=True).clamp(max=1.0)
    return plain + fit * wiggle, rise * slopes[0] + fit * bend


def _cost(rows: Tensor, slopes: Tensor) -> Tensor:
    """How bad each try is, `[batch, tries]`, int64, never the same for two tries of a seed.

    Bad are lines that run side by side, that are steep, or that cross no other. Every other column is looked at.
    """
    rows, slopes = rows[..., _FIRST : _LAST + 1 : 2], slopes[..., _FIRST : _LAST + 1 : 2]
    one, two = constant(_PAIRS, rows.device)
    gap = rows[:, :, one] - rows[:, :, two]
    steep, other = slopes[:, :, one], slopes[:, :, two]
    norm = (1.0 + steep * steep) * (1.0 + other * other)
    turned = (steep - other) ** 2
    # Nearer than 7 pixels at less than 35 degrees.
    beside = (gap * gap < 49.0 * norm.sqrt()) & (turned < 0.33 * norm)
    crossed = (gap[..., 1:] * gap[..., :-1] <= 0).sum(dim=3)
    lone = torch.zeros(*crossed.shape[:2], _LINES, dtype=torch.int64, device=rows.device)
    lone = lone.index_add(2, one, crossed).index_add(2, two, crossed) == 0
    wild = (slopes.abs() > 2.5).sum(dim=(2, 3))
    cost = 3 * beside.sum(dim=(2, 3)) + wild + 30 * lone.sum(dim=2) - crossed.sum(dim=2)
    return cost * _TRIES + torch.arange(_TRIES, device=rows.device)


def _letters(device: torch.device) -> Tensor:
    """Cover of the letters at the left edge: `[128, 128]`."""
    coverage, _ = glyphs(device)
    places = [GLYPHS.index(letter) for letter in LETTERS]
    tiles = coverage[0, places[0] : places[-1] + 1].float()[:, None] / 255.0
    small = torch.nn.functional.interpolate(tiles, _LETTER, mode="bilinear", antialias=True)[:, 0]
    rim = _PITCH - _LETTER[0]
    column = torch.nn.functional.pad(small, (0, 0, rim // 2, rim - rim // 2)).flatten(0, 1)
    above = _TOP - _PITCH // 2
    return torch.nn.functional.pad(column, (3, SIZE - 3 - _LETTER[1], above, SIZE - above - len(column)))
