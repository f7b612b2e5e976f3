"""Charts: four bars of four colours and four heights, on a plate with a line at every unit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..materials.layers import SIZE, Layers
from ..materials.words import COLOUR, COLOURS, NUMBERS, indices
from ..questions.posing import Asked, each_question, pose, yes_no
from ..questions.questions import Questions
from ..seeds import constant, integers, permutation, uniform

BARS = 4
HIGHEST = 9
"""Units of the highest bar that there can be."""
BAR_COLOURS = tuple(name for name in COLOURS if name not in ("white", "gray"))
"""Colours of bars: none is like the plate or its lines."""

_RGB = tuple(COLOURS.values())
_VALUES = indices(NUMBERS[1 : HIGHEST + 1])
_DARK = 0.15
"""Axes and borders."""
_THIN, _STRONG = 0.20, 0.45
"""How much darker than the plate its lines are."""
_RIM = 4
"""Pixels at the rim of the picture that stay free."""
_ABOVE, _BELOW = 8, 8
"""Pixels of plate above the uppermost line and from the lower axis down."""


@dataclass(frozen=True)
class Charts:
    """A batch of charts; lengths and places in pixels, whole numbers."""

    colour: Tensor
    """`[batch, 4]`, index into `WORDS` of each bar's colour, from left to right."""
    value: Tensor
    """`[batch, 4]`, units of each bar's height, 1 to 9, all different."""
    plate: Tensor
    """`[batch, 3]`, colour behind the bars."""
    origin: Tensor
    """`[batch, 2]`, (x, y) where the axes meet: the column right of the one axis, the first row of the other."""
    unit: Tensor
    """`[batch]`, length of a unit."""
    left: Tensor
    """`[batch, 4]`, first column of each bar."""
    width: Tensor
    """`[batch]`, of every bar."""


def sample_charts(seeds: Tensor) -> Charts:
    """Choose the chart of each seed (`[batch]`, int64)."""
    device = seeds.device
    unit = 9 + integers(seeds, 127, 1, 3)[:, 0]
    high, low = HIGHEST * unit + _ABOVE + _RIM, SIZE - _RIM - _BELOW
    floor = high + (uniform(seeds, 124, 1)[:, 0] * (low + 1 - high)).long()
    origin = torch.stack([11 + integers(seeds, 123, 1, 5)[:, 0], floor], dim=1)
    pitch = 23 + integers(seeds, 125, 1, 3)
    place = pitch * torch.arange(BARS, device=device) + integers(seeds, 126, BARS, 4)
    order = permutation(seeds, 120, len(BAR_COLOURS))[:, :BARS]
    return Charts(
        colour=constant(indices(BAR_COLOURS), device)[order],
        value=1 + permutation(seeds, 121, HIGHEST)[:, :BARS],
        plate=0.90 + 0.09 * uniform(seeds, 122, 3),
        origin=origin,
        unit=unit,
        left=origin[:, :1] + 4 + place,
        width=14 + integers(seeds, 128, 1, 5)[:, 0],
    )


def paint_charts(charts: Charts) -> Layers:
    """Paint the plate, its lines, the axes and the bars."""
    device = charts.value.device
    x = torch.arange(SIZE, device=device)
    y = x[None, :, None]
    side, floor = (charts.origin[:, axis, None, None] for axis in (0, 1))
    unit = charts.unit[:, None, None]

    ceiling = floor - HIGHEST * unit - _ABOVE
    plate = (x >= side - 7) & (x < SIZE - _RIM) & (y >= ceiling) & (y < floor + _BELOW)
    above = floor - y
    held = (x >= side) & (x < SIZE - 8) & (above > 0) & (above <= HIGHEST * unit)
    thin = held & (above % unit == 0)
    strong = held & ((above - 5 * unit == 0) | (above - 5 * unit == 1))
    axis = (x >= side - 2) & (x < SIZE - 8) & (y >= ceiling + 4) & (y < floor + 2) & ((x < side) | (y >= floor))

    bars = (x >= charts.left[..., None]) & (x < (charts.left + charts.width[:, None])[..., None])
    rim = (x < charts.left[..., None] + 1) | (x >= (charts.left + charts.width[:, None])[..., None] - 1)
    height = (bars * (charts.value * charts.unit[:, None])[..., None]).sum(dim=1)[:, None]
    filled = (above > 0) & (above <= height)
    border = filled & ((above == height) | (bars & rim).any(dim=1)[:, None])
    paint = constant(_RGB, device)[charts.colour - COLOUR]
    across = (bars[:, :, None] * paint[..., None]).sum(dim=1)

    lines = torch.maximum(thin * _THIN, strong * _STRONG)[:, None]
    picture = charts.plate[:, :, None, None] * (1.0 - lines)
    picture = torch.where(filled[:, None], across[:, :, None], picture)
    picture = picture.masked_fill((border | axis)[:, None], _DARK)
    return Layers(colour=picture, cover=plate[:, None].float())


def ask_charts(charts: Charts, seeds: Tensor, count: int, held_out: bool = False) -> Questions:
    """Ask for the value of a bar, the highest or lowest, or which of two is higher, `count` questions per picture.

    Args:
        charts: What the pictures show.
        seeds: `[batch]`, int64.
        count: Questions per picture.
        held_out: Use the wordings that are kept out of training instead of those in it.

    Returns:
        Tensors of `[batch, count]`.
    """
    each = each_question(seeds, count)
    colour, value = charts.colour.repeat_interleave(count, dim=0), charts.value.repeat_interleave(count, dim=0)
    values = constant(_VALUES, seeds.device)
    two = permutation(each, 130, BARS)[:, :2]
    pair, heights = colour.gather(1, two), value.gather(1, two)
    relation = integers(each, 131, 1, 2)[:, 0]

    lowest = relation == 1
    extreme = torch.where(lowest, value.argmin(dim=1), value.argmax(dim=1))
    # The order of the pair is as drawn, so that yes is right as often as no.
    holds = (heights[:, 0] > heights[:, 1]) ^ lowest
    answer, pool = yes_no(holds)
    asked = [
        Asked("value", values[heights[:, 0] - 1], values.expand(len(each), -1), subject=pair[:, 0]),
        Asked("extreme", colour.gather(1, extreme[:, None])[:, 0], colour, relation=relation),
        Asked("compare", answer, pool, subject=pair[:, 0], other=pair[:, 1], relation=relation),
    ]
    return pose(asked, each, count, held_out)
