"""Items: pictures that are functions of their seeds, and edits whose true results are known in any order."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops

from g2u.edits.library import EditCall, EditLibrary
from g2u.errors import G2UError, UnknownNameError, WorldError
from g2u.world.items.conditions import CONDITIONS, present
from g2u.world.items.items import Item, after, case_name, gold_edits, sample
from g2u.world.items.tasks import CELLS, HELD_OUT, TASKS, TRAINED, UNSEEN, Case, Pictures
from g2u.world.materials.atlas import EMOJI_STYLES, FONTS
from g2u.world.questions.phrasings import PHRASINGS
from g2u.world.seeds import SPLITS, absolute_seed

LIBRARY = EditLibrary.load()
CALLS = LIBRARY.calls()
CHAINED = [(task, case) for task, case in CELLS if len(case) == 2]


def same(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one, other).getbbox() is None


def call(edit: str, **arguments: str) -> EditCall:
    return LIBRARY.call(edit, arguments)


def painted(item: Item, case: Case) -> Image.Image:
    """The contents of an item under some conditions, ways in red."""
    flags = torch.tensor([[present(case)]])
    picture = item.contents.paint(flags, torch.tensor([0]))[0, 0]
    return Image.fromarray(picture.permute(1, 2, 0).numpy())


def asked(item: Item) -> tuple[str, list[str], str]:
    return item.question, item.options, item.answer


@pytest.mark.parametrize(("task", "case"), CELLS)
def test_each_edit_takes_its_condition_away_and_no_other(task: str, case: Case) -> None:
    item = sample(task, 3, "development", case_name(case))
    for edit in item.gold_edits:
        left = tuple(name for name in case if CONDITIONS[name] != edit)
        truth = item.truth(call(edit))
        assert same(truth, painted(item, left))
        assert same(truth, item.picture) is (edit == "none")
    plain = sample(task, 3, "development", "none")
    assert same(item.truth(*map(call, item.gold_edits)), plain.picture)
    assert asked(item) == asked(plain)


@pytest.mark.parametrize(("task", "case"), CHAINED)
def test_edits_can_be_made_in_any_order_and_twice(task: str, case: Case) -> None:
    item = sample(task, 4, "held-out", case_name(case))
    one, two = map(call, item.gold_edits)
    both = item.truth(one, two)
    assert same(both, item.truth(two, one)) and same(both, item.truth(one, two, one))
    assert not same(both, item.truth(one)) and not same(both, item.truth(two))
    assert item.truth().tobytes() == item.picture.tobytes()


@pytest.mark.parametrize(
    ("task", "case"), [(task, case) for task in TASKS for case in (TASKS[task].cases[0], TASKS[task].cases[-1])]
)
def test_an_edit_whose_condition_is_not_there_leaves_every_byte_alone(task: str, case: Case) -> None:
    item = sample(task, 5, "held-out", case_name(case))
    for other in CALLS:
        if other.edit not in gold_edits(case):
            assert item.truth(other).tobytes() == item.picture.tobytes(), other.text


def test_ways_are_traced_in_the_colour_of_the_call() -> None:
    item = sample("maze", 2, fault="untraced+dark")
    traced = [item.truth(call("trace_path", colour=colour), call("expose")) for colour in ("red", "green", "blue")]
    assert len({picture.tobytes() for picture in traced}) == 3
    changed = [np.asarray(ImageChops.difference(picture, item.truth(call("expose")))).any(axis=2) for picture in traced]
    assert (changed[0] == changed[1]).all() and (changed[0] == changed[2]).all() and changed[0].any()
    again = item.truth(call("trace_path", colour="green"), call("trace_path", colour="blue"), call("expose"))
    assert same(again, traced[1]), "a way that is there is not traced again"


@pytest.mark.parametrize(("task", "case"), CELLS)
def test_a_picture_is_a_function_of_its_seed_alone_or_in_a_batch(task: str, case: Case) -> None:
    item = sample(task, 5, "held-out", case_name(case))
    seeds = torch.tensor([9, absolute_seed("held-out", 5), 4])
    batch = Pictures.of(task, seeds)
    flags = torch.tensor([[present(case)], [present(case)], [present(())]])
    picture = batch.paint(flags, torch.tensor([1, 0, 2]))[1, 0]
    assert np.array_equal(np.asarray(item.picture), picture.permute(1, 2, 0).numpy())
    question = batch.ask(1)[1, 0]
    assert (question.text(), question.option_words()) == (item.question, item.options)
    assert item.picture.size == (128, 128) and item.picture.mode == "RGB"
    assert item.fault == case_name(case) and item.kind == PHRASINGS[int(question.phrasing)].kind


@pytest.mark.parametrize("task", TASKS)
def test_splits_and_seeds_have_other_pictures(task: str) -> None:
    pictures = {sample(task, seed, split, "none").picture.tobytes() for split in SPLITS for seed in (0, 1)}
    assert len(pictures) == 2 * len(SPLITS)


def test_cases_are_taken_in_turn_by_seed() -> None:
    cases = TASKS["puzzle"].cases
    assert [sample("puzzle", seed).case for seed in range(2 * len(cases))] == [*cases, *cases]


@pytest.mark.parametrize("split", SPLITS)
def test_only_the_split_of_another_style_has_it(split: str) -> None:
    style = HELD_OUT if split == "held-out-style" else TRAINED
    for seed in range(4):
        objects, writing = sample("objects", seed, split).contents, sample("writing", seed, split).contents
        assert objects.style == writing.style == style
        assert (int(objects.contents.style) == len(EMOJI_STYLES) - 1) is (split == "held-out-style")
        assert (int(writing.contents.font) == len(FONTS) - 1) is (split == "held-out-style")


@pytest.mark.parametrize("split", SPLITS)
def test_only_the_split_of_other_wordings_has_them(split: str) -> None:
    for task in TASKS:
        item = sample(task, 6, split)
        pattern = next(
            phrasing
            for phrasing in PHRASINGS
            if phrasing.kind == item.kind and _says(phrasing.text.rstrip("?"), item.question.rstrip("?"))
        )
        assert pattern.held_out is (split == "held-out-wording"), item.question


def _says(template: str, question: str) -> bool:
    told, said = template.split(), question.split()
    return len(told) == len(said) and all(
        one in (other, "{subject}", "{other}") for one, other in zip(told, said, strict=True)
    )


def test_gold_edits_are_the_outermost_first_and_none_for_nothing() -> None:
    assert gold_edits(("blur", "dark")) == ["expose", "deblur"]
    assert gold_edits(("untraced", "noise")) == ["denoise", "trace_path"]
    assert gold_edits(()) == ["none"]
    assert after(("untraced", "noise"), "denoise") == ("untraced",) and after((), "deblur") == ()
    assert (case_name(("blur", "dark")), case_name(())) == ("blur+dark", "none")


def test_faults_can_be_named_in_any_order() -> None:
    one, other = sample("shapes", 1, fault="dark+blur"), sample("shapes", 1, fault="blur+dark")
    assert one.fault == other.fault == "blur+dark"
    assert one.picture.tobytes() == other.picture.tobytes()


def test_items_know_whether_training_left_their_kind_out() -> None:
    whole, nothing = sample("objects", 0, fault="bars"), sample("objects", 0, fault="blur")
    assert whole.unseen and not nothing.unseen
    parted = [sample("shapes", seed, fault="blur") for seed in range(30)]
    assert {item.unseen for item in parted} == {True, False}
    assert all(item.unseen is (item.kind == UNSEEN["shapes", ("blur",)]) for item in parted)


@pytest.mark.parametrize(
    ("task", "split", "fault", "error", "says"),
    [
        ("mazes", "held-out", None, UnknownNameError, r"Did you mean maze"),
        ("maze", "held-outs", None, UnknownNameError, r"Did you mean held-out"),
        ("shapes", "held-out", "blurr", UnknownNameError, r"Did you mean blur\?"),
        ("shapes", "held-out", "dark+blurr", UnknownNameError, r"Did you mean blur\?"),
        ("maze", "held-out", "blur", WorldError, "'maze' do not have the fault 'blur', only: none, untraced, "),
        ("shapes", "held-out", "blur+noise", WorldError, "do not have the fault 'blur\\+noise'"),
        ("shapes", "held-out", "", UnknownNameError, "no condition called ''"),
        ("shapes", "held-out", "none+blur", UnknownNameError, r"no condition called 'none'. Did you mean noise\?"),
    ],
)
def test_what_the_world_does_not_have_is_refused(
    task: str, split: str, fault: str | None, error: type[G2UError], says: str
) -> None:
    with pytest.raises(error, match=says):
        sample(task, 0, split, fault)


@pytest.mark.parametrize("seed", [-1, 2**41])
def test_seeds_outside_of_their_split_are_refused(seed: int) -> None:
    with pytest.raises(WorldError, match="held-out"):
        sample("maze", seed, "held-out")
