"""Conditions: what stands between a picture and an answer, and the edit that takes each of them away.

A picture is its content and a set of conditions. An edit takes its condition away and leaves all others, so the true
result of any edits in any order is the same content painted under the conditions that are left, and an edit whose
condition is not there leaves the picture as it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ..materials.layers import SIZE
from ..materials.words import COLOURS
from ..seeds import constant, integers, normal, uniform

CONDITIONS: dict[str, str] = {
    "untraced": "trace_path",
    "unmarked": "mark",
    "tangled": "follow_line",
    "faint": "outline",
    "busy": "rebuild_background",
    "shuffled": "arrange",
    "cluttered": "remove_distractors",
    "turned": "upright",
    "cropped": "outpaint",
    "bars": "inpaint",
    "faded": "colourise",
    "blur": "deblur",
    "pixelated": "sharpen",
    "noise": "denoise",
    "dark": "expose",
    "bright": "expose",
}
"""Condition to its edit, in the order in which they come about: the first is innermost. The gold edits of a picture
take the outermost away first. Of the first four, the painters of the contents know what they mean; the fifth is the
choice of the ground."""

PIECES = 2
"""Pieces per side of a shuffled picture."""
MARGIN = 24
"""Pixels that a crop cuts off."""
BLANK = (0.5, 0.5, 0.5)
"""Colour of the margin that a crop leaves."""

_ORDERS = tuple(itertools.permutations(range(PIECES**2)))[1:]

Strength = tuple[float, float]
Condition = Callable[[Tensor, Tensor, bool], Tensor]


def _between(seeds: Tensor, low_high: Strength) -> Tensor:
    """One number per picture: `[batch, 1, 1, 1, 1]`."""
    low, high = low_high
    return (low + (high - low) * uniform(seeds, 21, 1)[:, 0])[:, None, None, None, None]


def shuffled(pictures: Tensor, seeds: Tensor, fine: bool) -> Tensor:
    """Cut into quarters and put them together in a wrong order: one of the 23."""
    del fine
    pick = integers(seeds, 42, 1, len(_ORDERS))[:, 0]
    order = constant(_ORDERS, seeds.device)[pick][:, None, :, None, None, None]
    side = SIZE // PIECES
    pieces = pictures.unflatten(4, (PIECES, side)).unflatten(3, (PIECES, side))
    pieces = pieces.permute(0, 1, 3, 5, 2, 4, 6).flatten(2, 3)
    mixed = pieces.gather(2, order.expand_as(pieces)).unflatten(2, (PIECES, PIECES))
    together: Tensor = mixed.permute(0, 1, 4, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4)
    return together


def cluttered(pictures: Tensor, seeds: Tensor, fine: bool) -> Tensor:
    """Scatter discs and squares of any colour over it: one in about two of 64 cells."""
    del fine
    cells, side = 8, SIZE // 8

    def per_cell(stream: int, low: float, high: float) -> Tensor:
        value = low + (high - low) * uniform(seeds, stream, cells * cells)
        return value.view(-1, cells, cells).repeat_interleave(side, 1).repeat_interleave(side, 2)

    palette = constant(tuple(COLOURS.values()), seeds.device)
    colour = palette[per_cell(44, 0, len(COLOURS)).long()].movedim(-1, 1)
    axis = torch.arange(SIZE, device=seeds.device) % side + 0.5 - side / 2
    x, y = axis - per_cell(45, -2, 2), axis[:, None] - per_cell(46, -2, 2)
    distance = torch.where(per_cell(47, 0, 1) < 0.5, torch.hypot(x, y), torch.maximum(x.abs(), y.abs()))
    cover = (per_cell(48, 3.0, 6.0) + 0.5 - distance).clamp(0, 1) * (per_cell(49, 0, 1) < 0.6)
    return pictures + (colour[:, None] - pictures) * cover[:, None, None]


def turned(pictures: Tensor, seeds: Tensor, fine: bool) -> Tensor:
    """Turn by a quarter, a half or three quarters, or mirror left to right."""
    del fine
    kind = integers(seeds, 41, 1, 4)[:, :, None, None, None]
    seen = torch.where(kind == 0, pictures.flip(4), torch.rot90(pictures, 1, (3, 4)))
    seen = torch.where(kind == 2, torch.rot90(pictures, 2, (3, 4)), seen)
    return torch.where(kind == 3, torch.rot90(pictures, 3, (3, 4)), seen)


def cropped(pictures: Tensor, seeds: Tensor, fine: bool) -> Tensor:
    """Cut the right margin off."""
    del seeds, fine
    inside = torch.arange(SIZE, device=pictures.device) < SIZE - MARGIN
    return torch.where(inside, pictures, constant(BLANK, pictures.device)[:, None, None])


def bars(pictures: Tensor, seeds: Tensor, fine: bool) -> Tensor:
    """Lay slanted bars of one colour over it, which hide nearly half; thinner ones over fine pictures."""
    angle = 3.1416 * uniform(seeds, 24, 1)[:, :, None]
    period = _between(seeds, (9.0, 11.0) if fine else (13.0, 17.0))[:, :, 0, 0]
    axis = torch.arange(SIZE, device=pictures.device, dtype=torch.float32)
    way = (torch.cos(angle) * axis + torch.sin(angle) * axis[:, None]) / period + uniform(seeds, 25, 1)[:, :, None]
    colour = constant(tuple(COLOURS.values()), seeds.device)[integers(seeds, 26, 1, len(COLOURS))][..., None, None]
    return torch.where((torch.remainder(way, 1.0) < (0.40 if fine else 0.46))[:, None, None], colour, pictures)


def faded(pictures: Tensor, seeds: Tensor, fine: bool) -> Tensor:
    """Leave the lightness alone (luma of BT.601)."""
    del seeds, fine
    weights = constant((0.299, 0.587, 0.114), pictures.device)[:, None, None]
    return (pictures * weights).sum(dim=2, keepdim=True).expand_as(pictures)


def blur(pictures: Tensor, seeds: Tensor, fine: bool) -> Tensor:
    """Gaussian blur; at the edges the kernel is cut and scaled to one."""
    sigma = _between(seeds, (2.5, 3.5) if fine else (4.5, 6.0))[:, :, 0]
    place = torch.arange(SIZE, device=pictures.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * ((place - place[:, None]) / sigma[:, 0]) ** 2)
    kernel = (kernel / kernel.sum(dim=2, keepdim=True))[:, None, None]
    return kernel @ pictures @ kernel.mT


def pixelated(pictures: Tensor, seeds: Tensor, fine: bool) -> Tensor:
    """Average over coarse pixels: 11 per side, or 18 for fine pictures."""
    del seeds
    coarse = functional.interpolate(pictures.flatten(0, 1), 18 if fine else 11, mode="area")
    return functional.interpolate(coarse, SIZE).view_as(pictures)


def dark(pictures: Tensor, seeds: Tensor, fine: bool) -> Tensor:
    """Take most of the light away."""
    del fine
    return pictures * _between(seeds, (0.10, 0.18))


def bright(pictures: Tensor, seeds: Tensor, fine: bool) -> Tensor:
    """Add so much light that little contrast is left."""
    del fine
    return 1.0 - (1.0 - pictures) * _between(seeds, (0.10, 0.18))


def noise(pictures: Tensor, seeds: Tensor, fine: bool) -> Tensor:
    """Add independent normal noise to every value."""
    grain = normal(seeds, 22, 3 * SIZE * SIZE).view(-1, 1, 3, SIZE, SIZE)
    return (pictures + _between(seeds, (0.35, 0.50) if fine else (0.65, 0.90)) * grain).clamp(0, 1)


_FUNCTIONS: dict[str, Condition] = {
    "shuffled": shuffled,
    "cluttered": cluttered,
    "turned": turned,
    "cropped": cropped,
    "bars": bars,
    "faded": faded,
    "blur": blur,
    "pixelated": pixelated,
    "noise": noise,
    "dark": dark,
    "bright": bright,
}


def present(names: tuple[str, ...]) -> tuple[bool, ...]:
    """A set of conditions as flags, in the order of `CONDITIONS`."""
    return tuple(name in names for name in CONDITIONS)


def impose(pictures: Tensor, flags: Tensor, seeds: Tensor, possible: frozenset[str], fine: bool) -> Tensor:
    """Bring conditions about, innermost first.

    Args:
        pictures: `[batch, states, 3, 128, 128]`, in [0, 1].
        flags: `[batch, states, conditions]`, bool; those of the painters are passed over.
        seeds: `[batch]`, int64; all states of a picture share their chances.
        possible: Names that any flag may be set of.
        fine: The pictures show fine things, which weaker conditions hide.
    """
    for index, name in enumerate(CONDITIONS):
        if name in possible and name in _FUNCTIONS:
            here = flags[:, :, index, None, None, None]
            pictures = torch.where(here, _FUNCTIONS[name](pictures, seeds, fine), pictures)
    return pictures
