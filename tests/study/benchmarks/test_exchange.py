"""Between a study and files of answers: what its arms said, and studies of answers that were had elsewhere."""

from dataclasses import replace
from pathlib import Path

import pytest

from g2u.errors import BenchmarkError, StudyError, UnknownNameError
from g2u.state import Answer
from g2u.study.benchmarks.exchange import import_answers, place_of, rows_of, said
from g2u.study.benchmarks.kits.kits import KITS
from g2u.study.benchmarks.of_world import write_world
from g2u.study.benchmarks.rows import FAILED, Row
from g2u.study.benchmarks.sources import open_source
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.report.compare import compare
from g2u.study.running.folder import read_study
from g2u.study.running.runner import run
from tests.study.benchmarks import golden
from tests.study.studies import make_study

STRICT = KITS["strict"]


def test_arms_say_letters_and_a_failure_stands_as_the_kits_write_it(tmp_path: Path) -> None:
    results = make_study(tmp_path)
    rows = rows_of(results)
    assert [row.cells["answer"] for row in rows["world"]] == ["A"] * 8 and rows["world"][0].cells["B"] == "blue"
    found = {one.arm: one for one in said(results, rows)}
    assert set(found) == {"direct", "self", "random"} and {one.reading for one in found.values()} == {"scored"}
    assert list(found["self"].predictions.values()) == ["A", "B", FAILED, "B", "A", "B", "A", "B"]
    assert [one.failed for one in found.values()] == [0, 1, 0]
    scored = STRICT.score("world", rows["world"], found["self"].predictions)
    assert scored.main == {"accuracy": 37.5} and scored.unparsed == 1
    assert scored.main["accuracy"] == 100 * sum(results.scores("self").values()) / 8


def test_the_letter_is_that_of_the_benchmarks_own_row(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=2)
    turned = [Row(row.index, {"A": "blue", "B": "red", "answer": "B"}) for row in rows_of(results)["world"]]
    (found,) = said(results, {"world": turned}, ["self"])
    assert list(found.predictions.values()) == ["B", "A"]
    bare = [Row(row.index, {"question": "Which?", "answer": "red"}) for row in turned]
    assert list(said(results, {"world": bare}, ["self"])[0].predictions.values()) == ["red", "blue"]
    assert said(results, {"other": turned}) == []
    with pytest.raises(UnknownNameError, match="Did you mean self"):
        said(results, {"world": turned}, ["sef"])


def test_answers_had_elsewhere_become_a_study_that_compares(tmp_path: Path) -> None:
    case = golden.FOLDER / "RealWorldQA"
    source, told = Items(source=str(case / "RealWorldQA.tsv")), golden.predictions("RealWorldQA")
    assert import_answers(tmp_path / "one", source, told, "theirs") == (14, 0)
    fewer = {index: "A" for index in list(told)[:10]}
    assert import_answers(tmp_path / "other", source, fewer, "always-a") == (10, 4)
    one, other = read_study(tmp_path / "one"), read_study(tmp_path / "other")
    by_study = {item.rpartition("/")[2]: score for item, score in one.scores("direct").items()}
    strict = STRICT.score("RealWorldQA", golden.rows("RealWorldQA"), told)
    assert by_study == {item.index: item.hit for item in strict.items}
    table = next(table for table in compare(one, other) if table.name == "comparison")
    assert table.rows[0]["n"] == 10
    (again,) = said(one, {"RealWorldQA": golden.rows("RealWorldQA")})
    assert (again.reading, again.predictions) == ("written", told)
    with pytest.raises(StudyError, match="There is a study"):
        import_answers(tmp_path / "one", source, told, "theirs")
    with pytest.raises(BenchmarkError, match="No prediction is for an item"):
        import_answers(tmp_path / "none", source, {"x": "A"}, "theirs")
    assert not (tmp_path / "none").exists()


def test_a_study_of_a_benchmark_has_the_score_that_the_kits_give_its_answers(tmp_path: Path) -> None:
    file = tmp_path / "small.tsv"
    write_world(file, 4, split="held-out", tasks=["shapes"])
    arms = [Arm(name="direct", policy="none", seeds="first")]
    results = run(Study(arms=arms, items=Items(source=str(file)), reading="both"), tmp_path / "study")
    rows = {"small": list(open_source(str(file)).reader.rows(pictures=False))}
    assert [row.index for row in rows_of(results)["small"]] == [row.index for row in rows["small"]]
    for one in said(results, rows):
        marks = [line.marks[one.reading] for line in results.lines]
        for kit in ("strict", "vlmevalkit-2026-08"):
            scored = KITS[kit].score("small", rows["small"], one.predictions)
            assert [item.hit for item in scored.items] == [mark.value for mark in marks], (kit, one.reading)
        assert scored.unparsed == sum(mark.found is None for mark in marks)


def test_an_item_with_more_options_than_letters_is_told(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=1)
    (item,) = results.items.values()
    many = item.model_copy(update={"options": [f"option {number}" for number in range(27)]})
    with pytest.raises(StudyError, match="27 options, and there are 26 letters"):
        rows_of(replace(results, items={many.id: many}))


def test_questions_of_a_file_beside_a_benchmark_are_not_of_the_benchmark(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=2)
    study = results.header.study.model_copy(update={"items": Items(source=["MMStar", "mine.jsonl"])})
    header = results.header.model_copy(update={"study": study})
    first, second = results.items.values()
    theirs = first.model_copy(update={"id": "MMStar/7", "groups": {"benchmark": "MMStar"}})
    own = second.model_copy(update={"id": "mine/7"})
    assert [place_of(one, header) for one in (theirs, own)] == [("MMStar", "7"), ("mine", "7")]


def test_an_arm_that_failed_throughout_is_scored(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=2)
    broken = [line.model_copy(update={"answer": None, "error": "It broke."}) for line in results.by_arm["self"]]
    others = [line for line in results.lines if line.arm != "self"]
    (found,) = said(replace(results, lines=[*others, *broken]), rows_of(results), ["self"])
    assert (found.reading, found.failed, set(found.predictions.values())) == ("scored", 2, {FAILED})


def test_a_failure_stands_under_the_readings_of_its_own_benchmark(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=2)
    study = results.header.study.model_copy(update={"items": Items(source=["choices.tsv", "free.tsv"])})
    free = {
        number: results.items["held-out/1"].model_copy(update={"id": f"free/{number}", "options": []})
        for number in range(2)
    }
    chosen = results.items["held-out/0"].model_copy(update={"id": "choices/0"})
    line = results.by_arm["direct"][0]
    written = Answer(text="red", written="red", log_probability=None, pictures=[], seconds=0.1)
    lines = [
        line.model_copy(update={"item": "choices/0"}),
        line.model_copy(update={"item": "free/0", "answer": written}),
        line.model_copy(update={"item": "free/1", "answer": None, "error": "It broke."}),
    ]
    changed = replace(
        results,
        header=results.header.model_copy(update={"study": study}),
        items={one.id: one for one in (chosen, *free.values())},
        lines=lines,
    )
    found = {(one.benchmark, one.reading): one.predictions for one in said(changed, rows_of(changed))}
    assert found == {("choices", "scored"): {"0": "B"}, ("free", "written"): {"0": "red", "1": FAILED}}
