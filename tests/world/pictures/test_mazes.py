"""Mazes, checked by a flood fill that knows nothing of how they were made."""

import torch

from g2u.world.materials.words import COLOURS
from g2u.world.pictures.mazes import EXIT_COLOURS, ROOMS, TRACES, ask_mazes, paint_mazes, sample_mazes

SEEDS = torch.arange(200)
MAZES = sample_mazes(SEEDS)
CORNERS = [(1, 1), (1, 2 * ROOMS - 1), (2 * ROOMS - 1, 1), (2 * ROOMS - 1, 2 * ROOMS - 1)]


def start_tile(row: int) -> tuple[int, int]:
    room = int(MAZES.start[row])
    return 2 * (room // ROOMS) + 1, 2 * (room % ROOMS) + 1


def flood(floor: torch.Tensor, start: tuple[int, int]) -> set[tuple[int, int]]:
    reached, edge = {start}, [start]
    while edge:
        y, x = edge.pop()
        for tile in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
            if tile not in reached and floor[tile]:
                reached.add(tile)
                edge.append(tile)
    return reached


def test_exactly_the_named_exit_can_be_reached() -> None:
    for row in range(len(MAZES.start)):
        reached = flood(MAZES.open[row], start_tile(row))
        assert [corner in reached for corner in CORNERS] == [i == MAZES.reached[row] for i in range(4)]


def test_the_way_joins_start_and_exit_and_has_no_detour() -> None:
    for row in range(len(MAZES.start)):
        start, end = start_tile(row), CORNERS[int(MAZES.reached[row])]
        way = {(int(y), int(x)) for y, x in MAZES.way[row].nonzero()}
        assert not way & {start, end}
        path = MAZES.open[row] & MAZES.way[row]
        path[start] = path[end] = True
        assert int(path.sum()) == len(way) + 2, "the way runs on floor"
        assert flood(path, start) == way | {start, end}
        neighbours = [
            sum((y + dy, x + dx) in way | {start, end} for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))) for y, x in way
        ]
        assert set(neighbours) == {2}


def test_starts_are_never_beside_an_exit() -> None:
    assert all(len(MAZES.way[row].nonzero()) >= 2 for row in range(len(MAZES.start)))


def test_a_traced_maze_differs_from_a_plain_one_on_its_way_alone() -> None:
    colour = SEEDS % len(TRACES)
    layers = [paint_mazes(MAZES, torch.full_like(SEEDS, bare, dtype=torch.bool), colour) for bare in (True, False)]
    assert all((layer.cover == 1).all() for layer in layers), "mazes hide the ground"
    changed = (layers[0].colour != layers[1].colour).any(dim=1)
    tiles = changed[:, 12:-12, 12:-12].unflatten(1, (13, 8)).unflatten(3, (13, 8))
    assert torch.equal(tiles.any(dim=4).any(dim=2), MAZES.way)
    assert torch.equal(tiles.all(dim=4).all(dim=2), MAZES.way)
    assert not changed[:, :12].any() and not changed[:, -12:].any()
    tints = torch.tensor(list(TRACES.values()))[colour][:, :, None, None].expand_as(layers[1].colour)
    assert torch.equal(layers[1].colour.permute(0, 2, 3, 1)[changed], tints.permute(0, 2, 3, 1)[changed])


def test_the_answer_is_the_colour_of_the_exit_in_reach() -> None:
    picture = paint_mazes(MAZES, SEEDS >= 0, SEEDS * 0).colour
    questions = ask_mazes(MAZES, SEEDS, 2)
    palette = {name: torch.tensor(COLOURS[name]) for name in EXIT_COLOURS}
    for row in range(len(SEEDS)):
        reached = flood(MAZES.open[row], start_tile(row))
        shown = {corner: picture[row, :, 12 + 8 * corner[0] + 4, 12 + 8 * corner[1] + 4] for corner in CORNERS}
        names = {
            corner: next(name for name, rgb in palette.items() if torch.equal(rgb, pixel))
            for corner, pixel in shown.items()
        }
        for number in range(2):
            question = questions[row, number]
            options = question.option_words()
            assert set(options) == set(names.values())
            assert [options[int(question.answer)]] == [names[corner] for corner in CORNERS if corner in reached]


def test_exits_have_four_different_colours_none_of_them_the_start_s() -> None:
    assert all(len(set(row)) == 4 for row in MAZES.exit_colour.tolist())
    assert "red" not in EXIT_COLOURS and set(EXIT_COLOURS) <= set(COLOURS)
