"""Things: coloured shapes and emoji, painted on square tiles.

Shapes are signed distances (negative inside) in units of their radius, so that every edge is anti-aliased the same way;
each has a thin dark border, without which a white shape on a light ground would not be there. Emoji come from the
atlas, resampled to the size of the tile's radius.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ..seeds import constant
from . import atlas
from .words import COLOURS, CONCEPT, SHAPE, SHAPES

BORDER = 2.0
"""Width of the border of a shape, pixels."""
INK = (0.16, 0.16, 0.18)
"""Colour of borders and arrows."""

Distance = Callable[[Tensor, Tensor], Tensor]


def _star(u: Tensor, v: Tensor) -> Tensor:
    # Fold the five tips onto one half tip; its edge runs from the tip (1, 0) to the notch at 36 degrees.
    fold = 2 * torch.pi / 5
    angle = torch.remainder(torch.atan2(u, -v) + fold / 2, fold) - fold / 2
    length = torch.hypot(u, v)
    x, y = length * torch.cos(angle), length * torch.sin(angle).abs()
    notch_x, notch_y = 0.42 * 0.809, 0.42 * 0.588
    edge_x, edge_y = notch_x - 1.0, notch_y
    distance: Tensor = ((1.0 - x) * edge_y + y * edge_x) / -math.hypot(edge_x, edge_y)
    return distance


def _heart(u: Tensor, v: Tensor) -> Tensor:
    lobe = torch.hypot(u.abs() - 0.42, v + 0.3) - 0.5
    tip = torch.maximum(0.75 * u.abs() + 0.66 * v - 0.617, -v)
    return torch.minimum(lobe, tip)


def _cross(u: Tensor, v: Tensor) -> Tensor:
    bar = torch.maximum(u.abs() - 0.95, v.abs() - 0.32)
    post = torch.maximum(u.abs() - 0.32, v.abs() - 0.95)
    return torch.minimum(bar, post)


def _polygon(corners: int) -> Distance:
    def distance(u: Tensor, v: Tensor) -> Tensor:
        fold = 2 * math.pi / corners
        angle = torch.remainder(torch.atan2(u, -v), fold) - fold / 2
        return torch.hypot(u, v) * torch.cos(angle) - 0.95 * math.cos(fold / 2)

    return distance


def _crescent(u: Tensor, v: Tensor) -> Tensor:
    return torch.maximum(torch.hypot(u, v) - 0.95, 0.72 - torch.hypot(u - 0.45, v + 0.1))


DISTANCES: dict[str, Distance] = {
    "circle": lambda u, v: torch.hypot(u, v) - 0.92,
    "square": lambda u, v: torch.maximum(u.abs(), v.abs()) - 0.82,
    "triangle": lambda u, v: torch.maximum(v - 0.72, 0.894 * u.abs() - 0.447 * v - 0.45),
    "diamond": lambda u, v: (u.abs() + v.abs() - 1.08) * 0.707,
    "star": _star,
    "cross": _cross,
    "ring": lambda u, v: (torch.hypot(u, v) - 0.68).abs() - 0.26,
    "heart": _heart,
    "oval": lambda u, v: (torch.hypot(u, v / 0.6) - 0.95) * 0.75,
    "pentagon": _polygon(5),
    "hexagon": _polygon(6),
    "crescent": _crescent,
}
"""Signed distance of each of `SHAPES` at (u, v), in radii from the centre; v points down."""


def arrow(u: Tensor, v: Tensor) -> Tensor:
    """Signed distance of an up-arrow with half a head, which tells turned from mirrored."""
    head = torch.maximum(torch.maximum(v + 0.05, 0.85 * u - 0.53 * v - 0.5), -u - 0.2)
    shaft = torch.maximum(u.abs() - 0.2, v.abs() - 0.95)
    return torch.minimum(head, shaft)


def tile_axes(offset: Tensor, radius: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Coordinates on square tiles, in radii from the centre of what is painted.

    Args:
        offset: `[.., 2]`, x and y of that centre from the centre of the tile, pixels.
        radius: `[..]`, pixels.
        side: Of the tile, pixels.

    Returns:
        u and v, each `[.., side, side]`.
    """
    axis = torch.arange(side, device=radius.device, dtype=torch.float32) + 0.5 - side / 2
    u = (axis - offset[..., 0, None]) / radius[..., None]
    v = (axis - offset[..., 1, None]) / radius[..., None]
    return u[..., None, :].expand(*radius.shape, side, side), v[..., :, None].expand(*radius.shape, side, side)


def paint_shapes(word: Tensor, colour: Tensor, u: Tensor, v: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
    """Paint one shape on each tile.

    Args:
        word: `[..]`, index into `WORDS` of a shape.
        colour: `[..]`, index into `COLOURS`.
        u: `[.., side, side]`, from `tile_axes`.
        v: As `u`.
        radius: `[..]`, pixels.

    Returns:
        Colours `[.., 3, side, side]` and cover `[.., 1, side, side]`.
    """
    distance = torch.full_like(u, 1.0)
    for index, name in enumerate(SHAPES):
        distance = torch.where((word == SHAPE + index)[..., None, None], DISTANCES[name](u, v), distance)
    distance = distance * radius[..., None, None]
    fill = constant(tuple(COLOURS.values()), word.device)[colour][..., None, None]
    inside = (0.5 - BORDER - distance).clamp(0, 1)[..., None, :, :]
    ink = constant(INK, word.device)[:, None, None]
    return ink + (fill - ink) * inside, (0.5 - distance).clamp(0, 1)[..., None, :, :]


def paint_emoji(word: Tensor, style: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Paint one emoji on each tile; it fills the square of its radius.

    Args:
        word: `[batch, n]`, index into `WORDS` of a concept.
        style: `[batch]`, index into `atlas.EMOJI_STYLES`.
        u: `[batch, n, side, side]`, from `tile_axes`.
        v: As `u`.

    Returns:
        Colours `[batch, n, 3, side, side]` and cover `[batch, n, 1, side, side]`.
    """
    tiles = atlas.emoji(word.device)[style[:, None], word - CONCEPT].float() / 255
    cover = tiles[:, :, 3:]
    tiles = torch.cat([tiles[:, :, :3] * cover, cover], dim=2).flatten(0, 1)
    drawn = functional.grid_sample(tiles, torch.stack([u, v], dim=-1).flatten(0, 1), align_corners=False)
    drawn = drawn.unflatten(0, word.shape)
    return drawn[:, :, :3] / drawn[:, :, 3:].clamp(min=1e-3), drawn[:, :, 3:]
