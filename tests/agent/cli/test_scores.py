"""`g2u bench score`, `export` and `import`, from the shell."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from typer.testing import CliRunner

from g2u.cli import app
from g2u.loop.deciding.writers import register_writer
from tests.study.benchmarks import golden


def bench(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["bench", *map(str, arguments)], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result.stdout if "--json" in arguments else result.output


def file_of(case: str) -> Path:
    return golden.FOLDER / case / f"{golden.benchmark(case)}.tsv"


def scores(*arguments: str | Path) -> dict[str, dict[str, Any]]:
    found = json.loads(bench("score", *arguments, "--json"))["scores"]
    return {one["kit"]: one for one in found}


def test_one_file_is_scored_by_all_kits_side_by_side(tmp_path: Path) -> None:
    case = golden.FOLDER / "MMStar"
    arguments = case / "predictions.xlsx", "--benchmark", file_of("MMStar"), "--kit", "all"
    told = bench("score", *arguments)
    assert "37.5                33.3             29.2    58.3" in told and "The answer is black dot" in told
    assert "agree" not in bench("score", *arguments[:3], "--kit", "strict"), "one kit has nothing to agree with"
    assert "Rules: vlmevalkit-2025-10: choices; vlmevalkit-2026-08: choices; lmms-eval-0.7.3: mmstar" in told
    found = json.loads(bench("score", *arguments, "--json"))
    assert {one["kit"]: one["main"]["accuracy"] for one in found["scores"]} == pytest.approx(
        {"vlmevalkit-2025-10": 37.5, "vlmevalkit-2026-08": 100 / 3, "lmms-eval-0.7.3": 175 / 6, "strict": 175 / 3}
    )
    (differing,) = found["differences"]
    row = next(one for one in differing["differences"] if one["index"] == "13")
    assert row["kits"]["vlmevalkit-2025-10"] == {"extracted": "C", "hit": 1.0}
    assert row["kits"]["vlmevalkit-2026-08"] == {"extracted": "B", "hit": 0.0}


def test_what_is_missing_strange_or_cannot_be_scored_is_said(tmp_path: Path) -> None:
    file = tmp_path / "me_MME.jsonl"
    file.write_text('{"index": 0, "prediction": "Yes"}\n{"index": 999, "prediction": "No"}\n')
    told = bench("score", file, "--benchmark", file_of("MME"), "--kit", "vlmevalkit-2026-08")
    assert "33 rows have no answer and are not counted; the first is '1'" in told
    assert "1 answers are for no row and not counted; the first is '999'" in told
    assert "vlmevalkit-2026-08 gives no figure: A picture has two questions" in told


def test_a_benchmark_is_scored_by_two_sets_of_answers(tmp_path: Path) -> None:
    mended = tmp_path / "mended.tsv"
    csv.field_size_limit(2**31 - 1)
    with file_of("BLINK").open(newline="") as file:
        table = list(csv.reader(file, delimiter="\t"))
    place = table[0].index("answer")
    table[1][place] = "C"  # it was answered with B, and that was right
    with mended.open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows(table)
    case = golden.FOLDER / "BLINK" / "predictions.jsonl"
    both = "--benchmark", f"BLINK={file_of('BLINK')}", "--benchmark", f"BLINK={mended}"
    found = json.loads(bench("score", case, *both, "--kit", "vlmevalkit-2026-08", "--json"))["scores"]
    assert [(one["data"], one["main"]["accuracy"]) for one in found] == [
        ("BLINK (BLINK.tsv)", pytest.approx(500 / 12)),
        ("BLINK (mended.tsv)", pytest.approx(400 / 12)),
    ]


def test_a_study_has_a_row_for_each_arm_and_goes_out_to_files_of_the_same_score(tmp_path: Path) -> None:
    case, out = golden.FOLDER / "MMVP", tmp_path / "study"
    bench("import", case / "predictions.xlsx", "--benchmark", file_of("MMVP"), "--out", out, "--model", "theirs")
    kits = "--kit", "vlmevalkit-2026-08,lmms-eval-0.7.3"
    told = bench("score", out, *kits)
    assert "arm     reading" in told and "unparsed" in told and "direct  written" in told
    before = {kit: one["metrics"] for kit, one in scores(out, *kits).items()}
    assert before["vlmevalkit-2026-08"] == {"none": {"Average": 0.5625, "Overall": 0.25}}
    for form in ("xlsx", "tsv", "json", "jsonl", "lmms"):
        (name,) = bench("export", out, "--out", tmp_path / form, "--form", form).split()
        found = scores(name, "--benchmark", file_of("MMVP"), *kits)
        assert {kit: one["metrics"] for kit, one in found.items()} == before, form
    assert Path(name).name == "theirs-direct-written_samples_MMVP.jsonl"


def test_several_models_in_one_folder_stand_below_each_other(tmp_path: Path) -> None:
    theirs = golden.FOLDER / "RealWorldQA" / "predictions.jsonl"
    always = tmp_path / "always.jsonl"
    always.write_text(
        "".join(f'{{"index": {index}, "prediction": "A"}}\n' for index in golden.predictions("RealWorldQA"))
    )
    for name, file in (("one", theirs), ("other", always)):
        bench("import", file, "--benchmark", file_of("RealWorldQA"), "--out", tmp_path / "all" / name)
    found = json.loads(bench("score", tmp_path / "all", "--kit", "strict", "--json"))["scores"]
    assert [(one["model"], one["main"]["accuracy"]) for one in found] == [
        ("one", pytest.approx(900 / 14)),
        ("other", pytest.approx(400 / 14)),
    ]
    part = tmp_path / "other.jsonl"
    part.write_text("".join(always.read_text().splitlines(keepends=True)[1:]))
    few = tmp_path / "few"
    for name in ("one", "other"):
        bench("import", part, "--benchmark", file_of("RealWorldQA"), "--out", few / name)
    once = bench("score", few, "--benchmark", file_of("RealWorldQA"), "--kit", "strict")
    assert once.count("have no answer and are not counted") == 1 and "All 2: 1 rows have no answer" in once
    told = bench("export", tmp_path / "all", "--out", tmp_path / "files", "--form", "json")
    assert "1 answers of it failed" in told
    written = sorted(path.name for path in (tmp_path / "files").iterdir())
    assert written == ["one-direct-written_RealWorldQA.json", "other-direct-written_RealWorldQA.json"]


def test_a_judge_has_a_column_of_its_own_and_its_replies_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "me_MMStar.jsonl"
    lines = [{"index": 4, "prediction": "A"}, {"index": 5, "prediction": "It has three corners."}]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    register_writer("bench-test", FakeListChatModel(responses=["C"]))
    arguments = file, "--benchmark", file_of("MMStar"), "--kit", "vlmevalkit-2026-08", "--judge"
    found = scores(*arguments, "bench-test")
    assert found["vlmevalkit-2026-08"]["main"] == {"accuracy": 50.0}
    assert found["vlmevalkit-2026-08, judged"]["main"] == {"accuracy": 100.0}
    assert len((tmp_path / "me_MMStar.judge.jsonl").read_text().splitlines()) == 1
    unreachable = scores(*arguments, "nobody")["vlmevalkit-2026-08, judged"]
    assert unreachable["unjudged"] == 1 and unreachable["main"] == {"accuracy": 100.0}
    assert "1 answers are unjudged and in no figure" in bench("score", *arguments, "nobody")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("score", "{folder}/a.pkl"), "is a pickle"),
        (("score", "{folder}/answers.jsonl"), "says no benchmark"),
        (("score", "{folder}/answers.jsonl", "--benchmark", "MMStr"), "Did you mean MMStar"),
        (("score", "{folder}/answers.jsonl", "--kit", "vlmevalkit-2026"), "Did you mean vlmevalkit-2026-08"),
        (("score", "{folder}", "--kit", "strict"), "There is no study"),
        (("score", "{folder}/answers.jsonl", "--benchmark", "MMStar=none.tsv", "--kit", ""), "no kit called ''"),
        (("export", "{folder}", "--out", "{folder}/out"), "There is no study"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "answers.jsonl").write_text('{"index": 0, "prediction": "A"}\n')
    (tmp_path / "a.pkl").write_bytes(b"")
    told = bench(*(one.format(folder=tmp_path) for one in arguments), code=2)
    assert said in " ".join(told.split())
