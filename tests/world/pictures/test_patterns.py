"""Patterns: what the frame cuts off follows from the tiles that can be seen."""

import torch

from g2u.world.materials.words import CONCEPT, WORDS, indices
from g2u.world.pictures.patterns import PERIOD, TILE, TILES, ask_patterns, paint_patterns, sample_patterns
from g2u.world.questions.phrasings import LINES
from tests.world.pictures.looks import look, nearest

SEEDS = torch.arange(80)
STYLES = (0, 1)
PATTERNS = sample_patterns(SEEDS, STYLES)
LAYERS = paint_patterns(PATTERNS)


def tile(row: int, down: int, across: int) -> tuple[torch.Tensor, torch.Tensor]:
    here = (slice(None), slice(down * TILE, (down + 1) * TILE), slice(across * TILE, (across + 1) * TILE))
    return LAYERS.colour[row][here], LAYERS.cover[row][here]


def alike(row: int, one: tuple[int, int], other: tuple[int, int]) -> bool:
    (colour, cover), (other_colour, other_cover) = tile(row, *one), tile(row, *other)
    return torch.equal(colour * cover, other_colour * other_cover)


def test_the_answer_is_what_the_last_tile_shows_and_what_the_others_foretell() -> None:
    questions = ask_patterns(PATTERNS, SEEDS, 2)
    lines = set()
    for row in range(len(SEEDS)):
        for number in range(2):
            question = questions[row, number]
            line = next(line for line in LINES if line in question.text())
            lines.add(line)
            down = 0 if line == "top" else TILES - 1
            # Tiles one and three are alike where two things take turns; of three things the fourth is the first again.
            foretold = 1 if alike(row, (down, 0), (down, 2)) else 0
            assert alike(row, (down, TILES - 1), (down, foretold))
            options = list(indices(question.option_words()))
            seen = look(*tile(row, down, TILES - 1), radius=TILE / 2 - 2)
            assert nearest(seen, int(PATTERNS.style[row]), options) == options[int(question.answer)]
    assert lines == set(LINES)


def test_patterns_have_two_or_three_things_and_offer_one_that_is_not_there() -> None:
    periods = set()
    questions = ask_patterns(PATTERNS, SEEDS, 1)
    for row in range(len(SEEDS)):
        things = PATTERNS.word[row, PATTERNS.place[row]].unique().tolist()
        periods.add(len(things))
        assert int(PATTERNS.absent[row]) not in PATTERNS.word[row].tolist()
        offered = {*PATTERNS.word[row].tolist(), int(PATTERNS.absent[row])}
        assert set(indices(questions[row, 0].option_words())) == offered
        assert all(CONCEPT <= word < len(WORDS) for word in offered)
    assert periods == {2, PERIOD}


def test_rows_are_shifted_in_some_patterns_and_not_in_others() -> None:
    first, second = PATTERNS.place[:, 0], PATTERNS.place[:, TILES]
    assert 0.2 < (first == second).float().mean() < 0.8


def test_things_stay_off_the_rims_of_their_tiles() -> None:
    tiles = LAYERS.cover.unflatten(3, (TILES, TILE)).unflatten(2, (TILES, TILE))
    for rim in (tiles[:, :, :, 0], tiles[:, :, :, -1], tiles[..., 0], tiles[..., -1]):
        assert rim.max() < 0.05
    assert (tiles.amax(dim=(3, 5)) > 0.9).all(), "no tile is empty"


def test_styles_are_those_that_may_be_used() -> None:
    assert set(PATTERNS.style.tolist()) == set(STYLES)
    assert set(sample_patterns(SEEDS, (2,)).style.tolist()) == {2}
