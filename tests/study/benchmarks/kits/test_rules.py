"""Readings and figures of the kits: the same replies by each, and what each refuses."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest

from g2u.errors import BenchmarkError, MissingExtraError, UnknownNameError
from g2u.study.benchmarks.catalogue import benchmarks as catalogue
from g2u.study.benchmarks.kits.comparing import differences, odd_rows
from g2u.study.benchmarks.kits.kits import KITS, Kit, benchmarks, get_kit
from g2u.study.benchmarks.kits.scored import Scored
from g2u.study.benchmarks.rows import FAILED, Row

OLD, NEW, LMMS, STRICT = (
    KITS[name] for name in ("vlmevalkit-2025-10", "vlmevalkit-2026-08", "lmms-eval-0.7.3", "strict")
)
OPTIONS = {"A": "red circle", "B": "blue square", "C": "green triangle", "D": "yellow diamond"}


def choice(index: int, answer: str = "B", **cells: str) -> Row:
    groups = {"category": "shapes", "l2-category": "plane"}
    return Row(str(index), {"question": "Which one?", **OPTIONS, "answer": answer, **groups, **cells})


def of_replies(kit: Kit, benchmark: str, rows: list[Row], replies: list[str]) -> Scored:
    return kit.score(benchmark, rows, {row.index: reply for row, reply in zip(rows, replies, strict=True)})


@pytest.mark.parametrize(
    ("reply", "old", "new", "lmms", "strict"),
    [
        ("B", "B", "B", "B", "B"),
        ("(B)", "B", "B", "B", "B"),
        ("b", None, None, None, "B"),
        ("B. It has four equal sides and is blue.", None, None, "B", "B"),
        ("blue square", "B", "B", None, "B"),
        ("A blue square", "A", "A", "A", "B"),
        ("The answer is blue square", "B", "B", None, "B"),
        ("The answer is a blue square", "B", "A", None, "B"),
        ("The answer is **B** since its four sides are equal.", None, "B", "B", "B"),
        ("Definitely not B", "B", "B", "B", None),
        ("A or B", None, None, "A", None),
        ("Cannot determine the answer", "Z", "Z", "C", None),
        ("", None, None, None, None),
        ("NA", None, None, "A", None),
    ],
)
def test_a_reply_is_read_as_each_kit_reads_it(
    reply: str, old: str | None, new: str | None, lmms: str | None, strict: str | None
) -> None:
    read = [of_replies(kit, "MMStar", [choice(0)], [reply]).items[0] for kit in (OLD, NEW, LMMS, STRICT)]
    assert [item.extracted for item in read] == [old, new, lmms, strict]
    assert [item.hit for item in read] == [float(label == "B") for label in (old, new, lmms, strict)]
    assert [item.unparsed for item in read] == [label in (None, "Z") for label in (old, new, lmms, strict)]


@pytest.mark.parametrize(
    ("reply", "kit", "lmms", "strict"),
    [
        ("Yes", "Yes", "yes", "Yes"),
        ("yes.", "Yes", "yes", "Yes"),
        ("The answer is no.", "No", None, "No"),
        ("**Yes**", None, None, "Yes"),
        ("Answer:yes", None, None, "Yes"),
        ("y", None, "yes", None),
        ("Yes, and no other.", None, "yes", "Yes"),
        ("Not at all", None, "no", None),
        ("No problem, it is there", "No", "no", "No"),
    ],
)
def test_yes_and_no_are_read_as_each_kit_reads_them(
    reply: str, kit: str | None, lmms: str | None, strict: str | None
) -> None:
    rows = [
        Row(str(place), {"question": "Is it?", "answer": "Yes", "category": "OCR", "image_path": "1"})
        for place in (0, 1)
    ]
    read = [of_replies(one, "MME", rows, [reply, "Yes"]).items[0].extracted for one in (NEW, LMMS, STRICT)]
    assert read == [kit, lmms, strict]


@pytest.mark.parametrize(
    ("benchmark", "reply", "label"),
    [
        ("VStarBench", "Definitely blue", "D"),  # the first letter of a word
        ("VStarBench", "I pick option C because", "C"),
        ("BLINK", "The correct answer is (B).", "B"),
        ("BLINK", "blue square", "B"),  # the first letter of a word
        ("BLINK", "It is (A), no, (C)", "C"),
        ("RealWorldQA", "None of them (D) fits", "D"),
        ("MMVP", "Option B", "B"),
        ("MMBench_DEV_EN", "A blue square it is", "B"),
        ("AI2D_TEST", "B. blue square", "B"),
        ("AI2D_TEST", "(b)", "B"),
        ("AI2D_TEST", "The answer is B", None),
        ("MMStar", "<think>A or D?</think> C", "C"),
    ],
)
def test_each_task_of_lmms_eval_has_a_reading_of_its_own(benchmark: str, reply: str, label: str | None) -> None:
    assert of_replies(LMMS, benchmark, [choice(1)], [reply]).items[0].extracted == label


def test_lmms_eval_weighs_categories_alike_where_its_tasks_do() -> None:
    rows = [choice(0), choice(1), choice(2), choice(3, category="lines", **{"l2-category": "line"})]
    found = of_replies(LMMS, "MMStar", rows, ["B", "B", "A", "A"])
    assert found.metrics["none"] == pytest.approx({"average": 1 / 3, "shapes": 2 / 3, "lines": 0.0})
    assert of_replies(NEW, "MMStar", rows, ["B", "B", "A", "A"]).main == {"accuracy": 50.0}
    assert of_replies(LMMS, "BLINK", rows, ["B", "B", "A", "A"]).main["accuracy"] == pytest.approx(100 / 3)


def test_copies_of_a_question_are_right_together() -> None:
    rows = [choice(7), choice(1_000_007, "C"), choice(8), choice(1_000_008)]
    for kit in (NEW, LMMS, STRICT):
        found = of_replies(kit, "MMBench_DEV_EN", rows, ["B", "C", "B", "A"])
        assert found.groups == {"7": True, "8": False} and found.main == {"accuracy": 50.0}
    first = NEW.score("MMBench_DEV_EN", rows, {"1000007": "C", "8": "B", "1000008": "B"})
    assert first.groups == {"8": True}  # without its first copy a group counts for nothing
    assert first.missing == ["7"]


def test_lmms_eval_counts_a_pair_of_which_one_answer_is_missing_in_one_figure() -> None:
    rows = [choice(1), choice(2), choice(3)]
    found = of_replies(LMMS, "MMVP", rows, ["B", "B", "B"])
    assert found.main == {"pairs": 100.0, "accuracy": 100.0} and found.groups == {"1": True}
    assert "scored in pairs" in of_replies(NEW, "MMVP", rows, ["B", "B", "B"]).problem


def test_a_benchmark_scored_by_both_sets_of_its_answers() -> None:
    rows = [choice(0), choice(1)]
    mended = [choice(0), choice(1, "C")]
    assert of_replies(NEW, "BLINK", rows, ["B", "B"]).main == {"accuracy": 100.0}
    assert of_replies(NEW, "BLINK", mended, ["B", "B"]).main == {"accuracy": 50.0}


@pytest.mark.parametrize(
    ("benchmark", "cells", "said"),
    [
        ("MME", {"category": "OCR", "image_path": "1"}, "has one answer"),
        ("HallusionBench", {"category": "VD", "l2-category": "map"}, "has too few"),
        ("MMVP", OPTIONS, "in pairs"),
        ("MMVet", {"category": "ocr"}, "a judge's"),
    ],
)
def test_what_a_kit_gives_no_figure_for_it_gives_none_for_and_says_why(
    benchmark: str, cells: Mapping[str, str], said: str
) -> None:
    row = Row("1", {"question": "Is it?", "answer": "Yes", **cells})
    found = of_replies(NEW, benchmark, [row], ["Yes"])
    assert found.metrics == {} and found.main == {} and said in found.problem
    assert [item.index for item in found.items] == ["1"]


def test_a_benchmark_without_a_task_and_files_of_ones_own() -> None:
    assert (
        of_replies(LMMS, "R-Bench-Dis", [choice(0)], ["B"]).problem
        == "It has no task for R-Bench-Dis, or none whose rule is here."
    )
    assert of_replies(LMMS, "mine", [choice(0)], ["B"]).problem
    assert of_replies(NEW, "mine", [choice(0)], ["B"]).main == {"accuracy": 100.0}
    assert of_replies(NEW, "mine_circular", [choice(0), choice(1_000_000)], ["B", "A"]).main == {"accuracy": 0.0}
    with pytest.raises(BenchmarkError, match="no column A"):
        of_replies(NEW, "mine", [Row("0", {"question": "Is it?", "answer": "Yes"})], ["Yes"])


def test_rows_and_answers_that_do_not_fit_are_told() -> None:
    rows = [choice(0), choice(1)]
    found = NEW.score("MMStar", rows, {"1": "B", "9": "B"})
    assert (found.missing, found.strange, found.main) == (["0"], ["9"], {"accuracy": 100.0})
    with pytest.raises(BenchmarkError, match="No prediction is for a row of MMStar, such as '9'"):
        NEW.score("MMStar", rows, {"9": "B"})
    with pytest.raises(BenchmarkError, match="two rows with the index '0'"):
        NEW.score("MMStar", [choice(0), choice(0)], {"0": "B"})
    with pytest.raises(BenchmarkError, match="no column category, image_path"):
        NEW.score("MME", [Row("0", {"question": "Is it?", "answer": "Yes"})], {"0": "Yes"})


def test_rows_for_which_no_reply_is_right_are_told() -> None:
    bare = Row("2", {"question": "Which one?", "answer": "A", "A": "", "B": ""})
    told = odd_rows([choice(0), choice(1, "F"), bare, choice(3, "")])
    assert len(told) == 3 and all(name in " ".join(told) for name in ("'1'", "'2'", "'3'"))
    assert odd_rows([choice(0)]) == []


def test_what_kits_differ_on_is_told_row_by_row() -> None:
    rows = [choice(0), choice(1), choice(2)]
    replies = {"0": "B", "1": "A blue square", "2": "D"}
    scored = {kit.name: kit.score("MMStar", rows, replies) for kit in (NEW, STRICT)}
    (told,) = differences(rows, replies, scored)
    assert (told.index, told.answer, told.prediction) == ("1", "B", "A blue square")
    assert {name: (item.extracted, item.hit) for name, item in told.items.items()} == {
        NEW.name: ("A", 0.0),
        STRICT.name: ("B", 1.0),
    }


def test_cells_are_read_as_pandas_reads_them() -> None:
    numbers = [choice(0, A="3", B="4", C="", D=""), choice(1, A="5", B="6", C="7", D="")]
    whole = [choice(0, A="3", B="4", C="8", D=""), choice(1, A="5", B="6", C="7", D="")]
    assert of_replies(NEW, "MMStar", numbers, ["4", "7"]).items[1].extracted is None  # 7.0 is not in it
    assert of_replies(NEW, "MMStar", whole, ["4", "7"]).items[1].extracted == "C"
    gone = choice(0, D="None")
    assert of_replies(NEW, "MMStar", [gone], ["D"]).items[0].extracted is None
    assert of_replies(STRICT, "MMStar", [gone], ["D"]).items[0].extracted == "D"


def test_every_rule_is_named_and_an_unknown_kit_is_told_its_nearest() -> None:
    assert of_replies(NEW, "MMStar", [choice(0)], ["B"]).rule == "vlmevalkit-2026-08: choices"
    assert of_replies(LMMS, "MMStar", [choice(0)], ["B"]).rule == "lmms-eval-0.7.3: mmstar"
    with pytest.raises(UnknownNameError, match="vlmevalkit-2026-08"):
        get_kit("vlmevalkit-2026")
    assert {"MMStar", "R-Bench-Dis", "KiVA", "MMVet", "VStarBench", "HallusionBench"} <= set(benchmarks())


def test_without_the_extra_the_rules_of_vlmevalkit_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="benchmarks"):
        of_replies(NEW, "MMStar", [choice(0)], ["B"])
    assert of_replies(STRICT, "MMStar", [choice(0)], ["B"]).main == {"accuracy": 100.0}


def test_every_benchmark_of_the_catalogue_that_can_be_scored_has_rules() -> None:
    known = {name for name, one in catalogue().items() if not one.parts}
    assert known - {*benchmarks()} == {"Spatial457"}, "a benchmark of the catalogue without a rule"
    with_task = {name for name, one in catalogue().items() if one.lmms and not one.withheld} - set(LMMS.rules)
    assert with_task == {"Spatial457"}, "a benchmark with a task of lmms-eval and no rule of it"


@pytest.mark.parametrize("benchmark", ["MMStar", "RealWorldQA", "AI2D_TEST", "VStarBench", "BLINK", "MMVP"])
@pytest.mark.parametrize("kit", KITS)
def test_a_failure_is_no_answer_to_any_kit(kit: str, benchmark: str) -> None:
    """The readers of lmms-eval find an A in the words that VLMEvalKit has for one."""
    cells = {"question": "Which?", "A": "red", "B": "blue", "answer": "A", "category": "c", "l2-category": "l"}
    found = KITS[kit].score(benchmark, [Row("1", cells), Row("2", cells)], {"1": FAILED, "2": FAILED})
    assert found.unparsed == 2 and [item.hit for item in found.items] == [0.0, 0.0]
