"""Your own model, policy and writer on the command line, with the files of `examples/`."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from g2u.cli import app

ROOT = Path(__file__).parents[3]
MODEL = "examples/own_model.py:load"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("G2U_PICTURES", raising=False)


@pytest.fixture
def picture(tmp_path: Path) -> str:
    """Dark on the right."""
    image = Image.new("RGB", (64, 48), (160, 160, 160))
    image.paste((10, 10, 10), (32, 0, 64, 48))
    image.save(tmp_path / "picture.png")
    return str(tmp_path / "picture.png")


def g2u(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def asked(picture: str, *more: str) -> dict[str, Any]:
    folder = str(Path(picture).parent / "runs")
    done = g2u("ask", picture, "Which is darker?", "--model", MODEL, "--out", folder, "--json", *more)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_example_answers(picture: str) -> None:
    found = asked(picture)
    assert (found["answer"], found["model"]) == ("right", MODEL)
    assert found["rounds"][0]["edit"] == "expose" and found["rounds"][0]["verdict"]["action"] == "keep"
    assert asked(picture, "--option", "left", "--option", "right")["answer"] == "right"


def test_a_setting_of_the_model_changes_what_it_draws(picture: str) -> None:
    plain, more = asked(picture), asked(picture, "--set", "contrast=8")
    assert plain["rounds"][0]["thought"] != more["rounds"][0]["thought"]
    header = json.loads((Path(more["trace"]) / "trace.jsonl").read_text().splitlines()[0])
    assert header["sampler"]["values"] == {"contrast": 8.0}
    assert header["model"] == {"model": "halves", "weights": "0" * 64, "code": "1.0", "settings": []}


def test_own_policies_and_writers(picture: str) -> None:
    own = asked(picture, "--policy", "examples/own_policy.py:by_brightness")["rounds"]
    assert [one["edit"] for one in own] == ["expose", "none"]
    written = asked(picture, "--policy", "writer:examples/own_policy.py:writer", "--rounds", "1")["rounds"]
    assert [(one["edit"], one["instruction"]) for one in written] == [("written", "Raise the contrast.")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "examples/own_model.py:laod"], "Did you mean load?"),
        (["--model", "examples/own_modle.py:load"], "There is no file"),
        (["--model", "examples/own_model.py:Halves"], "cannot be called as load(weights=FOLDER)"),
        (["--model", MODEL, "--set", "contrst=3"], "Did you mean contrast?"),
        (["--model", MODEL, "--set", "contrast=9"], "expected a number, at least 1, at most 8."),
        (["--model", MODEL, "--set", "contrast"], "`--set` takes NAME=VALUE"),
        (["--model", MODEL, "--set", "contrast=2", "--set", "contrast=3"], "given twice for 'contrast'"),
        (["--model", MODEL, "--policy", "score"], "declares no `scores`"),
        (["--model", MODEL, "--temperature", "0.5"], "has no temperature"),
        (["--model", "mini", "--set", "cfg_text=4"], "no settings of its own"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(arguments: list[str], told: str, picture: str) -> None:
    done = g2u("ask", picture, "Which is darker?", "--out", str(Path(picture).parent / "runs"), *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr and done.stderr.count("\n") == 1


def test_models_lists_and_checks(tmp_path: Path) -> None:
    assert [one["key"] for one in json.loads(g2u("models", "--json").stdout)][:2] == ["mini", "bagel"]
    done = g2u("models", "check", MODEL)
    assert (done.exit_code, done.stderr) == (0, f"{MODEL} keeps to all 16 rules for what it declares.\n")
    text = (ROOT / "examples/own_model.py").read_text().replace("seeded=False", "seeded=True")
    (tmp_path / "broken.py").write_text(text)
    broken = g2u("models", "check", f"{tmp_path}/broken.py:load")
    assert (broken.exit_code, broken.stderr) == (1, f"{tmp_path}/broken.py:load breaks 1 of 16 rules: seeds.\n")
    assert "FAILED  seeds: Two seeds made one drawing." in broken.stdout


def test_the_doctor_looks_at_your_own_model() -> None:
    assert g2u("doctor", "--model", MODEL).exit_code == 0
