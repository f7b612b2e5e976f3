"""A study of questions about several pictures: every arm sees all of them in order, and edits one."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from g2u.cli import app
from g2u.errors import StudyError
from g2u.pictures.store import ImageStore, get_store
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.grid.own import read_items
from g2u.study.report.cards import cards_of
from g2u.study.report.gallery import build_gallery
from g2u.study.running.folder import read_study
from g2u.study.running.runner import run

MODEL = f"{Path(__file__).parents[3] / 'examples' / 'own_model.py'}:load"
SHADES = ((220, 30), (40, 200), (150, 90))
"""Of the two pictures of each item."""


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rows: list[dict[str, Any]] = []
    for number, shades in enumerate(SHADES):
        names = [f"{number}{place}.png" for place in "ab"]
        for name, shade in zip(names, shades, strict=True):
            Image.new("RGB", (24, 16), (shade, shade, shade)).save(tmp_path / name)
        answer = "first" if shades[0] < shades[1] else "second"
        rows.append(
            {"pictures": names, "question": "Which is darker?", "options": ["first", "second"], "answer": answer}
        )
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def study(source: Path, *arms: Arm, model: str = MODEL) -> Study:
    direct = Arm(name="direct", policy="none")
    return Study(model=model, arms=[direct, *arms], items=Items(source=str(source)), reading="written")


EDIT: dict[str, Any] = {"policy": "fixed:expose", "reflect": False, "rounds": 1}


def test_every_arm_sees_all_pictures_in_order_and_edits_one(questions: Path, tmp_path: Path) -> None:
    arms = [
        Arm(name="self", rounds=1),
        Arm(name="on-2", **EDIT, on=2),
        Arm(name="replace", **EDIT, on=1, fusion="replace"),
        Arm(name="thought-first", **EDIT, on=2, fusion="thought-first"),
        Arm(name="caption", **EDIT, fusion="caption"),
        Arm(name="named", **EDIT | {"policy": "fixed:expose(on=2)"}),
        Arm(name="third", **EDIT | {"policy": "fixed:expose(on=3)"}),
    ]
    kept = [arm for arm in arms if arm.name != "third"]
    with pytest.raises(Exception, match="there is no picture 3"):  # an arm of one's own that can never run
        run(study(questions, *arms), tmp_path / "a")
    found = run(study(questions, *kept), tmp_path / "a")
    assert all(line.right and not line.error for arm in ("direct", "self", "on-2") for line in found.by_arm[arm])
    for line in found.lines:
        originals = found.items[line.item].pictures
        assert line.answer and line.direct and line.direct.pictures == originals
        thoughts = [turn.thought for turn in line.rounds if turn.thought]
        shown = {
            "direct": originals,
            "replace": [*thoughts, originals[1]],
            "thought-first": [*thoughts, *originals],
            "caption": originals,
        }.get(line.arm, [*originals, *thoughts])
        assert line.answer.pictures == shown, line.arm
        if line.arm in ("on-2", "named", "thought-first"):
            assert (line.rounds[0].decision.on, line.rounds[0].source) == (2, originals[1])
    drawings = list((tmp_path / "a" / "pictures" / "drawings").rglob("*.json"))
    assert len(drawings) == 2 * len(SHADES)  # of each picture once, whatever arms ask for it
    data = json.loads(build_gallery(cards_of(found), [ImageStore(tmp_path / "a" / "pictures")]).data)
    assert [len(set(item[6])) for item in data["items"]] == [2, 2, 2]
    assert {round_[9] for card in data["cards"] for side in card[1] for round_ in side[4]} == {1, 2}


def test_a_foreign_thought_is_of_the_picture_in_the_same_place(questions: Path, tmp_path: Path) -> None:
    found = run(study(questions, Arm(name="foreign", **EDIT, on=2, drawer="foreign")), tmp_path / "a")
    own = run(study(questions, Arm(name="own", **EDIT, on=2)), tmp_path / "b")
    items = list(found.items)
    drawn = {line.item: line.rounds[0].thought for line in own.by_arm["own"]}
    for line in found.by_arm["foreign"]:
        place = items.index(line.item)
        other = items[place - 1] if place else items[1]  # the one before, so that it stays when the study grows
        assert line.rounds[0].thought == drawn[other]
        assert line.rounds[0].source == found.items[line.item].pictures[1]


def test_the_control_of_the_original_repeats_the_picture_that_is_edited(questions: Path, tmp_path: Path) -> None:
    found = run(study(questions, Arm(name="twice", **EDIT, on=2, drawer="original")), tmp_path / "a")
    for line in found.by_arm["twice"]:
        first, second = found.items[line.item].pictures
        assert line.answer and line.answer.pictures == [first, second, second]


def test_an_item_with_more_pictures_than_the_model_takes_is_named(questions: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="item '1' has 2 pictures, and the model 'mini' takes one picture") as told:
        run(study(questions, model="mini"), tmp_path / "a")
    assert "`g2u models`" in told.value.hint and not (tmp_path / "a" / "study.json").exists()


def test_an_arm_leaves_out_items_without_its_picture(questions: Path, tmp_path: Path) -> None:
    one = {"picture": "0a.png", "question": "Which is darker?", "options": ["left", "right"], "answer": "right"}
    questions.write_text(questions.read_text() + json.dumps(one) + "\n")
    found = run(study(questions, Arm(name="on-2", **EDIT, on=2)), tmp_path / "a")
    left = [(line.item, line.left_out) for line in found.lines if line.left_out]
    assert left == [("4", "It has no picture 2, which the arm edits.")]


@pytest.mark.parametrize(
    "row",
    [
        {"pictures": [], "picture": ""},
        {"picture": "0a.png", "pictures": ["0a.png", "0b.png"]},
        {"pictures": ["0a.png", "gone.png"]},
    ],
)
def test_a_line_without_its_pictures_is_named(questions: Path, tmp_path: Path, row: dict[str, Any]) -> None:
    questions.write_text(json.dumps({"question": "Which?", "answer": "a"} | row) + "\n")
    with pytest.raises(StudyError, match=r'Line 1 of .*(either "picture", one path, or "pictures"|no picture at)'):
        read_items(questions, get_store(tmp_path / "store"))


def test_the_command_runs_it(questions: Path, tmp_path: Path) -> None:
    arms = tmp_path / "study.yaml"
    rows = "{name: direct, policy: none}, {name: second, policy: 'fixed:expose', on: 2, reflect: off, rounds: 1}"
    arms.write_text(f"model: {MODEL}\nitems: {{source: {questions}}}\nreading: written\narms: [{rows}]\n")
    done = CliRunner().invoke(app, ["study", "run", "--config", str(arms), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    arm = read_study(tmp_path / "out").header.study.arms[1]
    assert (arm.on, arm.reflect) == (2, False)  # YAML has other words for true and false than a name of a field
