"""The real lmms-eval runs local tasks of Parquet files through the plug-in, and scores the replies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

import g2u
from g2u.edits.library import EditLibrary
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.world.items.items import Item, sample
from tests.scripted import ScriptedModel

pytestmark = pytest.mark.kits

ITEMS = [("shapes", 13), ("objects", 1), ("shapes", 25), ("objects", 37)]
"""Of the held-out world, blurred."""
DEBLUR = EditLibrary.load().instruction(EditLibrary.load().call("deblur"))

UTILS = """
def pictures(doc):
    return [picture.convert("RGB") for picture in doc["pictures"]]

def thought(doc, lmms_eval_specific_kwargs=None):
    return f"[GEN_PROMPT]{doc['edit']}[/GEN_PROMPT]\\n[QUESTION]{doc['question']}[/QUESTION]"

def rounds(doc, lmms_eval_specific_kwargs=None, previous_output=None, round_idx=None, previous_round_info=None):
    if round_idx is None:
        return doc["question"]
    told = (previous_round_info or 0) + 1
    return pictures(doc), f"And then? {round_idx}", round_idx == 2, previous_output, told

def score(doc, results):
    replies = results[0] if isinstance(results[0], list) else results
    return {"right": float(replies[-1] == doc["answer"])}
"""
TASK = """
task: {task}
dataset_path: parquet
dataset_kwargs: {{data_files: {parquet}}}
test_split: train
output_type: {output}
doc_to_visual: !function utils.pictures
doc_to_text: {text}
doc_to_target: "{target}"
{more}
metric_list:
  - {{metric: {metric}, aggregation: mean, higher_is_better: true}}
"""
SCORED = "process_results: !function utils.score"
STOPS = 'generation_kwargs: {visual_cot: true, max_new_tokens: 7, until: ["\\n\\n"]}'
ASKS = '"{{question}}"'
TASKS = {
    "tiny_direct": ("generate_until", ASKS, "{{answer}}", SCORED, "right"),
    "tiny_thought": ("generate_visual_cot", "!function utils.thought", "{{answer}}", f"{STOPS}\n{SCORED}", "right"),
    "tiny_often": ("generate_until", ASKS, "{{answer}}", f"repeats: 2\n{SCORED}", "right"),
    "tiny_rounds": ("generate_until_multi_round", "!function utils.rounds", "{{answer}}", SCORED, "right"),
    "tiny_choice": ("multiple_choice", ASKS, "{{options.index(answer)}}", 'doc_to_choice: "{{options}}"', "acc"),
}


def write_tasks(folder: Path, docs: list[dict[str, Any]]) -> Path:
    """A folder of tasks over documents, as `--include_path` takes it."""
    from datasets import Dataset

    parquet = folder / "docs.parquet"
    folder.mkdir(parents=True)
    Dataset.from_list(docs).to_parquet(parquet)
    (folder / "utils.py").write_text(UTILS)
    for task, (output, text, target, more, metric) in TASKS.items():
        told = TASK.format(
            task=task, parquet=parquet, output=output, text=text, target=target, more=more, metric=metric
        )
        (folder / f"{task}.yaml").write_text(told)
    return folder


def document(pictures: list[Image.Image], question: str, options: list[str], answer: str) -> dict[str, Any]:
    return {"pictures": pictures, "question": question, "options": options, "answer": answer, "edit": DEBLUR}


@pytest.fixture(autouse=True, scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    home = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
            patch.setenv(name, "1")
        patch.setenv("HF_HOME", str(home))
        patch.setenv("HF_DATASETS_CACHE", str(home / "datasets"))
        yield


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return [sample(task, seed, "held-out", "blur") for task, seed in ITEMS]


@pytest.fixture(scope="module")
def world_tasks(items: list[Item], tmp_path_factory: pytest.TempPathFactory) -> Path:
    docs = [document([item.picture], item.question, item.options, item.answer) for item in items]
    return write_tasks(tmp_path_factory.mktemp("world") / "tasks", docs)


def command(tasks: Path, names: str, out: Path, arguments: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run `lmms_eval` as a user does."""
    return subprocess.run(
        [
            *[sys.executable, "-m", "lmms_eval", "--model", "g2u", "--model_args", f"{arguments},out={out / 'g2u'}"],
            *["--tasks", names, "--include_path", str(tasks), "--batch_size", "1", "--output_path", str(out)],
            *["--log_samples", *more],
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=out.parent,
        capture_output=True,
        text=True,
    )


def results_in(out: Path) -> dict[str, Any]:
    """The results file: the exit code of lmms-eval is 0 also where a run failed."""
    [found] = out.rglob("*_results.json")
    return json.loads(found.read_text())["results"]


def samples_in(out: Path, task: str) -> list[dict[str, Any]]:
    [found] = out.rglob(f"*_samples_{task}.jsonl")
    return sorted((json.loads(line) for line in found.read_text().splitlines()), key=lambda line: line["doc_id"])


def errors_in(task: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (task / "train/errors.jsonl").read_text().splitlines()]


def reply_of(sample: dict[str, Any]) -> str:
    found = sample["filtered_resps"]
    return found if isinstance(found, str) else found[0]


def test_mini_runs_a_local_task_directly_and_with_a_thought(
    items: list[Item], world_tasks: Path, tmp_path: Path
) -> None:
    outs = {mode: tmp_path / mode for mode in ("direct", "thought")}
    for mode, names in (("direct", "tiny_direct,tiny_choice"), ("thought", "tiny_direct,tiny_thought")):
        done = command(world_tasks, names, outs[mode], f"mode={mode},model=mini")
        assert list(outs[mode].rglob("*_results.json")), done.stderr[-3000:]
    # The same items, asked of the loop itself.
    runs = [
        g2u.ask(
            item.picture, item.question, policy="fixed:deblur", reflect=False, rounds=1, reading="written", out=tmp_path
        )
        for item in items
    ]
    expected = {"direct": [run.direct.text for run in runs], "thought": [run.final.text for run in runs]}
    assert expected["direct"] != expected["thought"], "the thought changes an answer, so that modes can be told apart"
    for mode, task in (("direct", "tiny_direct"), ("thought", "tiny_thought")):
        replies = [reply_of(sample) for sample in samples_in(outs[mode], task)]
        assert replies == expected[mode]
        right = sum(reply == item.answer for reply, item in zip(replies, items, strict=True)) / len(items)
        assert results_in(outs[mode])[task]["right,none"] == right
    for number, run in enumerate(runs):
        folder = outs["thought"] / "g2u/tiny_thought/train" / str(number)
        thought = run.rounds[0].thought
        assert thought is not None
        drawn, alone = (
            numpy.asarray(picture, int) for picture in (Image.open(folder / "drawing-1.png"), thought.open())
        )
        assert abs(drawn - alone).max() <= 2  # it was drawn in a batch
        record = json.loads((folder / "item.json").read_text())
        assert (record["instruction"], record["reply"]) == (DEBLUR, run.final.text)
        assert record["shown"] == [run.final.pictures[0].sha256, *record["drawings"]]
    # A task without a drawing prompt gets one that mini was not taught: empty replies, and a line that says why.
    assert [reply_of(sample) for sample in samples_in(outs["thought"], "tiny_direct")] == [""] * len(items)
    errors = errors_in(outs["thought"] / "g2u/tiny_direct")
    assert {error["document"] for error in errors} == set(range(len(items)))
    assert all("draws only what it was taught" in error["error"] for error in errors)
    # Texts compared: the likeliest option, as the loop has it.
    likeliest = [
        g2u.ask(item.picture, item.question, options=item.options, policy="none", out=tmp_path) for item in items
    ]
    right = sum(run.answer == item.answer for run, item in zip(likeliest, items, strict=True)) / len(items)
    assert results_in(outs["direct"])["tiny_choice"]["acc,none"] == right


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedModel]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("G2U_PICTURES", raising=False)
    found = ScriptedModel(read_script=lambda text, pictures: f"{len(pictures)}\n\nto {text.split()[-2]}")
    with Engine(lambda: found) as engine:
        register_engine("scripted", engine)
        yield found


@pytest.fixture
def plain_tasks(tmp_path: Path) -> Path:
    colours = (("red",), ("red", "blue"), ("red", "blue", "green", "white"))
    pictures = [[Image.new("RGB", (8, 8), colour) for colour in some] for some in colours]
    docs = [document(some, "How many are there?", ["one", "two"], "two") for some in pictures]
    return write_tasks(tmp_path / "tasks", docs)


def evaluate(tasks: Path, task: str, cache: Path | None = None, **given: Any) -> dict[str, Any]:
    """Run lmms-eval in this process, as its own command does."""
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.tasks import TaskManager

    arguments = ",".join(f"{name}={value}" for name, value in ({"model": "scripted"} | given).items())
    found = simple_evaluate(
        model="g2u",
        model_args=arguments,
        tasks=[task],
        task_manager=TaskManager("ERROR", include_path=str(tasks), include_defaults=False),
        batch_size=1,
        bootstrap_iters=0,
        use_cache=None if cache is None else str(cache),
    )
    return found


def replies(found: dict[str, Any], task: str) -> list[Any]:
    return [sample["resps"] for sample in sorted(found["samples"][task], key=lambda sample: sample["doc_id"])]


def test_all_pictures_are_seen_and_one_that_fails_leaves_the_others_alone(
    scripted: ScriptedModel, plain_tasks: Path, tmp_path: Path
) -> None:
    for mode, expected in (("direct", ["1", "2", ""]), ("thought", ["2", "3", ""])):
        found = evaluate(plain_tasks, "tiny_thought", mode=mode, out=mode, until="heeded")
        assert replies(found, "tiny_thought") == [[[reply]] for reply in expected]  # the third has a picture too many
        [error] = errors_in(Path(mode, "tiny_thought"))
        assert (error["document"], error["kind"]) == (2, "CapabilityError") and "pictures" in error["error"]
        assert not Path(mode, "tiny_thought/train/2").exists()


def test_stop_words_are_heeded_where_that_is_wanted(scripted: ScriptedModel, plain_tasks: Path) -> None:
    for until, expected in (("ignored", "1\n\nto there?"), ("heeded", "1")):
        found = evaluate(plain_tasks, "tiny_direct", out=until, until=until)
        assert replies(found, "tiny_direct")[0] == [[expected]]
        record = json.loads(Path(until, "tiny_direct/train/0/item.json").read_text())
        assert (record["written"], record["reply"]) == ("1\n\nto there?", expected)
        assert record["generation_kwargs"]["until"] == ["\n\n"]  # lmms-eval adds it


def test_the_loop_chooses_and_leaves_its_trace(scripted: ScriptedModel, plain_tasks: Path) -> None:
    evaluate(plain_tasks, "tiny_direct", mode="agent", policy="fixed:deblur", reflect=False, rounds=1, out="agent")
    record = json.loads(Path("agent/tiny_direct/train/1/item.json").read_text())
    assert (record["edits"], record["reply"]) == (["deblur(on=1)"], "3\n\nto there?")
    assert Path("agent/tiny_direct/train/1/drawing-1.png").is_file()
    assert Path("agent/runs", record["run"], "trace.jsonl").is_file()


def test_several_replies_have_folders_of_their_own(scripted: ScriptedModel, plain_tasks: Path) -> None:
    evaluate(plain_tasks, "tiny_often", mode="thought", instruction="Draw.", out="often")
    assert {path.name for path in Path("often/tiny_often/train").iterdir()} == {"0", "0-2", "1", "1-2", "errors.jsonl"}


def test_a_task_may_ask_in_rounds(scripted: ScriptedModel, plain_tasks: Path) -> None:
    found = evaluate(plain_tasks, "tiny_rounds", out="rounds")
    assert replies(found, "tiny_rounds")[0] == [[["1\n\nto there?", "1\n\nto 1"]]]
    assert Path("rounds/tiny_rounds/train/0/round-2/item.json").is_file()


def test_nothing_that_failed_comes_out_of_the_cache(scripted: ScriptedModel, plain_tasks: Path, tmp_path: Path) -> None:
    counts = []
    for out in ("first", "first"):
        scripted.calls.clear()
        evaluate(plain_tasks, "tiny_direct", cache=tmp_path / "cache", out=out)
        counts.append(len([text for call in scripted.of("read") for text in call.texts]))
    assert counts == [2, 0]
    assert len(errors_in(Path("first/tiny_direct"))) == 2  # the third was tried again
    for _ in range(2):  # pairs cannot be kept by it
        scripted.calls.clear()
        found = evaluate(plain_tasks, "tiny_choice", cache=tmp_path / "cache", out="first")
        assert len(scripted.of("score")) >= 1
    assert replies(found, "tiny_choice")[0] == [[(1.0, False)], [(2.0, False)]]


def test_several_processes_are_refused(scripted: ScriptedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from g2u.plugins.lmms_eval.model import G2UModel

    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(g2u.G2UError, match="one process"):
        G2UModel(model="scripted")
    assert not Path("runs").exists()
