"""The same study over Ray, and with the shipped weights."""

import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import OutputError, StudyError
from g2u.pictures.store import get_store
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.grid.items import make_items
from g2u.study.grid.presets import load_study
from g2u.study.grid.records import Line
from g2u.study.running.on_ray import Actor
from g2u.study.running.runner import run
from g2u.study.selection import select
from tests.scripted import Call
from tests.study.grids import scripted
from tests.study.grids import study as small

ROOT = Path(__file__).parents[3]
ARMS = [
    Arm(name="direct", policy="none", seeds="first"),
    Arm(name="self", policy="self"),
    Arm(name="gold", policy="oracle", reflect=False),
]


def outcome(line: Line) -> tuple[object, ...]:
    """What was picked, judged and answered; numbers of the model differ by rounding between sizes of batches."""
    assert line.answer and not line.error
    rounds = [(turn.decision.edit, turn.verdict and turn.verdict.action) for turn in line.rounds]
    return line.key, line.right, line.answer.text, rounds


def test_mini_gains_by_imagining_and_ray_brings_the_same_lines(tmp_path: Path) -> None:
    study = Study(arms=ARMS, items=Items(count=13))
    here = run(study, tmp_path / "here")
    assert sum(here.scores("gold").values()) >= sum(here.scores("direct").values()) + 3
    there = run(study, tmp_path / "there", engine="ray", actors=1)
    assert [outcome(line) for line in there.lines] == [outcome(line) for line in here.lines]
    for one, other in zip(here.lines, there.lines, strict=True):
        assert one.answer and other.answer
        assert one.answer.probabilities == pytest.approx(other.answer.probabilities, abs=1e-3)


def test_an_own_model_and_own_policies_run_in_actors_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by a file seen from here, and by a module of this folder, as a YAML file names them."""
    name = f"own_{uuid4().hex}"
    shutil.copy(ROOT / "examples/own_model.py", tmp_path / "model.py")
    shutil.copy(ROOT / "examples/own_policy.py", tmp_path / f"{name}.py")
    (tmp_path / "mine.yaml").write_text(f"""
model: model.py:load
items: {{count: 3}}
arms:
  - {{name: direct, policy: none}}
  - {{name: by-module, policy: "{name}:by_brightness", rounds: 1, values: {{contrast: 4}}}}
  - {{name: by-file, policy: "{name}.py:by_brightness", rounds: 1}}
  - {{name: writer, policy: "writer:{name}.py:writer", rounds: 1}}
""")
    monkeypatch.chdir(tmp_path)
    study = load_study("mine.yaml")
    here = run(study, tmp_path / "here")
    assert {
        line.arm: [turn.decision.policy for turn in line.rounds]
        for line in here.lines
        if line.item == here.lines[0].item
    } == {
        "direct": ["none"],
        "by-module": [f"{name}:by_brightness"],
        "by-file": [f"{name}.py:by_brightness"],
        "writer": [f"writer:{name}.py:writer"],
    }
    there = run(study, tmp_path / "there", engine="ray", actors=1)
    assert [outcome(line) for line in there.lines] == [outcome(line) for line in here.lines]
    assert [line.rounds[0].decision for line in there.lines] == [line.rounds[0].decision for line in here.lines]
    drawn = {line.arm for line in here.lines for turn in line.rounds if turn.thought}
    assert "writer" in drawn


def test_a_selection_compares_on_development_and_shows_the_best_on_held_out(tmp_path: Path) -> None:
    study = Study(arms=ARMS[:1], items=Items(count=13))
    told: list[tuple[str, int, int]] = []
    variants = [Arm(name="naive", policy="self-naive", reflect=False), Arm(name="taught", policy="self", reflect=False)]
    found = select(study, variants, tmp_path / "s", on_progress=lambda *step: told.append(step))
    assert found.best == "taught" and found.scores["taught"] > found.scores["naive"]
    assert found.held_out.header.study.tried == 2
    assert [arm.name for arm in found.held_out.arms] == ["direct", "taught"]
    assert {name.split("/")[0] for name in found.held_out.items} == {"held-out"}
    assert {part for part, *_ in told} == {"naive", "taught", "held-out"}
    with pytest.raises(StudyError, match="never on what is shown"):
        select(study.model_copy(update={"items": Items(split="development")}), variants, tmp_path / "t")
    with pytest.raises(StudyError, match="at least two variants"):
        select(study, variants[:1], tmp_path / "t")


def test_an_actor_tells_what_ends_the_study_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(call: Call) -> None:
        if call.kind == "draw":
            raise OutputError("Cannot write 'x': no space left.")

    register_engine("scripted", Engine(lambda: scripted(before=fail)))
    items = make_items(Items(count=3), get_store(tmp_path / "pictures"))
    monkeypatch.chdir(Path.cwd())  # an actor goes to the folder of its study
    actor = Actor(
        small().model_dump_json(), [item.model_dump_json() for item in items], str(tmp_path), str(tmp_path), []
    )
    found = actor({"arm": ["direct", "gold"], "item": [items[1].id] * 2, "seed": [0, 0]})
    assert found["error"] == ["", "Cannot write 'x': no space left."]
    assert Line.model_validate_json(found["line"][0]).answer and not found["line"][1]
