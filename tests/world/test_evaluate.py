"""The evaluation: its arithmetic by hand, and the shipped model through the real graph."""

from typing import Any

import pytest

from g2u.errors import UnknownNameError, WorldError
from g2u.world.evaluate import ARMS, evaluate, proportion, summarise
from g2u.world.items import CELLS, sample


def test_proportions_have_wilson_intervals() -> None:
    ten = proportion([True] * 8 + [False] * 2)
    assert (ten["accuracy"], ten["n"]) == (0.8, 10)
    assert ten["low"] == pytest.approx(0.4902, abs=1e-4) and ten["high"] == pytest.approx(0.9433, abs=1e-4)
    assert proportion([True] * 3)["high"] == 1.0 and proportion([False] * 3)["low"] == 0.0


def test_the_summary_compares_with_direct_item_by_item() -> None:
    items = [sample("scene", 0, fault="blur"), sample("maze", 0), sample("scene", 0, fault="none")]
    right = {"direct": [False, True, True], "gold": [True, True, True], "self": [True, False, False]}
    summary = summarise(items, right)
    assert [summary[arm]["gain"] for arm in right] == [0.0, 0.5, 0.0]
    assert [summary[arm]["clean_cost"] for arm in right] == [0.0, 0.0, 1.0]
    assert summary["gold"]["share_of_gold"] == 1.0 and summary["self"]["share_of_gold"] == 0.0
    assert summary["gold"]["gain_low"] < 0.5 < summary["gold"]["gain_high"]
    assert "gain" not in summarise(items, {"gold": [True] * 3})["gold"]


def test_wrong_draws_an_edit_that_is_not_gold_and_names_no_option() -> None:
    wrong = ARMS["wrong"]
    assert wrong
    for task, fault in CELLS:
        for seed in range(40):
            item = sample(task, seed, fault=fault)
            edit = wrong(item)["policy"].removeprefix("fixed:")
            assert edit not in (*item.gold_edits, "none")
            assert edit != "trace_path" or not {"red", "green", "blue"} <= set(item.options)


def test_the_shipped_model_gains_by_imagining_and_the_harness_adds_nothing() -> None:
    done: list[tuple[str, int, int]] = []
    report: dict[str, Any] = evaluate(
        items=14, arms=["direct", "gold", "self", "none"], on_progress=lambda *step: done.append(step)
    )
    assert [(task, fault) for task, faults in report.items() if task != "summary" for fault in faults] == list(CELLS)
    assert done[-1] == ("none", 14, 14) and len(done) == 4 * 14
    for task, fault in CELLS:
        cell = report[task][fault]
        assert cell["none"] == cell["direct"] and cell["direct"]["n"] == 2
    summary = report["summary"]
    assert summary["gold"]["accuracy"] >= 0.9 and summary["self"]["share_of_gold"] >= 0.8
    assert summary["gold"]["gain"] >= 0.4 and summary["self"]["clean_cost"] == 0.0


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"arms": ["gld"]}, UnknownNameError),
        ({"split": "test"}, UnknownNameError),
        ({"model": "minni"}, UnknownNameError),
        ({"items": 0}, WorldError),
    ],
)
def test_what_cannot_be_evaluated_is_refused(settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        evaluate(**settings)
