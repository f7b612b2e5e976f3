"""Tasks: what there is, what is gold where, and styles that training never shows."""

from collections import Counter

import pytest
import torch

from g2u.edits.library import EditLibrary
from g2u.world.items.conditions import CONDITIONS, present
from g2u.world.items.items import gold_edits
from g2u.world.items.tasks import CELLS, HELD_OUT, TASKS, TRAINED, UNSEEN, Pictures, Style
from g2u.world.materials.atlas import EMOJI_STYLES, FONTS, TEXTURES
from g2u.world.questions.phrasings import PHRASINGS
from g2u.world.seeds import absolute_seed

SEEDS = absolute_seed("held-out", 50) + torch.arange(40)
LIBRARY = EditLibrary.load()


def painted(task: str, style: Style) -> torch.Tensor:
    flags = torch.tensor([[present(TASKS[task].cases[1])]]).expand(3, -1, -1)
    return Pictures.of(task, SEEDS[:3], style).paint(flags, torch.zeros(3, dtype=torch.int64))[:, 0]


def test_there_are_ten_tasks_or_more_and_three_or_more_for_each_family() -> None:
    families = Counter(task.family for task in TASKS.values())
    assert families.total() >= 10
    assert set(families) == {"enhancement", "extension", "structure"} and min(families.values()) >= 3


@pytest.mark.parametrize("task", TASKS)
def test_the_first_fault_of_a_task_calls_for_an_edit_of_its_family(task: str) -> None:
    plain, first, *_ = TASKS[task].cases
    assert plain == () and len(first) == 1
    [edit] = gold_edits(first)
    assert LIBRARY.get(edit).family == TASKS[task].family


def test_every_edit_of_the_library_is_gold_somewhere() -> None:
    gold = {edit for _, case in CELLS for edit in gold_edits(case)}
    assert gold == {call.edit for call in LIBRARY.calls()} == {*CONDITIONS.values(), "none"}


def test_every_pair_of_task_and_case_is_there_once() -> None:
    assert len(set(CELLS)) == len(CELLS) == sum(len(task.cases) for task in TASKS.values())
    assert sum(len(case) == 2 for _, case in CELLS) >= 20


def test_what_training_leaves_out_is_there() -> None:
    for (task, case), kind in UNSEEN.items():
        assert (task, case) in CELLS and case
        asked = {PHRASINGS[int(index)].kind for index in Pictures.of(task, SEEDS).ask(8).phrasing.flatten()}
        assert kind == "" or (kind in asked and len(asked) > 1)


def test_what_training_leaves_out_has_every_edit_of_it_seen_elsewhere() -> None:
    seen = {edit for task, case in CELLS if UNSEEN.get((task, case)) != "" for edit in gold_edits(case)}
    assert seen == {edit for _, case in CELLS for edit in gold_edits(case)}


def test_the_held_out_style_shares_nothing_with_that_of_training() -> None:
    for name, table in (("emoji", EMOJI_STYLES), ("fonts", FONTS), ("textures", TEXTURES)):
        trained, held_out = getattr(TRAINED, name), getattr(HELD_OUT, name)
        assert held_out == (len(table) - 1,) and sorted((*trained, *held_out)) == list(range(len(table)))


@pytest.mark.parametrize("task", ["objects", "writing", "clutter", "backdrop", "pattern", "puzzle", "crowd"])
def test_the_held_out_style_looks_otherwise_and_shows_the_same(task: str) -> None:
    trained, held_out = Pictures.of(task, SEEDS), Pictures.of(task, SEEDS, HELD_OUT)
    name = "font" if task == "writing" else "style"
    table, own = (FONTS, "fonts") if task == "writing" else (EMOJI_STYLES, "emoji")
    assert set(getattr(trained.contents, name).tolist()) == set(getattr(TRAINED, own))
    assert set(getattr(held_out.contents, name).tolist()) == {len(table) - 1}
    assert torch.equal(trained.contents.word, held_out.contents.word)
    assert torch.equal(trained.ask(2).options, held_out.ask(2).options)
    assert (painted(task, TRAINED) != painted(task, HELD_OUT)).flatten(1).any(dim=1).all()


def test_textures_of_busy_grounds_are_those_of_the_style() -> None:
    flags, colour = torch.tensor([[present(("busy",))]]).expand(len(SEEDS), -1, -1), torch.zeros_like(SEEDS)
    brick = Style(emoji=TRAINED.emoji, fonts=TRAINED.fonts, textures=HELD_OUT.textures)
    pictures = [Pictures.of("backdrop", SEEDS, style).paint(flags, colour) for style in (TRAINED, brick)]
    assert (pictures[0] != pictures[1]).flatten(1).any(dim=1).all()


def test_tasks_with_equal_seeds_have_other_contents() -> None:
    one, other = Pictures.of("turned", SEEDS), Pictures.of("puzzle", SEEDS)
    assert not set(one.seeds.tolist()) & set(other.seeds.tolist())
    assert not torch.equal(one.contents.cell, other.contents.cell)
