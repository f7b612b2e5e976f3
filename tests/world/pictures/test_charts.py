"""Charts, measured in the pixels by counting the lines of the plate that a bar reaches."""

from itertools import pairwise

import torch

from g2u.world.materials.layers import SIZE
from g2u.world.materials.words import COLOURS, SYNONYMS, WORDS
from g2u.world.pictures.charts import BAR_COLOURS, Charts, ask_charts, paint_charts, sample_charts
from g2u.world.questions.phrasings import PHRASINGS

SEEDS = torch.arange(240)
CHARTS = sample_charts(SEEDS)
LAYERS = paint_charts(CHARTS)


def lines(picture: torch.Tensor) -> list[int]:
    """Lowest rows of the lines right of the bars, from the top; the last belongs to the axis."""
    column = picture[:, :, SIZE - 10].amax(dim=0)
    dark = (column < 0.85 * column.max()).tolist()
    return [row for row in range(SIZE - 1) if dark[row] and not dark[row + 1]]


def measured(row: int) -> dict[str, int]:
    """Heights in units of all colours in a picture."""
    picture = LAYERS.colour[row] * LAYERS.cover[row] + 1.0 - LAYERS.cover[row]
    found = {}
    for name in BAR_COLOURS:
        same = ((picture - torch.tensor(COLOURS[name])[:, None, None]).abs() < 1e-3).all(dim=0)
        if same.any():
            border = int(same.any(dim=1).nonzero()[0, 0]) - 1
            found[name] = sum(line >= border for line in lines(picture)) - 1
    return found


HEIGHTS = [measured(row) for row in range(len(SEEDS))]


def test_bars_are_as_high_as_their_values() -> None:
    for row, heights in enumerate(HEIGHTS):
        colours = [WORDS[colour] for colour in CHARTS.colour[row].tolist()]
        assert heights == dict(zip(colours, CHARTS.value[row].tolist(), strict=True))
        assert len(set(heights)) == len(set(heights.values())) == 4


def test_every_height_and_colour_occurs() -> None:
    assert set(CHARTS.value.flatten().tolist()) == set(range(1, 10))
    assert {WORDS[colour] for colour in CHARTS.colour.flatten().tolist()} == set(BAR_COLOURS)


def test_plates_have_ten_lines_and_a_stronger_one_in_the_middle() -> None:
    for row in range(40):
        picture = LAYERS.colour[row] * LAYERS.cover[row] + 1.0 - LAYERS.cover[row]
        rows = lines(picture)
        assert len(rows) == 10
        units = {below - above for above, below in pairwise(rows[:-1])}
        assert units == {int(CHARTS.unit[row])}
        darkness = [float(picture[:, line, SIZE - 10].mean()) for line in rows[:-1]]
        assert darkness.index(min(darkness)) == 4


def test_bars_lie_side_by_side_on_the_plate_and_the_plate_in_the_picture() -> None:
    assert (CHARTS.left[:, 1:] >= CHARTS.left[:, :-1] + CHARTS.width[:, None] + 2).all()
    assert (CHARTS.left[:, -1] + CHARTS.width < SIZE - 10).all()
    cover = LAYERS.cover[:, 0]
    for edge in (cover[:, :4], cover[:, -4:], cover[:, :, :4], cover[:, :, -4:]):
        assert not edge.any()
    assert LAYERS.colour.min() >= 0.0 and LAYERS.colour.max() <= 1.0


def test_a_picture_does_not_depend_on_its_batch() -> None:
    questions = ask_charts(CHARTS, SEEDS, 3)
    for row in (0, 7, 100):
        single: Charts = sample_charts(SEEDS[row : row + 1])
        assert all(torch.equal(one[0], vars(CHARTS)[name][row]) for name, one in vars(single).items())
        assert torch.equal(paint_charts(single).colour[0], LAYERS.colour[row])
        alone = ask_charts(single, SEEDS[row : row + 1], 3)
        assert all(torch.equal(one[0], vars(questions)[name][row]) for name, one in vars(alone).items())


def test_answers_are_what_can_be_measured() -> None:
    questions = ask_charts(CHARTS, SEEDS, 6)
    kinds = set()
    for row, heights in enumerate(HEIGHTS):
        for number in range(6):
            question = questions[row, number]
            phrasing = PHRASINGS[int(question.phrasing)]
            kinds.add((phrasing.kind, phrasing.relation))
            subject, other = (WORDS[int(index)] for index in (question.subject, question.other))
            subject = SYNONYMS.get(subject, subject)
            options = question.option_words()
            assert len(options) == len(set(options))
            if phrasing.kind == "value":
                answer = str(heights[subject])
                assert len(options) == 4 and all(1 <= int(option) <= 9 for option in options)
            elif phrasing.kind == "extreme":
                pick = max if phrasing.relation == "highest" else min
                answer = pick(heights, key=lambda name: heights[name])
                assert set(options) == set(heights), "all four colours are offered"
            else:
                assert subject != other and set(options) == {"yes", "no"}
                higher = heights[subject] > heights[other]
                answer = "yes" if higher == (phrasing.relation == "higher") else "no"
            assert options[int(question.answer)] == answer
    assert kinds == {
        ("value", ""),
        ("extreme", "highest"),
        ("extreme", "lowest"),
        ("compare", "higher"),
        ("compare", "lower"),
    }


def test_yes_is_right_as_often_as_no_and_every_place_as_often_as_another() -> None:
    seeds = torch.arange(3000)
    questions = ask_charts(sample_charts(seeds), seeds, 2)
    answer = questions.options.gather(2, questions.answer[..., None])[..., 0].flatten()
    relation = [PHRASINGS[index] for index in questions.phrasing.flatten().tolist()]
    for name in ("higher", "lower"):
        said = [
            WORDS[word] for word, phrasing in zip(answer.tolist(), relation, strict=True) if phrasing.relation == name
        ]
        assert len(said) > 500 and 0.45 < said.count("yes") / len(said) < 0.55
    four = questions.answer[(questions.options >= 0).all(dim=2)]
    assert torch.bincount(four, minlength=4).min() > 0.22 * len(four)


def test_held_out_wordings_are_used_on_demand_alone() -> None:
    for held_out in (False, True):
        phrasing = ask_charts(CHARTS, SEEDS, 4, held_out).phrasing.flatten().tolist()
        assert all(PHRASINGS[index].held_out == held_out for index in phrasing)
