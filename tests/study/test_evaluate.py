"""The evaluation of answers: its arithmetic by hand, and the shipped model through the real graph."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from g2u import prompts
from g2u.cli import app
from g2u.engine.engine import Engine
from g2u.engine.registry import get_engine, register_engine
from g2u.errors import BudgetError, G2UError, StudyError, UnknownNameError
from g2u.pictures.store import get_store
from g2u.study import summaries
from g2u.study.evaluate import evaluate, known_arms
from g2u.study.summaries import proportion, summarise
from g2u.world.items.items import Item, in_turn, sample, spread
from g2u.world.items.tasks import CELLS, TASKS
from tests.scripted import Call
from tests.study.grids import scripted


def of(task: str, *faults: str) -> list[Item]:
    return [sample(task, seed, fault=fault) for seed, fault in enumerate(faults)]


def test_proportions_have_wilson_intervals() -> None:
    ten = proportion([True] * 8 + [False] * 2)
    assert (ten["accuracy"], ten["n"]) == (0.8, 10)
    assert ten["low"] == pytest.approx(0.4902, abs=1e-4) and ten["high"] == pytest.approx(0.9433, abs=1e-4)
    assert proportion([True] * 3)["high"] == 1.0 and proportion([False] * 3)["low"] == 0.0


def test_the_summary_compares_with_direct_item_by_item() -> None:
    items = of("shapes", "blur", "noise", "none")
    right = {"direct": [False, True, True], "gold": [True, True, True], "self": [True, False, False]}
    summary = summarise(items, right)
    assert [summary[arm]["gain"] for arm in right] == [0.0, 0.5, 0.0]
    assert [summary[arm]["clean_cost"] for arm in right] == [0.0, 0.0, 1.0]
    assert summary["gold"]["share_of_gold"] == 1.0 and summary["self"]["share_of_gold"] == 0.0
    assert summary["gold"]["gain_low"] < 0.5 < summary["gold"]["gain_high"]


def test_what_the_summary_cannot_say_is_none() -> None:
    items = of("shapes", "blur", "none")
    alone = summarise(items, {"gold": [True, True]})["gold"]
    assert (alone["accuracy"], alone["gain"], alone["share_of_gold"], alone["clean_cost"]) == (1.0, None, None, None)
    assert summarise(items, {"direct": [True, True], "gold": [True, True]})["gold"]["share_of_gold"] is None
    assert summarise(items[:1], {"direct": [True], "gold": [True]})["gold"]["clean_cost"] is None
    assert summarise([], {"direct": []}) == {}


def test_losses_and_what_is_recovered_of_them() -> None:
    items = [*of("shapes", *["blur"] * 4), *of("objects", "blur", "noise", "blur+dark", "none")]
    right = {
        "direct": [True, False, False, False, False, True, False, True],
        "gold": [True, True, True, False, False, True, True, True],
        "clean": [True, True, True, True, True, True, True, True],
    }
    report = summaries.faults(items, right)
    assert list(report) == ["blur", "noise"]
    assert report["blur"]["direct"]["n"] == 5 and report["blur"]["loss"] == pytest.approx(0.8)
    assert report["blur"]["recovered"] == {"direct": 0.0, "gold": pytest.approx(0.5), "clean": 1.0}
    assert report["noise"]["loss"] == 0.0 and set(report["noise"]["recovered"].values()) == {None}
    assert "loss" not in summaries.faults(items, {"gold": right["gold"]})["blur"]


def test_the_second_round_is_compared_item_by_item() -> None:
    items = of("shapes", "blur+dark", "blur", "noise+dark", "blur+dark", "none")
    right = {"direct": [False] * 5, "gold": [True, True, True, False, True]}
    report = summaries.two_faults(items, right, {"gold": [False, True, False]})
    assert list(report) == ["gold"] and report["gold"]["n"] == 3
    assert report["gold"]["one_round"] == pytest.approx(1 / 3) and report["gold"]["two_rounds"] == pytest.approx(2 / 3)
    assert report["gold"]["gain"] == pytest.approx(1 / 3)
    assert report["gold"]["gain_low"] < 1 / 3 < report["gold"]["gain_high"]
    assert summaries.two_faults(items[1:2], {"gold": [True]}, {}) == {}


def test_structure_counts_points_on_single_conditions_of_its_tasks_alone() -> None:
    items = [*of("maze", "untraced", "untraced", "untraced+dark", "none"), *of("shapes", "blur")]
    right = {"direct": [False, True, False, False, False], "gold": [True, True, True, True, True]}
    assert summaries.structure(items, right) == {"maze": {"gold": 50.0}}
    assert summaries.structure(items, {"gold": right["gold"]}) == {}


def test_combinations_kept_from_training_are_summed_up_apart() -> None:
    items = of("objects", "bars", "blur", "bars", "none")
    assert [item.unseen for item in items] == [True, False, True, False]
    right = {"direct": [False, False, False, True], "gold": [True, False, False, True]}
    halves = summaries.seen_and_unseen(items, right)
    assert halves["unseen"]["gold"]["gain"] == 0.5 and halves["unseen"]["gold"]["n"] == 2
    assert halves["seen"]["gold"]["gain"] == 0.0 and halves["seen"]["gold"]["clean_cost"] == 0.0
    assert summaries.seen_and_unseen(items[1:2], {"direct": [True]})["unseen"] == {}


def test_cells_and_plain_pictures_are_told_apart() -> None:
    items = of("shapes", "none", "blur", "none")
    right = {"direct": [True, False, False]}
    assert list(summaries.by_case(items, right)["shapes"]) == ["none", "blur"]
    assert summaries.by_case(items, right)["shapes"]["blur"]["direct"]["accuracy"] == 0.0
    assert summaries.plain(items, right)["shapes"]["direct"] == proportion([True, False])


def test_few_items_are_still_of_all_tasks_and_many_of_all_cases() -> None:
    cells = in_turn()
    assert sorted(cells) == sorted(CELLS)
    assert [task for task, _ in cells[:13]] == list(TASKS)
    assert {len(case) for _, case in cells[:13]} == {0, 1, 2}
    assert sorted(in_turn(["maze", "faint"])) == sorted(cell for cell in CELLS if cell[0] in ("maze", "faint"))
    items = list(spread(3, first=7, tasks=["maze"]))
    assert [(item.task, item.seed) for item in items] == [("maze", 7), ("maze", 8), ("maze", 9)]


def test_the_shipped_model_gains_by_imagining() -> None:
    done: list[tuple[str, int, int]] = []
    report: dict[str, Any] = evaluate(
        items=26, arms=["direct", "gold", "self"], on_progress=lambda *step: done.append(step)
    )
    assert list(report) == [
        "tasks",
        "plain",
        "faults",
        "two_faults",
        "structure",
        "summary",
        "seen",
        "unseen",
        "failures",
    ]
    assert list(report["tasks"]) == list(TASKS)
    summary = report["summary"]
    assert list(summary) == ["direct", "gold", "self", "clean"]
    assert list(report["two_faults"]) == ["gold", "self"]
    assert done[-1] == ("answers", 6 * 26, 6 * 26)
    assert summary["clean"]["accuracy"] >= 0.9
    assert summary["gold"]["accuracy"] >= 0.9 and summary["gold"]["gain"] >= 0.4
    assert summary["self"]["share_of_gold"] >= 0.8 and summary["self"]["clean_cost"] == 0.0


def test_the_harness_adds_nothing_to_the_direct_answer(tmp_path: Path) -> None:
    """What the graph answers without imagining is what the bare engine answers."""
    items = list(spread(13))
    report = evaluate(items=13, arms=["direct"])

    async def ask(item: Item) -> bool:
        store = get_store(tmp_path)
        engine = get_engine("mini")
        prompt = prompts.render("mini", "answer", question=item.question, options=item.options)
        scores = await engine.score(store, [store.add_image(item.picture)], prompt, item.options)
        return item.options[scores.index(max(scores))] == item.answer

    async def ask_all() -> list[bool]:
        return [await ask(item) for item in items]

    assert report["summary"]["direct"]["accuracy"] == sum(asyncio.run(ask_all())) / 13


def test_clean_runs_once_whichever_way_it_is_asked_for() -> None:
    report = evaluate(items=2, tasks=["maze"], arms=["clean", "direct"])
    assert [report["summary"][arm]["n"] for arm in ("direct", "clean")] == [2, 2]
    assert list(evaluate(items=1, tasks=["maze"], arms=["random"])["summary"]) == ["random"]
    assert {"direct", "gold", "self", "self-unjudged", "clean"} <= known_arms().keys()


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"arms": ["gld"]}, UnknownNameError),
        ({"split": "test"}, UnknownNameError),
        ({"tasks": ["mase"]}, UnknownNameError),
        ({"model": "minni", "items": 1}, UnknownNameError),
        ({"items": 0}, StudyError),
        ({"steps": 0, "items": 1, "arms": ["direct"]}, BudgetError),
    ],
)
def test_what_cannot_be_evaluated_is_refused(settings: dict[str, Any], error: type[G2UError]) -> None:
    with pytest.raises(error):
        evaluate(**settings)


def g2u(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["world", "eval", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout if "--json" in arguments else result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--what", "answer"], "no evaluation called 'answer'. Did you mean answers"),
        (["--arms", "glod"], "Did you mean gold"),
        (["--tasks", "maze,shapse"], "Did you mean shapes"),
        (["--split", "held-out-stile"], "Did you mean held-out-style"),
        (["--steps", "two"], "whole number"),
        (["--steps", "1,2"], "one number of steps"),
        (["--what", "edits", "--steps", "1,0"], "1 to 1000 steps"),
        (["--what", "reflect", "--arms", "gold"], "belongs to `--what answers`"),
    ],
)
def test_the_command_line_refuses_what_it_does_not_know(arguments: list[str], says: str) -> None:
    assert says in " ".join(g2u(*arguments, code=2).split())


def test_the_command_line_prints_json_or_tables() -> None:
    settings = ("--items", "2", "--tasks", "maze", "--arms", "direct,random", "--steps", "1")
    assert json.loads(g2u(*settings, "--json"))["summary"]["direct"]["n"] == 2
    shown = g2u(*settings)
    assert "right answers" in shown and "direct" in shown and "Tasks of structure" in shown


def test_failures_are_counted_and_told() -> None:
    def fail(call: Call) -> None:
        if call.kind == "draw":
            raise RuntimeError("the pen broke")

    register_engine("scripted", Engine(lambda: scripted(before=fail)))
    arms = ["direct", "gold"]
    assert evaluate("scripted", items=3, arms=arms)["failures"] > 0
    shown = CliRunner().invoke(app, ["world", "eval", "--model", "scripted", "--items", "3", "--arms", "direct,gold"])
    assert "answers failed; they count as wrong" in shown.stderr
