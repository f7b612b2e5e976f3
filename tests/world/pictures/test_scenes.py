"""Scenes: questions that are right about what is in them, and things that are painted where they are."""

import re

import pytest
import torch

from g2u.world.materials.layers import SIZE, Layers
from g2u.world.materials.things import INK
from g2u.world.materials.words import COLOURS, CONCEPTS, NUMBERS, PLACES, SHAPES, SYNONYMS, WORDS
from g2u.world.pictures.scenes import (
    CELL,
    CROWD,
    FAINT,
    GRID,
    MOST,
    OBJECTS,
    RING,
    Scenes,
    ask_scenes,
    paint_scenes,
    sample_scenes,
)
from g2u.world.questions.phrasings import DIRECTIONS, PHRASINGS, SPOTS
from tests.world.pictures.looks import look, nearest

SEEDS = torch.arange(120)
BARE, DRAWN = torch.ones(len(SEEDS), dtype=torch.bool), torch.zeros(len(SEEDS), dtype=torch.bool)
STYLES = (0, 1)
SHAPES_SCENES = sample_scenes(SEEDS, emoji=False, crowd=False, styles=STYLES)
EMOJI_SCENES = sample_scenes(SEEDS, emoji=True, crowd=False, styles=STYLES)
CROWDS = sample_scenes(SEEDS, emoji=True, crowd=True, styles=STYLES)
KINDS = ("beside", "spot", "row", "there", "missing")
MARGIN = (SIZE - GRID * CELL) // 2

Placed = dict[tuple[int, int], tuple[str, str]]
"""(row, column) to (word, colour)."""


def placed(scenes: Scenes, row: int) -> Placed:
    things = zip(scenes.cell[row].tolist(), scenes.word[row].tolist(), scenes.colour[row].tolist(), strict=False)
    return {divmod(cell, GRID): (WORDS[word], list(COLOURS)[colour]) for cell, word, colour in things}


def solve(question: str, things: Placed) -> str:
    """Answer from what is in the scene, by the words of the question alone."""
    said = [SYNONYMS.get(word, word) for word in re.findall(r"[a-z]+", question.lower())]
    named = [word for word in said if word in {*SHAPES, *CONCEPTS, *COLOURS}]
    for words, place in SPOTS.items():
        if words in question:
            assert not named
            return things[place][0]
    [name] = named
    if "how" in said:
        return NUMBERS[sum(word == name for word, _ in things.values())]
    places = [place for place, thing in things.items() if name in thing]
    if {"there", "missing"} & {*said} or said[:2] == ["can", "the"] or (said[0] == "is" and said[-1] == "shown"):
        return "yes" if bool(places) is not bool({"not", "missing"} & {*said}) else "no"
    [(down, across)] = places
    for words, (step_down, step_right) in DIRECTIONS.items():
        if words in question:
            for distance in (1, 2):
                if found := things.get((down + distance * step_down, across + distance * step_right)):
                    return found[0]
            raise AssertionError(f"nothing is {words} it")
    if "row" in said or "bottom" in said:
        return PLACES[down]
    word, colour = things[down, across]
    return word if name == colour else colour


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize(
    ("scenes", "kinds"),
    [(SHAPES_SCENES, ("colour", "shape", *KINDS)), (EMOJI_SCENES, KINDS), (CROWDS, ("count",))],
    ids=["shapes", "emoji", "crowds"],
)
def test_questions_have_the_right_answer(scenes: Scenes, kinds: tuple[str, ...], held_out: bool) -> None:
    questions = ask_scenes(scenes, SEEDS, 6, kinds, held_out)
    seen = set()
    for row in range(len(SEEDS)):
        things = placed(scenes, row)
        for number in range(6):
            question = questions[row, number]
            answer = question.option_words()[int(question.answer)]
            assert answer == solve(question.text(), things), question.text()
            seen.add((PHRASINGS[int(question.phrasing)].kind, answer))
    assert {kind for kind, _ in seen} == set(kinds)
    if kinds == ("count",):
        assert {answer for _, answer in seen} == {*NUMBERS[1 : MOST + 1]}
    else:
        assert {(kind, answer) for kind in ("there", "missing") for answer in ("yes", "no")} < seen
        assert {("row", place) for place in PLACES[:GRID]} < seen


def cells(tensor: torch.Tensor) -> torch.Tensor:
    """Pictures `[batch, channels, 128, 128]` as cells `[batch, 9, channels, 40, 40]`."""
    inner = tensor[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
    return inner.unflatten(3, (GRID, CELL)).unflatten(2, (GRID, CELL)).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)


@pytest.mark.parametrize(
    ("scenes", "emoji", "crowd"),
    [(SHAPES_SCENES, False, False), (EMOJI_SCENES, True, False), (CROWDS, True, True)],
    ids=["shapes", "emoji", "crowds"],
)
def test_cells_hold_something_where_something_is_and_nothing_elsewhere(
    scenes: Scenes, emoji: bool, crowd: bool
) -> None:
    layers = paint_scenes(scenes, BARE, emoji, "crowd" if crowd else "plain")
    filled = cells(layers.cover).amax(dim=(2, 3, 4)) > 0.9
    number = CROWD if crowd else OBJECTS + 1  # a crowd has no arrow
    expected = torch.zeros_like(filled).scatter(1, scenes.cell[:, :number], torch.ones_like(filled))
    assert torch.equal(filled, expected)
    assert torch.equal(cells(layers.cover).amax(dim=(2, 3, 4)) > 0, expected)
    outside = layers.cover.clone()
    outside[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN] = 0
    assert not outside.any()


def test_shapes_have_the_colours_and_the_areas_of_their_names() -> None:
    layers = paint_scenes(SHAPES_SCENES, BARE, emoji=False, use="plain")
    colour, cover = cells(layers.colour), cells(layers.cover)
    areas: dict[str, list[float]] = {}
    for row in range(len(SEEDS)):
        for number in range(OBJECTS):
            cell = int(SHAPES_SCENES.cell[row, number])
            rgb = torch.tensor(list(COLOURS.values())[int(SHAPES_SCENES.colour[row, number])])
            assert ((colour[row, cell] - rgb[:, None, None]).abs().amax(dim=0) < 1e-3).sum() > 40
            size = float(SHAPES_SCENES.radius[row, number]) ** 2
            areas.setdefault(WORDS[int(SHAPES_SCENES.word[row, number])], []).append(
                float(cover[row, cell].sum()) / size
            )
    assert set(areas) == set(SHAPES)
    mean = {name: sum(sizes) / len(sizes) for name, sizes in areas.items()}
    assert mean["circle"] == pytest.approx(3.1416 * 0.92**2, rel=0.02)
    assert mean["square"] == pytest.approx(4 * 0.82**2, rel=0.02)
    assert mean["ring"] == pytest.approx(3.1416 * (0.94**2 - 0.42**2), rel=0.02)
    assert all(0.5 < area < 4 for area in mean.values())


@pytest.mark.parametrize(("scenes", "crowd"), [(EMOJI_SCENES, False), (CROWDS, True)], ids=["plain", "crowds"])
def test_emoji_look_like_their_names(scenes: Scenes, crowd: bool) -> None:
    layers = paint_scenes(scenes, BARE, emoji=True, use="crowd" if crowd else "plain")
    colour, cover = cells(layers.colour), cells(layers.cover)
    for row in range(len(SEEDS)):
        words = scenes.word[row].tolist()
        for number, word in enumerate(words):
            cell = int(scenes.cell[row, number])
            seen = look(colour[row, cell], cover[row, cell], float(scenes.radius[row, number]))
            assert nearest(seen, int(scenes.style[row]), sorted(set(words))) == word


def differs(one: Layers, other: Layers) -> torch.Tensor:
    """Cells in which two paintings differ, `[batch, 9]`."""
    laid = [layers.over(torch.full_like(layers.colour, 0.9)) for layers in (one, other)]
    return cells((laid[0] - laid[1]).abs()).amax(dim=(2, 3, 4)) > 0.01


def test_rings_surround_what_is_asked_about_and_nothing_else() -> None:
    bare = paint_scenes(CROWDS, BARE, emoji=True, use="crowd")
    marked = paint_scenes(CROWDS, DRAWN, emoji=True, use="crowd")
    questions = ask_scenes(CROWDS, SEEDS, 1, ("count",))
    changed = differs(bare, marked)
    ringed = (cells(marked.colour) - torch.tensor(RING)[:, None, None]).abs().amax(dim=2) < 0.01
    ringed = (ringed & (cells(marked.cover)[:, :, 0] > 0.9)).sum(dim=(2, 3)) > 60
    assert torch.equal(changed, ringed)
    for row in range(len(SEEDS)):
        named = re.findall(r"[a-z]+", questions[row, 0].text())
        asked = {cell for cell, (word, _) in placed(CROWDS, row).items() if word in named}
        assert asked == {divmod(int(cell), GRID) for cell in ringed[row].nonzero()[:, 0]}
        assert str(len(asked)) == questions[row, 0].option_words()[int(questions[row, 0].answer)]


def test_a_crowd_holds_one_to_six_of_what_is_asked_about() -> None:
    alike = (CROWDS.word == CROWDS.word[:, :1]).sum(dim=1)
    assert set(alike.tolist()) == set(range(1, MOST + 1))
    assert CROWDS.word.shape == (len(SEEDS), CROWD)


def test_faint_things_are_hardly_there_until_they_are_outlined() -> None:
    bare = paint_scenes(SHAPES_SCENES, BARE, emoji=False, use="faint")
    drawn = paint_scenes(SHAPES_SCENES, DRAWN, emoji=False, use="faint")
    plain = paint_scenes(SHAPES_SCENES, BARE, emoji=False, use="plain")
    here = torch.zeros(len(SEEDS), GRID**2, dtype=torch.bool)
    here = here.scatter(1, SHAPES_SCENES.cell[:, :OBJECTS], torch.ones_like(here))
    assert torch.equal(differs(bare, drawn), here), "the arrow is the same"
    faint = cells(bare.cover)[here]
    assert torch.allclose(faint, FAINT * cells(plain.cover)[here], atol=1e-6)
    outline = (cells(drawn.cover)[here][:, 0] > 0.9) & (
        (cells(drawn.colour)[here] - torch.tensor(INK)[:, None, None]).abs().amax(dim=1) < 0.01
    )
    edge = cells(plain.cover)[here][:, 0]
    assert (outline.sum(dim=(1, 2)) > 40).all()
    inside = -torch.nn.functional.max_pool2d(-edge, 5, 1, 2) > 0.9
    assert not (outline & inside).any(), "outlines run along edges"


def test_arrows_point_up_and_have_half_a_head() -> None:
    layers = paint_scenes(SHAPES_SCENES, BARE, emoji=False, use="plain")
    cover = cells(layers.cover)[torch.arange(len(SEEDS)), SHAPES_SCENES.cell[:, -1], 0]
    axis = torch.arange(CELL) + 0.5 - CELL / 2
    x = axis - SHAPES_SCENES.offset[:, -1, 0, None]
    y = axis - SHAPES_SCENES.offset[:, -1, 1, None]
    assert ((cover.sum(dim=1) * x).sum(dim=1) > 20).all(), "the half head is on the right"
    wide = (cover > 0.5).sum(dim=2)
    above = torch.where(y < 0, wide, 0).amax(dim=1)
    assert (above > torch.where(y > 3, wide, 0).amax(dim=1)).all(), "and at the top"


def test_the_absent_thing_is_absent_and_all_places_are_taken() -> None:
    for scenes in (SHAPES_SCENES, EMOJI_SCENES):
        assert not (scenes.word == scenes.absent[:, None]).any()
        assert all(len(set(row)) == OBJECTS for row in scenes.word.tolist())
        assert set(scenes.cell.flatten().tolist()) == set(range(GRID**2))
        assert all(len(set(row)) == OBJECTS + 1 for row in scenes.cell.tolist())


def test_styles_are_those_that_may_be_used() -> None:
    assert set(EMOJI_SCENES.style.tolist()) == set(STYLES)
    assert set(sample_scenes(SEEDS, emoji=True, crowd=False, styles=(2,)).style.tolist()) == {2}
