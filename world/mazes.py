"""Mazes: a start, four coloured exits in the corners, one of them in reach.

Each maze is a random spanning tree of a 6x6 lattice of rooms (Prim's algorithm on random weights, vectorised over the
batch), in which one door on the way to every other exit has been walled up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from g2u.world.scenes import COLOURS, SIZE
from g2u.world.seeds import choose, permutation, uniform

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
    inner = torch.zeros(ROOMS, ROOMS, dtype=torch.bool, device=device)
    inner[1:-1, 1:-1] = True
    start = choose(seeds, 11, inner.view(1, -1).expand(batch, _CELLS))
    parent = _spanning_tree(uniform(seeds, 12, _CELLS * 2), start)

    corners = torch.tensor(_CORNERS, device=device)
    on_way = torch.stack([_ancestors(parent, corner.expand(batch)) for corner in corners], dim=1)
    # An exit through which another exit is reached would have to stay open with it: only "nearest" exits qualify.
    nearest = on_way[:, :, corners].sum(dim=2) == 1
    reached = choose(seeds, 13, nearest)
    kept = on_way[rows, reached]

    shut = torch.zeros(batch, _CELLS, dtype=torch.bool, device=device)
    for index in range(4):
        candidates = on_way[:, index] & ~kept
        other = reached != index
        candidates = candidates | ~other[:, None]
        door = choose(seeds, 14 + index, candidates)
        shut[rows[other], door[other]] = True

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
    way[rows, _tile(start)] = False
    shape = (batch, _TILES, _TILES)
    return Mazes(
        open=tiles.view(shape),
        way=way.view(shape),
        start=start,
        exit_colour=permutation(seeds, 18, len(EXIT_COLOURS))[:, :4],
        reached=reached,
    )


def render_mazes(mazes: Mazes, trace: Tensor | None = None) -> Tensor:
    """Paint mazes: `[batch, 3, 128, 128]`, float32 in [0, 1].

    Args:
        mazes: What to paint.
        trace: `[batch]` index into `TRACES` of the colour in which the way is drawn; `None` leaves it out.
    """
    batch, device = mazes.start.shape[0], mazes.start.device
    floor = torch.where(mazes.open, _FLOOR, _WALL).view(batch, 1, -1).expand(batch, 3, -1).clone()
    if trace is not None:
        tint = torch.tensor(list(TRACES.values()), device=device)[trace]
        floor = torch.where(mazes.way.view(batch, 1, -1), tint[:, :, None], floor)
    palette = torch.tensor([COLOURS[name] for name in EXIT_COLOURS], device=device)
    corners = _tile(torch.tensor(_CORNERS, device=device))
    floor[:, :, corners] = palette[mazes.exit_colour].transpose(1, 2)
    red = torch.tensor(COLOURS["red"], device=device)[:, None].expand(3, 1)
    floor.scatter_(2, _tile(mazes.start)[:, None, None].expand(batch, 3, 1), red.expand(batch, 3, 1))
    tiles = floor.view(batch, 3, _TILES, _TILES)
    picture = tiles.repeat_interleave(_TILE, dim=2).repeat_interleave(_TILE, dim=3)
    margin = (SIZE - _TILES * _TILE) // 2
    return torch.nn.functional.pad(picture, (margin,) * 4, value=_WALL)


def _tile(room: Tensor) -> Tensor:
    return (2 * (room // ROOMS) + 1) * _TILES + 2 * (room % ROOMS) + 1


def _spanning_tree(weights: Tensor, root: Tensor) -> Tensor:
    """Parents `[batch, rooms]` of Prim's tree; weights `[batch, 2 * rooms]`: door to the right, door below."""
    batch, device = root.shape[0], root.device
    cost = torch.full((batch, _CELLS, _CELLS), torch.inf, device=device)
    for room in range(_CELLS):
        for neighbour, kind in ((room + 1, 0), (room + ROOMS, 1)):
            if (kind == 0 and room % ROOMS == ROOMS - 1) or neighbour >= _CELLS:
                continue
            cost[:, room, neighbour] = cost[:, neighbour, room] = weights[:, kind * _CELLS + room]
    rows = torch.arange(batch, device=device)
    best, parent = cost[rows, root], root[:, None].repeat(1, _CELLS)
    inside = torch.zeros(batch, _CELLS, dtype=torch.bool, device=device)
    inside[rows, root] = True
    for _ in range(_CELLS - 1):
        new = best.masked_fill(inside, torch.inf).argmin(dim=1)
        inside[rows, new] = True
        nearer = (cost[rows, new] < best) & ~inside
        best = torch.where(nearer, cost[rows, new], best)
        parent = torch.where(nearer, new[:, None], parent)
    return parent


def _ancestors(parent: Tensor, room: Tensor) -> Tensor:
    """Rooms from `room` up to the root, both in: `[batch, rooms]`, bool."""
    seen = torch.zeros_like(parent, dtype=torch.bool)
    for _ in range(_CELLS):
        seen.scatter_(1, room[:, None], True)
        room = parent.gather(1, room[:, None])[:, 0]
    return seen
