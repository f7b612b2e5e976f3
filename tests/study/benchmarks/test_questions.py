"""What a row asks, by the form of its benchmark."""

import re
from typing import Any

import pytest

from g2u.errors import BenchmarkError
from g2u.study.benchmarks.catalogue import Benchmark, Form, benchmarks, described
from g2u.study.benchmarks.questions import Question, clusters_of, question_of
from g2u.study.benchmarks.rows import Row


def asked(form: Form, **cells: Any) -> Question:
    usual = {"question": "Which?", "answer": "A"}
    return question_of(Row("5", usual | cells), Benchmark(name="some", form=form), "some.tsv")


def test_forms() -> None:
    found = asked("choices", A="red", B="blue", C="", answer="B", hint="Look.", category="colour")
    assert (found.text, found.options, found.answers) == ("Look.\nWhich?", ("red", "blue"), ("blue",))
    assert found.groups == {"category": "colour"} and found.gold_edits is None
    letters = asked("choices", A="D", B="A", C="C", D="B", answer="B")  # options that are letters themselves
    assert letters.answers == ("A",)
    assert asked("yes-no", answer="no").answers == ("No",)
    assert asked("yes-no", answer="no").options == ("Yes", "No")
    number = asked("maths", question_type="free_form", answer_type="float", answer="1.5")
    assert (number.scorer, number.answers, number.options) == ("number", ("1.5",), ())
    assert asked("maths", question_type="free_form", answer_type="text", answer="ape").scorer == "exact"
    choice = asked(
        "maths",
        question="Hint: Please answer with the letter.\nQuestion: How long?\nChoices:\n(A) 1 cm\n(B) 2 cm",
        question_type="multi_choice",
        choices="['1 cm', '2 cm']",
        answer="2 cm",
        answer_option="B",
    )
    assert (choice.text, choice.options, choice.answers) == ("How long?", ("1 cm", "2 cm"), ("2 cm",))
    assert asked("any", answer="yes").options == ("Yes", "No")
    assert asked("any", answer="42").options == ()
    gold = asked("any", answer="42", gold_edits="deblur, expose", **{"group:fault": "blur"})
    assert gold.gold_edits == ("deblur", "expose") and gold.groups == {"fault": "blur"}


def test_a_stem_has_no_options() -> None:
    told = "Which one?\nOptions: A: red, B: blue"
    assert asked("choices", question=told, A="red", B="blue").text == "Which one?"
    assert asked("choices", question=told, A="red", B="green").text == told  # no list of these options
    own = "Which of the options: left or right?"
    assert asked("choices", question=own, A="up", B="down").text == own


@pytest.mark.parametrize(
    ("form", "cells", "told"),
    [
        ("choices", {}, "column 'A': there are no options"),
        ("choices", {"A": "red", "C": "blue"}, "column 'B': it is empty, and there is an option C"),
        ("choices", {"A": "red", "B": "blue", "answer": "C"}, "column 'answer': 'C' is none of the options A to B"),
        ("choices", {"A": "red", "B": "blue", "answer": ""}, "column 'answer': '' is none"),
        ("choices", {"A": "red", "B": "Red"}, "no two alike"),
        ("choices", {"A": "red"}, "at least two"),
        ("choices", {"A": "red", "B": "blue", "question": " "}, "The question is empty"),
        ("yes-no", {"answer": "maybe"}, "column 'answer': 'maybe' is neither yes nor no"),
        ("free", {"answer": " "}, "column 'answer': it is empty"),
        ("maths", {"question_type": "multi_choice", "choices": "red"}, "column 'choices': it is no list"),
        ("maths", {"question_type": "multi_choice", "choices": "['a', '']"}, "column 'choices': option B is empty"),
        ("maths", {"question_type": "multi_choice", "choices": str([*range(27)])}, "27 options, more than letters"),
    ],
)
def test_a_row_that_cannot_be_asked_is_named_with_its_column(form: Form, cells: dict[str, str], told: str) -> None:
    with pytest.raises(BenchmarkError, match=f"some.tsv: row '5'.*{re.escape(told)}"):
        asked(form, **cells)


def test_what_belongs_together() -> None:
    copies = ["5", "1000005", "2000005", "6", "1000006"]
    assert clusters_of(copies, "circular", "x") == dict(zip(copies, ["5", "5", "5", "6", "6"], strict=True))
    assert clusters_of(["3", "1", "2", "4"], "pairs", "x") == {"1": "1", "2": "1", "3": "3", "4": "3"}
    assert clusters_of(["3", "VD_1"], "choices", "x") == {"3": "", "VD_1": ""}
    with pytest.raises(BenchmarkError, match="row 'VD_1', column 'index': it is no whole number"):
        clusters_of(["VD_1"], "circular", "x")
    with pytest.raises(BenchmarkError, match=r"row '1{64}\.\.\.', column 'index': it is no whole number of 18 digits"):
        clusters_of(["1" * 5000], "pairs", "x")


def test_the_catalogue() -> None:
    found = benchmarks()
    needed = "MMBench_DEV_EN MME MMStar HallusionBench R-Bench-Dis R-Bench-Ref KiVA AI2D_TEST MathVista_MINI MMVet MMVP"
    needed += " BLINK RealWorldQA POPE VStarBench Spatial457 VisThink"
    assert set(needed.split()) <= set(found)
    for name, one in found.items():
        assert all(re.fullmatch("[0-9a-f]{32}", version.md5) and version.what for version in one.versions), name
        assert one.url.startswith("https://") or not one.versions, name
        assert one.url or one.note, name
    sums = [version.md5 for one in found.values() for version in one.versions]
    assert len(sums) == len(set(sums))
    assert [version.md5[:8] for version in found["BLINK"].versions] == ["d5e8af14", "3b6649b6"]
    assert set(found["VisThink-substitute"].parts) <= set(found)
    assert described("own_circular").form == "circular" and described("own").form == "any"
