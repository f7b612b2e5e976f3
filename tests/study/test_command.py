"""`g2u study`, from the shell."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from g2u.cli import app

OWN = """
name: own
arms:
  - {name: direct, policy: none}
  - {name: self, policy: self}
  - {name: gold, policy: oracle, reflect: false}
items: {count: 6}
"""


def g2u(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["study", *arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def config(tmp_path: Path) -> Path:
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
    assert "holds another study: seeds differ" in " ".join(
        g2u("run", "--config", str(config), "--out", other, code=2).split()
    )


def test_variants_are_compared_on_development(tmp_path: Path, config: Path) -> None:
    (tmp_path / "variants.yaml").write_text("- {name: naive, policy: self-naive}\n- {name: taught, policy: self}\n")
    shown = g2u(
        "select",
        "--config",
        str(config),
        "--items",
        "13",
        "--variants",
        str(tmp_path / "variants.yaml"),
        "--out",
        str(tmp_path / "s"),
    )
    assert "The best of 2: taught" in shown


def test_presets_and_arms_are_listed() -> None:
    assert "paper-world" in json.loads(g2u("presets", "--json"))
    assert {"paper", "controls", "order", "sweep", "ladder"} <= json.loads(g2u("arms", "--json")).keys()
    assert "paper-world" in g2u("presets") and "pillow" in g2u("arms")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--out", "x"], "Name either a preset or a file"),
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
    assert not (tmp_path / "x" / "study.json").exists()
