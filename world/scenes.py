"""Scenes: five shapes of five colours on a light ground, and an arrow that says which way is up.

Shapes are signed distances (negative inside) in units of their radius, so that every edge is anti-aliased the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from g2u.world.seeds import constant, permutation, uniform

SIZE = 128
"""Side of every picture, in pixels."""
OBJECTS = 5
"""Shapes in a scene."""
GRID = 3
"""Cells per side; a cell holds one shape, the arrow or nothing."""
CELL = 40
"""Side of a cell, in pixels."""

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.87, 0.13, 0.13),
    "orange": (0.96, 0.55, 0.10),
    "yellow": (0.93, 0.83, 0.10),
    "green": (0.13, 0.63, 0.22),
    "teal": (0.10, 0.66, 0.70),
    "blue": (0.15, 0.30, 0.86),
    "purple": (0.52, 0.18, 0.72),
    "pink": (0.95, 0.55, 0.76),
}

_ARROW_COLOUR = (0.25, 0.25, 0.25)

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


def _arrow(u: Tensor, v: Tensor) -> Tensor:
    head = torch.maximum(v + 0.05, 0.8 * u.abs() - 0.6 * v - 0.6)
    shaft = torch.maximum(u.abs() - 0.24, (v - 0.4).abs() - 0.55)
    return torch.minimum(head, shaft)


SHAPES: dict[str, Distance] = {
    "circle": lambda u, v: torch.hypot(u, v) - 0.92,
    "square": lambda u, v: torch.maximum(u.abs(), v.abs()) - 0.82,
    "triangle": lambda u, v: torch.maximum(v - 0.72, 0.894 * u.abs() - 0.447 * v - 0.45),
    "diamond": lambda u, v: (u.abs() + v.abs() - 1.08) * 0.707,
    "star": _star,
    "cross": _cross,
    "ring": lambda u, v: (torch.hypot(u, v) - 0.70).abs() - 0.24,
    "heart": _heart,
}
"""Name to signed distance at (u, v), in radii from the centre; v points down."""


@dataclass(frozen=True)
class Scenes:
    """What a batch of scenes holds; the arrow is the sixth thing, after the five objects."""

    shape: Tensor
    """`[batch, 5]`, index into `SHAPES`; five different ones a scene."""
    colour: Tensor
    """`[batch, 5]`, index into `COLOURS`; five different ones a scene."""
    cell: Tensor
    """`[batch, 6]`, `row * 3 + column`; six different ones a scene."""
    offset: Tensor
    """`[batch, 6, 2]`, x and y from the centre of the cell, pixels."""
    radius: Tensor
    """`[batch, 6]`, pixels; with the offset it stays inside the cell."""
    ground: Tensor
    """`[batch, 3]`, in [0, 1]."""


def sample_scenes(seeds: Tensor) -> Scenes:
    """Decide what is in the scene of each seed (`[batch]`, int64)."""
    things = OBJECTS + 1
    return Scenes(
        shape=permutation(seeds, 4, len(SHAPES))[:, :OBJECTS],
        colour=permutation(seeds, 5, len(COLOURS))[:, :OBJECTS],
        cell=permutation(seeds, 1, GRID * GRID)[:, :things],
        offset=(uniform(seeds, 2, 2 * things).view(-1, things, 2) - 0.5) * 6.0,
        radius=13.0 + 3.0 * uniform(seeds, 3, things),
        ground=0.80 + 0.17 * uniform(seeds, 6, 3),
    )


def render_scenes(scenes: Scenes) -> Tensor:
    """Paint scenes: `[batch, 3, 128, 128]`, float32 in [0, 1]."""
    batch, device = scenes.ground.shape[0], scenes.ground.device
    palette = constant((*COLOURS.values(), _ARROW_COLOUR), device)
    arrow = torch.full((batch, 1), len(COLOURS), device=device)
    paint = palette[torch.cat([scenes.colour, arrow], dim=1)]
    # Nothing reaches out of its cell, so every cell is painted on its own and put in place.
    axis = torch.arange(CELL, device=device, dtype=torch.float32) + 0.5 - CELL / 2
    radius = scenes.radius[:, :, None, None]
    u = ((axis - scenes.offset[:, :, 0, None])[:, :, None, :] / radius).expand(-1, -1, CELL, -1)
    v = ((axis - scenes.offset[:, :, 1, None])[:, :, :, None] / radius).expand(-1, -1, -1, CELL)
    distance = _arrow(u, v)
    for shape, function in enumerate(SHAPES.values()):
        here = torch.nn.functional.pad(scenes.shape == shape, (0, 1), value=False)
        distance = torch.where(here[:, :, None, None], function(u, v), distance)
    cover = (0.5 - distance * radius).clamp(0, 1)[:, :, None]
    ground = scenes.ground[:, None, :, None, None]
    painted = ground * (1 - cover) + paint[:, :, :, None, None] * cover
    cells = ground.expand(-1, GRID * GRID, -1, CELL, CELL).clone()
    cells.scatter_(1, scenes.cell[:, :, None, None, None].expand_as(painted), painted)
    grid = cells.view(batch, GRID, GRID, 3, CELL, CELL).permute(0, 3, 1, 4, 2, 5).reshape(batch, 3, GRID * CELL, -1)
    margin = (SIZE - GRID * CELL) // 2
    picture = scenes.ground[:, :, None, None].expand(-1, -1, SIZE, SIZE).clone()
    picture[:, :, margin:-margin, margin:-margin] = grid
    return picture
