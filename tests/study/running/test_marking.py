"""What answers are worth in a study: both readings, rules of an item's own, and a judge who is not always there."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableLambda
from PIL import Image

from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import StudyError
from g2u.loop.deciding.writers import register_writer
from g2u.scoring.expected import Score
from g2u.study.grid.arms import Items
from g2u.study.running.runner import run
from g2u.study.tables.readings import readings
from tests.scripted import ScriptedModel
from tests.study.grids import scripted, study


@pytest.fixture
def model() -> ScriptedModel:
    own = scripted()
    register_engine("scripted", Engine(lambda: own))
    return own


def write_items(folder: Path, *rows: dict[str, Any]) -> Items:
    """A file of questions about one picture."""
    Image.new("RGB", (40, 30), "red").save(folder / "red.png")
    whole = ({"picture": "red.png", "question": "Which?", **row} for row in rows)
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, whole)))
    return Items(source=str(folder / "own.jsonl"))


def test_a_study_reads_its_answers_in_both_ways(tmp_path: Path, model: ScriptedModel) -> None:
    model.read_script = lambda text, pictures: "(B), I think."
    asked = write_items(tmp_path, {"options": ["red", "blue"], "answer": "blue"}, {"answers": ["(B), I think", "x"]})
    found = run(study(items=asked, reading="both"), tmp_path / "a")
    first, free = (line for line in found.lines if line.arm == "direct")
    assert first.answer and free.answer
    assert list(first.marks) == ["scored", "written"]
    assert (first.marks["written"].found, first.marks["written"].value) == ("blue", 1.0)
    assert first.answer.written == "(B), I think." and first.answer.probabilities
    assert first.score == float(first.answer.text == "blue")
    assert (list(free.marks), free.score) == (["written"], 1.0)
    assert readings(found) is not None


def test_what_names_no_option_is_worth_nothing_and_defaults_to_none(tmp_path: Path, model: ScriptedModel) -> None:
    model.read_script = lambda text, pictures: "I cannot tell."
    asked = write_items(tmp_path, {"options": ["red", "blue"], "answer": "red"})
    found = run(study(items=asked, reading="written"), tmp_path / "a")
    line = next(line for line in found.lines if line.arm == "direct")
    assert line.answer and line.answer.text == line.answer.written == "I cannot tell."
    assert (line.marks["written"].found, line.score, line.error) == (None, 0.0, "")


def test_a_judge_who_cannot_be_reached_is_asked_when_the_study_goes_on(tmp_path: Path, model: ScriptedModel) -> None:
    there = False
    prompts: list[str] = []

    def reply(messages: list[BaseMessage]) -> AIMessage:
        if not there:
            raise ConnectionError("nobody answers")
        prompts.append(str(messages[0].content))
        return AIMessage("The reply means the same.\nPartly.")

    register_writer("mine:judge", RunnableLambda(reply))
    asked = write_items(tmp_path, {"answer": "a dog", "scorer": "judge:mine:judge"})
    before = run(study(items=asked), tmp_path / "a")
    assert all("nobody answers" in line.unscored and line.answer for line in before.lines if not line.left_out)
    assert before.scores("direct") == {}

    there, calls = True, len(model.calls)
    after = run(study(items=asked), tmp_path / "a")
    assert len(model.calls) == calls, "the model was asked again"
    mark = next(line for line in after.lines if line.arm == "direct").marks["written"]
    assert (mark.value, mark.unscored) == (0.5, "")
    assert mark.judgement and mark.judgement.judge == "mine:judge" and mark.judgement.reply.endswith("Partly.")
    assert mark.judgement.prompt in prompts and "Accepted answers: a dog" in mark.judgement.prompt
    assert after.scores("direct") == {"1": 0.5}
    assert len(after.lines) == len(before.lines)


def test_a_function_of_ones_own_scores_and_what_it_fails_at_is_scored_later(
    tmp_path: Path, model: ScriptedModel
) -> None:
    model.read_script = lambda text, pictures: "teal"
    own = tmp_path / "own_scorers.py"
    own.write_text("def near(text, expected):\n    return 1 / 0\n")
    asked = write_items(tmp_path, {"answer": "blue", "scorer": f"{own}:near"})
    before = run(study(items=asked), tmp_path / "a")
    assert all("division by zero" in line.unscored for line in before.lines if line.answer)

    module = importlib.import_module("g2u.extensions").find_function(f"{own}:near").__globals__
    exec("def near(text, expected):\n    return Score(0.25, {'hue': 0.5})", {**module, "Score": Score}, module)
    after = run(study(items=asked), tmp_path / "a")
    mark = next(line for line in after.lines if line.arm == "direct").marks["written"]
    assert (mark.value, mark.parts) == (0.25, {"hue": 0.5})


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"answer": "a", "scorer": "exactt"}, "Line 1 .* no scorer called 'exactt'. Did you mean exact?"),
        ({"answer": "a", "answers": ["b"]}, 'needs either "answer"'),
        ({"answers": []}, 'needs either "answer"'),
        ({"answers": ["a", " "]}, "An accepted answer is empty"),
        ({"options": ["a", "b"], "answers": ["a", "c"]}, "'c' is none of the options"),
        ({"answer": "(", "scorer": "regex"}, "no regular expression"),
        ({"answer": "a", "scorer": "nowhere.at_all:near"}, "Line 1 .*nowhere"),
    ],
)
def test_an_item_that_cannot_be_scored_is_refused(
    tmp_path: Path, model: ScriptedModel, row: dict[str, Any], says: str
) -> None:
    with pytest.raises(StudyError, match=says):
        run(study(items=write_items(tmp_path, row)), tmp_path / "a")
    assert not (tmp_path / "a" / "study.json").exists()


def test_the_file_of_a_scorer_is_seen_from_the_folder_of_the_questions(
    tmp_path: Path, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    (tmp_path / "own_rule.py").write_text("def half(text, expected):\n    return 0.5\n")
    found = run(study(items=write_items(tmp_path, {"answer": "a", "scorer": "own_rule.py:half"})), tmp_path / "a")
    assert found.items["1"].scorer == f"{tmp_path.resolve() / 'own_rule.py'}:half"
    assert found.scores("direct") == {"1": 0.5}


def test_the_world_takes_no_scorer(tmp_path: Path, model: ScriptedModel) -> None:
    with pytest.raises(StudyError, match="The world scores its own questions"):
        run(study(items=Items(count=2, scorer="exact")), tmp_path / "a")


def test_an_answer_may_be_given_by_its_letter(tmp_path: Path, model: ScriptedModel) -> None:
    found = run(study(items=write_items(tmp_path, {"options": ["red", "blue"], "answer": "B"})), tmp_path / "a")
    assert found.items["1"].answers == ["blue"]
