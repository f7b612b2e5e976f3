"""Mazes: a start, four coloured exits in the corners, one of them in reach.

Each maze is a random spanning tree of a 6x6 lattice of rooms (Prim's algorithm on random weights, vectorised over the
batch), in which one door on the way to every other exit has been walled up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..materials.layers import SIZE, Layers
from ..materials.words import COLOURS, indices
from ..questions.posing import Asked, each_question, pose
from ..questions.questions import Questions
from ..seeds import choose, constant, permutation, uniform

ROOMS = 6
"""Rooms per side."""
EXIT_COLOURS = ("orange", "yellow", "teal", "blue", "purple", "pink")
"""Colours of exits; red is the start, and no traced way has one of them but blue and its tint."""
TRACES: dict[str, tuple[float, float, float]] = {
    "red": (0.93, 0.42, 0.42),
    "green": (0.45, 0.80, 0.50),
    "blue": (0.45, 0.58, 0.95),
}
"""Colour argument of the edit `trace_path` to the tint of the drawn way."""

_CELLS = ROOMS * ROOMS
_TILES = 2 * ROOMS + 1
_TILE = 8
_CORNERS = (0, ROOMS - 1, _CELLS - ROOMS, _CELLS - 1)
_RIGHT = [room for room in range(_CELLS) if room % ROOMS < ROOMS - 1]
_BELOW = [room for room in range(_CELLS - ROOMS)]
_DOORS = (
    (*_RIGHT, *_BELOW),
    (*(room + 1 for room in _RIGHT), *(room + ROOMS for room in _BELOW)),
    (*_RIGHT, *(room + _CELLS for room in _BELOW)),
)
"""Of every door: the room on either side and the place of its weight."""
_INNER = tuple(0 < room // ROOMS < ROOMS - 1 and 0 < room % ROOMS < ROOMS - 1 for room in range(_CELLS))
"""Whether a start may lie in a room: not on the rim, where an exit may be next door."""
_WALL, _FLOOR = 0.10, 0.96


@dataclass(frozen=True)
class Mazes:
    """A batch of mazes."""

    open: Tensor
    """`[batch, 13, 13]`, bool: floor, as tiles; room (r, c) is tile (2r+1, 2c+1)."""
    way: Tensor
    """`[batch, 13, 13]`, bool: tiles between start and the exit in reach, both left out."""
    start: Tensor
    """`[batch]`, room of the start."""
    exit_colour: Tensor
    """`[batch, 4]`, index into `EXIT_COLOURS` of the exit in each corner."""
    reached: Tensor
    """`[batch]`, which corner can be reached."""


def sample_mazes(seeds: Tensor) -> Mazes:
    """Build the maze of each seed (`[batch]`, int64)."""
    batch, device = seeds.shape[0], seeds.device
    rows = torch.arange(batch, device=device)
    start = choose(seeds, 11, constant(_INNER, device).expand(batch, -1))
    parent = _spanning_tree(uniform(seeds, 12, _CELLS * 2), start)

    corners = constant(_CORNERS, device)
    on_way = _ancestors(parent, corners.expand(batch, -1))
    # An exit through which another exit is reached would have to stay open with it: only "nearest" exits qualify.
    nearest = on_way[:, :, corners].sum(dim=2) == 1
    reached = choose(seeds, 13, nearest)
    kept = on_way[rows, reached]

    # Wall up one door on every other exit's way, above where it leaves the way that is kept.
    unkept = on_way & ~kept[:, None]
    doors = [choose(seeds, 14 + index, unkept[:, index]) for index in range(4)]
    others = corners != corners[reached][:, None]
    shut = torch.zeros(batch, _CELLS, device=device)
    shut = shut.scatter_add(1, torch.stack(doors, dim=1), others.float()) > 0

    tiles = torch.zeros(batch, _TILES * _TILES, dtype=torch.bool, device=device)
    way = torch.zeros_like(tiles)
    room = torch.arange(_CELLS, device=device).expand(batch, _CELLS)
    centre, doorway = _tile(room), (_tile(room) + _tile(parent)) // 2
    tiles.scatter_(1, centre, True)
    tiles.scatter_(1, doorway, ~shut | (room == start[:, None]))
    ends = (room == start[:, None]) | (room == corners[reached][:, None])
    way.scatter_(1, centre, kept & ~ends)
    # The start is its own parent, so its "doorway" is its own tile, which must stay free of the way.
    way.scatter_(1, doorway, kept & (room != start[:, None]))
    way.scatter_(1, _tile(start)[:, None], False)
    shape = (batch, _TILES, _TILES)
    return Mazes(
        open=tiles.view(shape),
        way=way.view(shape),
        start=start,
        exit_colour=permutation(seeds, 18, len(EXIT_COLOURS))[:, :4],
        reached=reached,
    )


def paint_mazes(mazes: Mazes, bare: Tensor, colour: Tensor) -> Layers:
    """Paint mazes; they hide all of the ground.

    Args:
        mazes: What to paint.
        bare: `[batch]`, bool: without the way.
        colour: `[batch]`, index into `TRACES`, in which the way is drawn.
    """
    batch, device = mazes.start.shape[0], mazes.start.device
    floor = (mazes.open * (_FLOOR - _WALL) + _WALL).view(batch, 1, -1).expand(batch, 3, -1)
    tint = constant(tuple(TRACES.values()), device)[colour]
    way = mazes.way.view(batch, 1, -1) & ~bare[:, None, None]
    floor = torch.where(way, tint[:, :, None], floor).clone()
    palette = constant(tuple(COLOURS[name] for name in EXIT_COLOURS), device)
    corners = _tile(constant(_CORNERS, device))
    floor[:, :, corners] = palette[mazes.exit_colour].transpose(1, 2)
    red = constant(COLOURS["red"], device)[:, None]
    floor.scatter_(2, _tile(mazes.start)[:, None, None].expand(batch, 3, 1), red.expand(batch, 3, 1))
    tiles = floor.view(batch, 3, _TILES, _TILES)
    picture = tiles.repeat_interleave(_TILE, dim=2).repeat_interleave(_TILE, dim=3)
    margin = (SIZE - _TILES * _TILE) // 2
    picture = torch.nn.functional.pad(picture, (margin,) * 4, value=_WALL)
    return Layers(picture, torch.ones_like(picture[:, :1]))


def ask_mazes(mazes: Mazes, seeds: Tensor, count: int, held_out: bool = False) -> Questions:
    """Ask which exit can be reached; arguments as for `ask_scenes`."""
    seeds = each_question(seeds, count)
    exits = constant(indices(EXIT_COLOURS), seeds.device)[mazes.exit_colour]
    answer = exits.gather(1, mazes.reached[:, None])[:, 0]
    return pose(
        [Asked("exit", answer.repeat_interleave(count), exits.repeat_interleave(count, dim=0))], seeds, count, held_out
    )


def _tile(room: Tensor) -> Tensor:
    return (2 * (room // ROOMS) + 1) * _TILES + 2 * (room % ROOMS) + 1


def _spanning_tree(weights: Tensor, root: Tensor) -> Tensor:
    """Parents `[batch, rooms]` of Prim's tree; weights `[batch, 2 * rooms]`: door to the right, door below."""
    batch, device = root.shape[0], root.device
    one, two, door = constant(_DOORS, device)
    cost = torch.full((batch, _CELLS, _CELLS), torch.inf, device=device)
    cost[:, one, two] = weights[:, door]
    cost[:, two, one] = weights[:, door]
    rows = torch.arange(batch, device=device)
    best, parent = cost[rows, root], root[:, None].repeat(1, _CELLS)
    inside = torch.zeros(batch, _CELLS, dtype=torch.bool, device=device)
    inside.scatter_(1, root[:, None], True)
    for _ in range(_CELLS - 1):
        new = best.masked_fill(inside, torch.inf).argmin(dim=1)
        inside.scatter_(1, new[:, None], True)
        nearer = (cost[rows, new] < best) & ~inside
        best = torch.where(nearer, cost[rows, new], best)
        parent = torch.where(nearer, new[:, None], parent)
    return parent


def _ancestors(parent: Tensor, rooms: Tensor) -> Tensor:
    """Rooms from each of `rooms` `[batch, n]` up to the root, both in: `[batch, n, rooms]`, bool."""
    seen = torch.zeros(*rooms.shape, _CELLS, dtype=torch.bool, device=rooms.device)
    for _ in range(_CELLS):
        seen.scatter_(2, rooms[:, :, None], True)
        rooms = parent.gather(1, rooms)
    return seen
