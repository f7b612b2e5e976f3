"""Data sets of Hugging Face as benchmarks: column maps and tasks of lmms-eval, of local files alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from g2u.errors import BenchmarkError
from g2u.study.benchmarks.checking import check
from g2u.study.benchmarks.questions import Question, question_of
from g2u.study.benchmarks.sources import Source, open_source
from tests.study.benchmarks.made import encoded, png, row, write

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


DOCUMENTS: list[dict[str, Any]] = [
    {"id": "a", "ask": "Which?", "choices": ["red", "blue"], "right": 1, "kind": "colour", "image": png(50)},
    {"id": "b", "ask": "How?", "choices": ["up", "down", "not"], "right": 0, "kind": "way", "image": png(90)},
]


def parquet(folder: Path, documents: list[dict[str, Any]] = DOCUMENTS) -> Path:
    data = datasets.Dataset.from_list(documents)
    data = data.map(lambda one: {"image": {"bytes": one["image"], "path": None}})
    folder.mkdir(exist_ok=True)
    data.cast_column("image", datasets.Image()).to_parquet(str(folder / "test.parquet"))
    return folder


def saved(path: Path, value: Any) -> str:
    path.write_text(yaml.safe_dump(value) if isinstance(value, dict) else value)
    return str(path)


def asked(source: Source) -> list[Question]:
    return [question_of(one, source.benchmark, "it") for one in source.reader.rows()]


COLUMNS = {"index": "id", "question": "ask", "options": "choices", "answer": "right", "groups": {"category": "kind"}}


@pytest.mark.parametrize("dataset", ["docs", "docs/test.parquet"])
def test_a_column_map(tmp_path: Path, dataset: str) -> None:
    parquet(tmp_path / "docs")
    found = open_source(saved(tmp_path / "mine.yaml", {"dataset": dataset, "columns": COLUMNS}))
    rows = list(found.reader.rows())
    assert found.name == "mine" and [one.index for one in rows] == ["a", "b"]
    assert rows[0].cells["answer"] == "B" and rows[1].cells["C"] == "not"  # as a file of VLMEvalKit would have it
    assert [one.pictures for one in rows] == [(png(50),), (png(90),)]
    assert found.reader.pictures("b") == (png(90),)
    assert [one.pictures for one in found.reader.rows(pictures=False)] == [(), ()]
    first, second = asked(found)
    assert (first.text, first.options, first.answers) == ("Which?", ("red", "blue"), ("blue",))
    assert second.answers == ("up",) and second.groups == {"category": "way"}
    assert check(found).rows == 2


def test_lists_of_pictures_paths_and_several_columns(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(png(10))
    lines = [{"q": "Which?", "x": "red", "y": "blue", "z": None, "answer": "A", "seen": ["one.png", encoded(20)]}]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    columns = {"question": "q", "options": ["x", "y", "z"], "pictures": ["seen"]}
    found = open_source(saved(tmp_path / "map.yml", {"dataset": "docs.jsonl", "form": "choices", "columns": columns}))
    (only,) = found.reader.rows()
    assert (only.index, only.pictures) == ("0", (png(10), png(20)))
    assert asked(found)[0].options == ("red", "blue")


def test_a_map_of_a_file_of_the_kit_names_its_form(tmp_path: Path) -> None:
    write(tmp_path / "some.tsv", [row(1), row(1_000_001, A="blue", B="red", answer="B")])
    found = open_source(saved(tmp_path / "map.yaml", {"name": "mine", "dataset": "some.tsv", "form": "circular"}))
    assert found.name == "mine" and check(found).clusters == 1


TASK = {
    "task": "own_task",
    "dataset_path": "parquet",
    "dataset_kwargs": {"data_files": {"test": "docs/test.parquet"}},
    "test_split": "test",
    "doc_to_visual": "image",
    "doc_to_text": "{{ kind | upper }}: {{ ask }}",
    "doc_to_choice": "choices",
    "doc_to_target": "right",
}


def test_a_task_of_lmms_eval_without_code(tmp_path: Path) -> None:
    parquet(tmp_path / "docs")
    found = open_source(saved(tmp_path / "own.yaml", TASK))
    first, second = asked(found)
    assert found.name == "own_task" and first.text == "COLOUR: Which?" and first.answers == ("blue",)
    assert second.options == ("up", "down", "not") and second.answers == ("up",)
    assert [one.pictures for one in found.reader.rows()] == [(png(50),), (png(90),)]
    templates = {"doc_to_choice": "{{ choices }}", "doc_to_target": "{{ choices[right] }}", "doc_to_text": "ask"}
    again = asked(open_source(saved(tmp_path / "own.yaml", TASK | templates)))
    assert [one.answers for one in again] == [("blue",), ("up",)] and again[0].text == "Which?"
    indexed = asked(open_source(saved(tmp_path / "own.yaml", TASK | {"doc_to_target": "{{ right }}"})))
    assert [one.answers for one in indexed] == [("blue",), ("up",)]
    listed = {"doc_to_choice": ["blue", "up"], "doc_to_target": "{{ choices[right] }}"}
    assert asked(open_source(saved(tmp_path / "own.yaml", TASK | listed)))[1].answers == ("up",)
    free = {key: value for key, value in TASK.items() if key != "doc_to_choice"} | {"doc_to_target": "kind"}
    assert asked(open_source(saved(tmp_path / "own.yaml", free)))[0].options == ()


def test_files_of_a_folder_may_be_named(tmp_path: Path) -> None:
    parquet(tmp_path / "docs")
    named = {"dataset_path": "docs", "dataset_kwargs": {"data_files": {"test": "test.parquet"}}}
    assert len(asked(open_source(saved(tmp_path / "own.yaml", TASK | named)))) == 2


def test_a_task_may_include_a_file(tmp_path: Path) -> None:
    parquet(tmp_path / "docs")
    saved(tmp_path / "_default_template_yaml", {key: value for key, value in TASK.items() if key != "task"})
    told = {"include": "_default_template_yaml", "task": "other", "doc_to_text": "ask"}
    found = open_source(saved(tmp_path / "own.yaml", told))
    assert found.name == "other" and asked(found)[0].text == "Which?"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("task: x\ndoc_to_text: !function utils.text\n", "doc_to_text"),
        ("task: x\nmetric_list:\n  - metric: m\n    aggregation: !function utils.all\n", "metric_list.0.aggregation"),
        ("task: x\ninclude: code\n", "process_results"),
    ],
)
def test_a_task_with_code_is_refused_by_its_key(tmp_path: Path, text: str, key: str) -> None:
    saved(tmp_path / "code", "process_results: !function utils.results\n")
    with pytest.raises(BenchmarkError, match=rf"needs code: its key '{key}' is `!function utils\.\w+`"):
        open_source(saved(tmp_path / "own.yaml", text))


def changed(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda told: {key: value for key, value in (told | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (changed(doc_to_visual=None), "its key 'doc_to_visual' is not there"),
        (changed(doc_to_text="{{ missing }}"), "its 'doc_to_text' cannot be filled in: 'missing' is undefined"),
        (changed(doc_to_text="{{ ask "), "its 'doc_to_text' cannot be filled in"),
        (changed(doc_to_choice="ask"), "'doc_to_choice' gives 'Which\\?', which is no list"),
        (changed(doc_to_visual="picture"), "has no column 'picture'; it has 'id', 'ask'"),
        (changed(dataset_kwargs={"data_files": "https://x.org/a.parquet"}), "is an address; only files here are read"),
        (changed(test_split="train"), "has no split 'train'; it has test"),
        (changed(doc_to_target="9"), "the answer 9 is none of 2 options from 0 on"),
    ],
)
def test_a_task_that_cannot_be_read(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], told: str
) -> None:
    parquet(tmp_path / "docs")
    with pytest.raises(BenchmarkError, match=told):
        asked(open_source(saved(tmp_path / "own.yaml", change(TASK))))


@pytest.mark.parametrize(
    ("map_", "told"),
    [
        ({"columns": {}}, "is no column map: dataset: field required"),
        ({"dataset": "docs", "columns": {"ask": "q"}}, "is no column map: columns.ask: extra inputs are not permitted"),
        ({"dataset": "docs", "columns": {"question": "q"}}, "has no column 'q'; it has 'id', 'ask'"),
        ({"dataset": "none.parquet"}, "There is no file"),
        ({"dataset": "docs", "columns": COLUMNS | {"pictures": ["twice"]}}, "row 'a', column 'twice': .*'int' is no"),
        ({"dataset": "docs", "columns": COLUMNS | {"index": "twice"}}, "the index '1' is there twice"),
    ],
)
def test_a_map_that_cannot_be_read(tmp_path: Path, map_: dict[str, Any], told: str) -> None:
    parquet(tmp_path / "docs", [{**one, "twice": 1} for one in DOCUMENTS])
    with pytest.raises(BenchmarkError, match=told):
        asked(open_source(saved(tmp_path / "map.yaml", map_)))


def test_the_hub_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    path = saved(tmp_path / "map.yaml", {"dataset": "some-owner/some-set", "columns": COLUMNS})
    monkeypatch.setattr("socket.socket.connect", lambda *args: pytest.fail("it went to the network"))
    with pytest.raises(BenchmarkError, match=r"huggingface.co/datasets/some-owner/some-set.*--download"):
        asked(open_source(path))


@pytest.mark.parametrize("options", [["x", "y", "z"], "listed"])
def test_an_empty_option_before_another_one_moves_no_letter(tmp_path: Path, options: list[str] | str) -> None:
    (tmp_path / "one.png").write_bytes(png(10))
    line = {"q": "Which?", "x": "red", "y": None, "z": "blue", "answer": "C", "seen": "one.png"}
    (tmp_path / "docs.jsonl").write_text(json.dumps(line | {"listed": ["red", None, "blue"]}) + "\n")
    columns = {"question": "q", "options": options, "pictures": ["seen"]}
    found = open_source(saved(tmp_path / "map.yml", {"dataset": "docs.jsonl", "form": "choices", "columns": columns}))
    with pytest.raises(BenchmarkError, match=r"row '0', column 'B': it is empty, and there is an option C"):
        asked(found)


def test_tasks_that_include_each_other_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "one.yaml", "task: one\ninclude: two.yaml\n")
    saved(tmp_path / "two.yaml", "doc_to_text: ask\ninclude: one.yaml\n")
    with pytest.raises(BenchmarkError, match=r"one.yaml' includes itself"):
        open_source(str(tmp_path / "one.yaml"))


@pytest.mark.parametrize("template", ["{{ right + ask }}", "{{ ask | regex_replace('(', '') }}"])
def test_a_template_that_fails_on_a_cell_is_named(tmp_path: Path, template: str) -> None:
    parquet(tmp_path / "docs")
    with pytest.raises(BenchmarkError, match="its 'doc_to_text' cannot be filled in"):
        asked(open_source(saved(tmp_path / "own.yaml", TASK | {"doc_to_text": template})))
