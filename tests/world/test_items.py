"""Items: questions that are right about their pictures, edits that do what they say, seeds that mean one thing."""

import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops

from g2u.edits import EditLibrary
from g2u.errors import UnknownNameError, WorldError
from g2u.world.faults import FAULTS
from g2u.world.items import CELLS, FITTING, TASKS, Item, sample, sample_batch, spread
from g2u.world.questions import DIRECTIONS, PHRASINGS
from g2u.world.scenes import CELL, COLOURS, GRID, SHAPES, sample_scenes

NONE = [0] * 60


def same(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one, other).getbbox() is None


def things(seed: int) -> dict[tuple[int, int], tuple[str, str]]:
    """(row, column) to (colour, shape) of a train scene, in the upright view."""
    scenes = sample_scenes(torch.tensor([seed * len(TASKS)]))
    colours, shapes = list(COLOURS), list(SHAPES)
    return {
        divmod(cell, GRID): (colours[colour], shapes[shape])
        for cell, colour, shape in zip(
            scenes.cell[0].tolist()[:5], scenes.colour[0].tolist(), scenes.shape[0].tolist(), strict=True
        )
    }


def solve(question: str, placed: dict[tuple[int, int], tuple[str, str]]) -> str:
    """Answer from what is in the scene, by the words of the question alone."""
    [(place, (colour, shape))] = [item for item in placed.items() if set(item[1]) & set(question.rstrip("?").split())]
    for words, (down, right) in DIRECTIONS.items():
        if words in question:
            for distance in (1, 2):
                if found := placed.get((place[0] + distance * down, place[1] + distance * right)):
                    return found[1]
    return colour if "colour is" in question or "colour does" in question else shape


def test_scene_questions_have_the_right_answer() -> None:
    kinds = set()
    for seed in range(150):
        item = sample("scene", seed, "train", "none")
        assert item.answer == solve(item.question, things(seed)), item.question
        assert len(set(item.options)) == 4 and item.answer in item.options
        kinds |= {p.kind for p in PHRASINGS if p.text.split("{")[0] in item.question}
    assert kinds >= {"colour", "shape", "beside"}


def test_the_painted_cell_has_the_colour_that_the_question_is_about() -> None:
    for seed in range(20):
        pixels = np.asarray(sample("scene", seed, "train", "none").picture).astype(int)
        for (row, column), (colour, _) in things(seed).items():
            cell = pixels[4 + row * CELL : 4 + (row + 1) * CELL, 4 + column * CELL : 4 + (column + 1) * CELL]
            exact = np.round(np.array(COLOURS[colour]) * 255)
            assert (np.abs(cell - exact).max(axis=2) <= 1).sum() > 60


def test_right_answers_stand_at_every_place() -> None:
    batch = sample_batch("maze", NONE, torch.arange(60), questions=4)
    assert (batch.questions.answer.flatten().bincount(minlength=4) > 30).all()


@pytest.mark.parametrize(("task", "fault"), CELLS)
def test_the_fitting_edit_mends_and_every_other_leaves_the_picture_alone(task: str, fault: str) -> None:
    item = sample(task, 3, "development", fault)
    fitting = FITTING.get((task, fault), "none")
    assert item.gold_edits == [fitting]
    assert set(item.truths) == {call.text for call in EditLibrary.load().calls()}
    for call, truth in item.truths.items():
        assert same(truth, item.picture) is (fitting == "none" or json.loads(call)["edit"] != fitting)
    assert len({truth.tobytes() for truth in item.truths.values()}) == {"none": 1, "trace_path": 4}.get(fitting, 2)


def test_mended_scenes_are_the_clean_ones() -> None:
    for fault in FAULTS:
        item, clean = sample("scene", 8, "train", fault), sample("scene", 8, "train", "none")
        fitting = FITTING.get(("scene", fault), "none")
        assert same(item.truths[json.dumps({"edit": fitting})], clean.picture)
        assert (item.question, item.options) == (clean.question, clean.options)


def test_rotated_scenes_are_turned_by_a_quarter_a_half_or_three() -> None:
    turns = []
    for seed in range(30):
        item = sample("rotated", seed)
        turned = [same(item.picture.rotate(angle), item.truths['{"edit": "upright"}']) for angle in (90, 180, 270)]
        assert sum(turned) == 1
        turns.append(turned.index(True))
    assert set(turns) == {0, 1, 2}


@pytest.mark.parametrize(("task", "fault"), CELLS)
def test_a_picture_is_a_function_of_its_seed(task: str, fault: str) -> None:
    one, again, other = (sample(task, seed, "held-out", fault) for seed in (5, 5, 6))
    assert same(one.picture, again.picture) and one.question == again.question and one.options == again.options
    assert not same(one.picture, other.picture)
    batch = sample_batch(task, [list(FAULTS).index(fault)] * 3, torch.tensor([9, 2**41 + 5, 4]))
    assert np.array_equal(np.asarray(one.picture), batch.seen[1].permute(1, 2, 0).numpy())


def test_the_splits_have_other_pictures() -> None:
    pictures = {sample("scene", 0, split, "none").picture.tobytes() for split in ("train", "development", "held-out")}
    assert len(pictures) == 3


def test_spread_takes_all_tasks_and_faults_in_turn() -> None:
    items: list[Item] = list(spread(2 * len(CELLS)))
    assert [(item.task, item.fault) for item in items] == [*CELLS, *CELLS]
    assert len({item.seed for item in items}) == len(items)


@pytest.mark.parametrize(
    ("task", "fault", "error", "says"),
    [
        ("mazes", None, UnknownNameError, "Did you mean maze?"),
        ("maze", "blur", WorldError, "do not have the fault 'blur'"),
        ("scene", "blurr", UnknownNameError, "Did you mean blur?"),
    ],
)
def test_what_the_world_does_not_have_is_refused(
    task: str, fault: str | None, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says.replace("?", r"\?")):
        sample(task, 0, fault=fault)
