"""Files of answers: written in each form and read back, by the kits' own readers and by ours; what is refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pandas
import pytest

from g2u.errors import BenchmarkError, UnknownNameError
from g2u.study.benchmarks.kits.kits import KITS
from g2u.study.benchmarks.predictions.names import Named, named
from g2u.study.benchmarks.predictions.reading import read_predictions
from g2u.study.benchmarks.predictions.writing import FORMS, LONGEST_TEXT, write_predictions
from g2u.study.benchmarks.rows import FAILED, Row
from tests.study.benchmarks import golden

ODD = {
    "0": "B",
    "1": "",
    "2": "=1+1",
    "3": 'first line\nsecond\tline, with "marks"',
    "4": "3.0",
    "5": "  blanks around  ",
    "6": "True",
    "7": "答案是B",
}
ROWS = [
    Row(index, {"question": "Which one?", "A": "left", "B": "right", "answer": "B", "category": "place"})
    for index in ODD
]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read_back_as_it_was(tmp_path: Path, form: str) -> None:
    path = write_predictions(tmp_path, "mini-direct", "MMStar", ROWS, ODD, form)
    assert path.name == ("mini-direct_samples_MMStar.jsonl" if form == "lmms" else f"mini-direct_MMStar.{form}")
    assert read_predictions(path, ROWS) == ODD


@pytest.mark.parametrize("case", golden.CASES)
def test_the_kits_own_result_files_hold_what_was_answered(case: str) -> None:
    told = golden.predictions(case)
    assert read_predictions(golden.FOLDER / case / "predictions.xlsx") == told
    by_kit = pandas.read_excel(golden.FOLDER / case / "predictions.xlsx")
    assert [str(index) for index in by_kit["index"]] == list(told)


@pytest.mark.parametrize(
    ("form", "read"), [("xlsx", pandas.read_excel), ("tsv", lambda path: pandas.read_csv(path, sep="\t"))]
)
def test_the_kits_reader_finds_every_column_and_the_answers(tmp_path: Path, form: str, read: object) -> None:
    path = write_predictions(tmp_path, "mini", "MMStar", ROWS, ODD, form)
    assert callable(read)
    table = read(path)
    assert list(table.columns) == ["index", "question", "A", "B", "answer", "category", "prediction"]
    assert list(table["index"]) == list(range(8))
    assert list(table["prediction"].astype(str))[2:4] == ["=1+1", ODD["3"]]
    assert KITS["vlmevalkit-2026-08"].score("MMStar", ROWS, read_predictions(path)).main == {"accuracy": 100 / 8}


def test_answers_go_through_files_without_another_score(tmp_path: Path) -> None:
    rows, told, kit = golden.rows("MMBench_DEV_EN"), golden.predictions("MMBench_DEV_EN"), KITS["vlmevalkit-2026-08"]
    before = kit.score("MMBench_DEV_EN", rows, told)
    for form in FORMS:
        path = write_predictions(tmp_path, "mini", "MMBench_DEV_EN", rows, told, form)
        assert kit.score("MMBench_DEV_EN", rows, read_predictions(path, rows)).metrics == before.metrics, form


def test_samples_of_lmms_eval_are_placed_by_the_order_of_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "20261130_120000_samples_mmstar.jsonl"
    rows = [Row(str(10 * place), {"question": "Which?", "answer": answer}) for place, answer in enumerate("ABCDABCDAB")]
    samples = [
        {"doc_id": 1, "target": "(B)", "resps": [["I say B"]], "filtered_resps": ["B"]},
        {"doc_id": 0, "target": "A", "filtered_resps": "A"},
    ]
    path.write_text("".join(f"{json.dumps(sample)}\n" for sample in samples))
    assert read_predictions(path, rows) == {"10": "I say B", "0": "A"}
    assert read_predictions(path) == {"1": "I say B", "0": "A"}
    mixed = [{"doc_id": place, "target": "A", "filtered_resps": "A"} for place in range(10)]
    path.write_text("".join(f"{json.dumps(sample)}\n" for sample in mixed))
    with pytest.raises(BenchmarkError, match="has the target 'A', and its row the answer 'B', as have 7 of 10"):
        read_predictions(path, rows)
    path.write_text(json.dumps({"doc_id": 99, "target": "A", "filtered_resps": "A"}))
    with pytest.raises(BenchmarkError, match="document 99 of 10"):
        read_predictions(path, rows)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.pkl", b"", "is a pickle"),
        ("a.txt", b"A", "no form that is known"),
        ("a.xlsx", b"PK no book", "no .xlsx file"),
        ("a.tsv", b"index\tanswer\n1\tA\n", "no column prediction"),
        ("a.tsv", b"\xff\xfe", "cannot be read"),
        ("a.json", b'{"1": "A"}', "no list of rows"),
        ("a.json", b"[1", "no JSON"),
        ("a.jsonl", b'{"index": 1}\n', "Line 1"),
        ("a.jsonl", b'{"index": 1, "prediction": "A"}\n{"index": 1, "prediction": "B"}\n', "index '1' once more"),
        ("a.jsonl", b'{"index": null, "prediction": "A"}\n', "no index"),
        ("a.jsonl", b'{"doc_id": 1, "filtered_resps": ["A", "B"]}\n', "no single reply"),
        ("a.jsonl", b"[" * 20_000, "nested too deeply"),
        ("a.jsonl", b'{"index": 1, "prediction": "\\ud83d"}\n', "Line 1 .* half a character"),
        ("a.tsv", b"prediction\tindex\nA\n", "Row 2 .* no index"),
        ("a.tsv", b"index\tindex\tprediction\n1\t2\tA\n", "two columns 'index'"),
    ],
    ids=lambda given: str(given)[:60],
)
def test_other_files_are_refused_with_what_is_wrong(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BenchmarkError, match=said):
        read_predictions(tmp_path / name)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for ending in (".xlsx", ".tsv", ".json", ".jsonl"):
        with pytest.raises(BenchmarkError, match="cannot be read"):
            read_predictions(tmp_path / f"none{ending}")


@pytest.mark.parametrize(("text", "said"), [("x" * (LONGEST_TEXT + 1), "longer"), ("a\x01b", "a character")])
def test_what_an_xlsx_file_would_lose_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BenchmarkError, match=f"cannot hold row '0': it has a text .*{said}"):
        write_predictions(tmp_path, "mini", "MMStar", ROWS[:1], {"0": text}, "xlsx")
    assert read_predictions(write_predictions(tmp_path, "mini", "MMStar", ROWS[:1], {"0": text}, "json")) == {"0": text}


@pytest.mark.parametrize("form", ["xlsx", "tsv", "json", "jsonl"])
def test_an_index_with_more_digits_than_a_number_holds_stays_as_it_is(tmp_path: Path, form: str) -> None:
    for index in ("12345678901234567", "9" * 5000):
        path = write_predictions(tmp_path, "mini", "MMStar", [Row(index, {"answer": "A"})], {index: "A"}, form)
        assert read_predictions(path) == {index: "A"}


def test_a_form_and_an_answer_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="xlsx"):
        write_predictions(tmp_path, "mini", "MMStar", ROWS, ODD, "xls")
    with pytest.raises(BenchmarkError, match="no such row"):
        write_predictions(tmp_path, "mini", "MMStar", ROWS, {"99": "A"}, "json")
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_run_has_the_rows_that_are_answered(tmp_path: Path) -> None:
    path = write_predictions(tmp_path, "mini", "MMStar", ROWS, {"7": "B"}, "xlsx")
    assert zipfile.is_zipfile(path) and len(pandas.read_excel(path)) == 1


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("BAGEL_MMBench_DEV_EN.xlsx", Named("BAGEL", "MMBench_DEV_EN")),
        ("my_model_R-Bench-Dis.json", Named("my_model", "R-Bench-Dis")),
        ("MMStar.jsonl", Named("", "MMStar")),
        ("20261130_samples_mmstar.jsonl", Named("20261130", "MMStar")),
        ("20261130_samples_other.jsonl", None),
        ("answers.jsonl", None),
    ],
)
def test_a_file_is_known_by_its_name(name: str, found: Named | None) -> None:
    known = ["MMBench", "MMBench_DEV_EN", "MMStar", "R-Bench-Dis"]
    assert named(Path(name), known, {"mmstar": "MMStar"}) == found


def test_a_failure_is_an_empty_reply_to_lmms_eval(tmp_path: Path) -> None:
    path = write_predictions(tmp_path, "mini", "MMStar", ROWS[:1], {"0": FAILED}, "lmms")
    assert read_predictions(path, ROWS) == {"0": ""}
    path = write_predictions(tmp_path, "mini", "MMStar", ROWS[:1], {"0": FAILED}, "tsv")
    assert read_predictions(path) == {"0": FAILED}


@pytest.mark.parametrize("form", FORMS)
def test_a_model_that_is_named_by_a_place_does_not_lead_out_of_the_folder(tmp_path: Path, form: str) -> None:
    path = write_predictions(tmp_path / "out", f"{tmp_path}/own.py:load-direct", "MMStar", ROWS, ODD, form)
    assert path.parent == tmp_path / "out" and "own.py:load-direct" in path.name
    assert list((tmp_path / "out").iterdir()) == [path]


def test_a_row_that_ends_before_its_index_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("prediction\tindex\nA\t0\nB\n")
    with pytest.raises(BenchmarkError, match=r"Row 3 of .* has no index"):
        read_predictions(tmp_path / "x.tsv")
