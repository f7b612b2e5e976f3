"""`g2u study`, from the shell."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from g2u.cli import app
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.study.running.folder import read_study
from tests.study.grids import scripted

OWN = """
name: own
model: scripted
arms:
  - {name: direct, policy: none}
  - {name: self, policy: self}
  - {name: gold, policy: oracle, reflect: false}
items: {count: 6}
"""


def g2u(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["study", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout if "--json" in arguments else result.output


@pytest.fixture
def config(tmp_path: Path) -> Path:
    register_engine("scripted", Engine(scripted))
    (tmp_path / "own.yaml").write_text(OWN)
    return tmp_path / "own.yaml"


def test_a_study_is_run_reported_and_compared(tmp_path: Path, config: Path) -> None:
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    assert "Now look at it" in g2u("run", "--config", str(config), "--out", one)
    found = json.loads(g2u("run", "--config", str(config), "--out", one, "--json"))
    assert found["lines"] == 18 and {row["arm"] for row in found["arms"]} == {"direct", "self", "gold"}
    made = json.loads(g2u("report", one, "--json"))
    assert Path(made["page"]).read_text().startswith("<!doctype html>") and "arms" in made["tables"]
    assert {"arms.csv", "arms.parquet"} <= {file.name for file in Path(made["page"]).parent.iterdir()}
    assert "right, %" in " ".join(g2u("report", one).split())
    g2u("run", "--config", str(config), "--seeds", "2", "--out", other)
    assert {"comparison"} <= json.loads(g2u("compare", one, other, "--json")).keys()
    g2u("compare", one, other, "--out", str(tmp_path / "both.html"))
    assert "<html" in (tmp_path / "both.html").read_text()
    refused = g2u("run", "--config", str(config), "--reading", "written", "--out", other, code=2)
    assert "holds another study: reading was 'scored' there and is 'written' now" in " ".join(refused.split())


def test_a_folder_alone_goes_on_and_grows_by_what_is_named(tmp_path: Path, config: Path) -> None:
    out = str(tmp_path / "a")
    ahead = json.loads(g2u("run", "--config", str(config), "--arms", "direct", "--dry-run", "--json", "--out", out))
    assert (ahead["answers"], ahead["left"], ahead["drawings"]) == (6, 6, 0) and not Path(out).exists()
    assert json.loads(g2u("run", "--config", str(config), "--arms", "direct", "--out", out, "--json"))["lines"] == 6
    grown = json.loads(g2u("run", "--out", out, "--arms", "gold,twice", "--items", "3", "--json"))
    assert grown["lines"] == 12 and {row["arm"]: row["n"] for row in grown["arms"]}["twice"] == 3
    assert "Did you mean twice" in g2u("run", "--out", out, "--arms", "twise", code=2)
    told = " ".join(g2u("run", "--out", out, "--seeds", "2", "--dry-run").split())
    assert "answers 18 of 30" in told and "nothing of it was kept" in told
    assert json.loads(g2u("run", "--out", out, "--json"))["lines"] == 12


def test_a_study_of_some_questions_grows_where_their_file_is_gone(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), "red").save(tmp_path / "red.png")
    row = {"picture": "red.png", "question": "What colour is the circle?", "options": ["red", "blue"], "answer": "red"}
    file, out = tmp_path / "own.jsonl", str(tmp_path / "a")
    file.write_text(f"{json.dumps(row)}\n" * 2)
    run = ("run", "--out", out, "--arms")
    first = g2u(*run, "direct", "--preset", "own-data", "--source", str(file), "--items", "1")
    assert "1 of 2 questions, the first of the file; `--items 2` asks them all." in first
    file.unlink()
    assert json.loads(g2u(*run, "direct,self-twice", "--json"))["lines"] == 2
    assert "cannot be read" in g2u(*run, "direct", "--items", "2", code=2)


def test_the_example_of_own_data_runs_as_it_stands(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/study.md").read_text("utf-8")
    example = next(block for block in re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S) if "own-data" in block)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["bash", "-euo", "pipefail", "-c", example]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = read_study(tmp_path / "runs/own/study")
    assert len(found.lines) == found.expected == 2 * (4 + 2 * 7) and not found.missing
    assert not any(line.error or line.left_out for line in found.lines)
    thoughts = {
        (line.arm, line.item): line.rounds[0].decision.call.text
        for line in found.lines
        if line.rounds and line.arm not in ("direct", "random", "self", "self-unjudged")
    }
    assert len({(item, text) for (_, item), text in thoughts.items()}) == 2  # the controls have the edit of the model


def test_variants_are_compared_on_development(tmp_path: Path, config: Path) -> None:
    (tmp_path / "variants.yaml").write_text("- {name: one, policy: self, rounds: 1}\n- {name: two, policy: self}\n")
    shown = g2u(
        "select",
        "--config",
        str(config),
        "--items",
        "2",
        "--variants",
        str(tmp_path / "variants.yaml"),
        "--out",
        str(tmp_path / "s"),
    )
    assert "The best of 2: one" in shown  # of equals the first


def test_presets_and_arms_are_listed() -> None:
    assert "paper-world" in json.loads(g2u("presets", "--json"))
    assert {"paper", "controls", "order", "sweep", "ladder"} <= json.loads(g2u("arms", "--json")).keys()
    assert "paper-world" in g2u("presets") and "pillow" in g2u("arms")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--out", "x"], "Name either a preset or a file"),
        (
            ["run", "--out", "x", "--preset", "own-data"],
            "names no file. Add `--source FILE.jsonl`, or the name of a benchmark",
        ),
        (["run", "--out", "x", "--preset", "quick", "--arms", "slef"], "Did you mean self"),
        (["run", "--preset", "papr-world", "--out", "x"], "Did you mean paper-world"),
        (["run", "--preset", "quick", "--engine", "rai", "--out", "x"], "Did you mean ray"),
        (["run", "--preset", "quick", "--items", "0", "--out", "x"], "items"),
        (["run", "--preset", "quick", "--split", "held-owt", "--out", "x"], "Did you mean held-out"),
        (["report", "nowhere"], "There is no study in 'nowhere'"),
        (["compare", "nowhere", "there"], "There is no study in 'nowhere'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in " ".join(g2u(*arguments, code=2).split())
    assert not (tmp_path / "x").exists()
