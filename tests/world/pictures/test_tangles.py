"""Tangles, solved in the pixels by walking along the drawn line."""

import torch

from g2u.world.materials.atlas import GLYPHS, glyphs
from g2u.world.materials.layers import SIZE
from g2u.world.materials.words import COLOURS, LETTERS, WORDS
from g2u.world.pictures.tangles import DISC_COLOURS, MAGENTA, ask_tangles, paint_tangles, sample_tangles
from g2u.world.questions.phrasings import PHRASINGS

SEEDS = torch.arange(240)
TANGLES = sample_tangles(SEEDS)
BARE = paint_tangles(TANGLES, torch.ones(len(SEEDS), dtype=torch.bool))
DRAWN = paint_tangles(TANGLES, torch.zeros(len(SEEDS), dtype=torch.bool))
ROWS = [19, 49, 79, 109]
"""Rows of letters and discs."""


def like(picture: torch.Tensor, colour: tuple[float, float, float]) -> torch.Tensor:
    return (picture - torch.tensor(colour)[:, None, None]).abs().amax(dim=-3) < 0.1


def walk(row: int) -> tuple[float, int, int]:
    """Where the drawn line begins, and the pixel (row, column) where it ends."""
    magenta = like(DRAWN.colour[row], MAGENTA) & (DRAWN.cover[row, 0] > 0.9)
    first, last = (int(magenta.any(dim=0).nonzero()[index, 0]) for index in (0, -1))
    middles = []
    for column in range(first, last + 1):
        rows = magenta[:, column].nonzero()[:, 0]
        assert len(rows) > 0, "the line has no gap"
        middles.append(float(rows.float().mean()))
    return middles[0], round(middles[-1]), last


def test_the_drawn_line_leads_from_the_letter_to_the_answer() -> None:
    questions = ask_tangles(TANGLES, SEEDS, 1)
    for row in range(len(SEEDS)):
        begin, y, x = walk(row)
        question = questions[row, 0]
        assert PHRASINGS[int(question.phrasing)].kind == "end"
        letter = min(range(4), key=lambda line: abs(ROWS[line] - begin))
        assert abs(ROWS[letter] - begin) < 3
        assert WORDS[int(question.subject)] == LETTERS[letter]
        disc = DRAWN.colour[row, :, y, x + 5]
        answer = question.option_words()[int(question.answer)]
        assert torch.allclose(disc, torch.tensor(COLOURS[answer]), atol=1e-3)


def test_options_are_the_colours_of_the_four_discs_and_right_at_every_place() -> None:
    questions = ask_tangles(TANGLES, SEEDS, 4)
    for row in range(len(SEEDS)):
        shown = set()
        for y in ROWS:
            pixel = BARE.colour[row, :, y, 113]
            shown |= {name for name in DISC_COLOURS if torch.allclose(pixel, torch.tensor(COLOURS[name]), atol=1e-3)}
        assert len(shown) == 4
        for number in range(4):
            options = questions[row, number].option_words()
            assert len(options) == 4 and set(options) == shown
    assert torch.bincount(questions.answer.flatten(), minlength=4).min() > 0.2 * questions.answer.numel()


def test_letters_stand_at_the_beginnings_of_their_lines() -> None:
    tiles = torch.stack([glyphs("cpu")[0][0, GLYPHS.index(letter)].float() / 255.0 for letter in LETTERS])
    small = torch.nn.functional.interpolate(tiles[:, None], (22, 19), mode="bilinear", antialias=True)[:, 0]
    for y, tile in zip(ROWS, range(4), strict=True):
        seen = BARE.cover[0, 0, y - 11 : y + 11, 3:22]
        distances = (small - seen).abs().mean(dim=(1, 2))
        assert int(distances.argmin()) == tile and distances[tile] < 0.02


def test_lines_are_painted_all_the_way_in_one_dark_colour() -> None:
    for row in range(60):
        for line in range(4):
            for x in range(26, 104):
                y = round(float(TANGLES.row[row, line, x]))
                assert BARE.cover[row, 0, y, x] > 0.7
        assert TANGLES.ink[row].max() <= 0.3
        assert int(TANGLES.row[row, :, 113].argsort().argsort().ne(TANGLES.end[row]).sum()) == 0


def test_a_bare_tangle_has_no_magenta_and_differs_along_the_line_alone() -> None:
    assert not (like(BARE.colour, MAGENTA) & (BARE.cover[:, 0] > 0)).any()
    changed = ((BARE.colour - DRAWN.colour).abs().amax(dim=1) > 1e-4) | (BARE.cover[:, 0] != DRAWN.cover[:, 0])
    asked = TANGLES.row[torch.arange(len(SEEDS)), TANGLES.asked]
    slope = TANGLES.slope[torch.arange(len(SEEDS)), TANGLES.asked]
    away = (torch.arange(SIZE)[:, None] - asked[:, None]).abs() / (1 + slope**2).sqrt()[:, None]
    assert not (changed & (away > 3.01)).any()
    assert changed.any(dim=2).any(dim=1).all()
    mixed = paint_tangles(TANGLES, SEEDS % 2 == 0)
    assert torch.equal(mixed.colour[::2], BARE.colour[::2]) and torch.equal(mixed.colour[1::2], DRAWN.colour[1::2])


def test_most_lines_cross_others_at_clear_angles() -> None:
    lines, slopes = TANGLES.row[:, :, 25:114], TANGLES.slope[:, :, 25:114].atan().rad2deg()
    crossings, angles = torch.zeros(len(SEEDS), 4), []
    for one in range(4):
        for two in range(one + 1, 4):
            gap = lines[:, one] - lines[:, two]
            cross = gap[:, 1:] * gap[:, :-1] <= 0
            crossings[:, one] += cross.sum(dim=1)
            crossings[:, two] += cross.sum(dim=1)
            angles.append((slopes[:, one] - slopes[:, two]).abs()[:, 1:][cross])
    assert (crossings > 0).all(dim=1).float().mean() > 0.75
    assert crossings.sum(dim=1).mean() / 2 > 4
    assert (torch.cat(angles) > 25).float().mean() > 0.95


def test_nothing_leaves_the_picture() -> None:
    for layers in (BARE, DRAWN):
        cover = layers.cover[:, 0]
        for edge in (cover[:, :3], cover[:, -3:], cover[:, :, :3], cover[:, :, -3:]):
            assert not edge.any()
        assert layers.colour.min() >= 0.0 and layers.colour.max() <= 1.0 and cover.max() <= 1.0


def test_no_disc_is_like_the_drawn_line() -> None:
    for name in DISC_COLOURS:
        assert max(abs(one - two) for one, two in zip(COLOURS[name], MAGENTA, strict=True)) > 0.4


def test_slopes_are_those_of_the_rows() -> None:
    rise = (TANGLES.row[..., 2:] - TANGLES.row[..., :-2]) / 2
    inner = slice(30, 108)
    assert (rise[..., inner] - TANGLES.slope[..., 1:-1][..., inner]).abs().max() < 0.1


def test_a_picture_does_not_depend_on_its_batch() -> None:
    questions = ask_tangles(TANGLES, SEEDS, 3)
    for row in (0, 7, 100):
        single = sample_tangles(SEEDS[row : row + 1])
        assert all(torch.equal(one[0], vars(TANGLES)[name][row]) for name, one in vars(single).items())
        assert torch.equal(paint_tangles(single, torch.tensor([False])).colour[0], DRAWN.colour[row])
        alone = ask_tangles(single, SEEDS[row : row + 1], 3)
        assert all(torch.equal(one[0], vars(questions)[name][row]) for name, one in vars(alone).items())


def test_every_line_is_asked_about_and_every_disc_is_the_end() -> None:
    reached = TANGLES.end.gather(1, TANGLES.asked[:, None])[:, 0]
    for places in (TANGLES.asked, reached):
        assert torch.bincount(places, minlength=4).min() > 0.17 * len(SEEDS)


def test_held_out_wordings_are_used_on_demand_alone() -> None:
    for held_out in (False, True):
        phrasing = ask_tangles(TANGLES, SEEDS, 4, held_out).phrasing.flatten().tolist()
        assert all(PHRASINGS[index].held_out == held_out for index in phrasing)
