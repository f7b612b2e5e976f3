"""Several models asked the same in one folder: nothing of one is taken for another's."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from g2u.cli import app
from g2u.errors import StudyError, UnknownNameError
from g2u.study.running.folder import read_study
from g2u.study.running.model_folders import folder_name, model_folders
from g2u.study.running.results import Results
from tests.agent.models.bagel.making import make_folder as make_bagel
from tests.agent.models.blip3o.making import make_folder as make_blip3o

OWN = """
name: three
arms:
  - {name: direct, policy: none}
  - {name: deblur, policy: "fixed:deblur", reflect: false, steps: 1}
items: {count: 2, tasks: [shapes]}
"""


def g2u(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["study", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout if "--json" in arguments else result.output


def answered(results: Results) -> list[object]:
    lines = [(line.key, line.answer, [turn.thought for turn in line.rounds]) for line in results.lines]
    return [(key, answer and answer.text, thoughts) for key, answer, thoughts in lines]


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "own.yaml").write_text(OWN)
    return str(tmp_path / "own.yaml")


def test_mini_a_tiny_bagel_and_a_tiny_blip3o_answer_in_one_folder(
    tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G2U_DEVICE", "cpu")
    bagel, blip3o = make_bagel(tmp_path / "bagel-tiny"), make_blip3o(tmp_path / "blip3o-tiny")
    out = tmp_path / "out"
    asked = ["--model", "mini", "--model", f"bagel={bagel}", "--model", f"blip3o-8b={blip3o}"]
    told = json.loads(g2u("run", "--config", config, *asked, "--out", str(out), "--json"))["models"]
    assert {name: (one["lines"], one["failed"]) for name, one in told.items()} == {
        "mini": (4, 0),
        "bagel-bagel-tiny": (4, 0),
        "blip3o-8b-blip3o-tiny": (4, 0),
    }
    found = {name: read_study(out / name) for name in told}
    identities = [results.header.model for results in found.values()]
    assert [one.model for one in identities] == ["mini", "bagel", "blip3o-8b"]
    assert len({one.weights for one in identities}) == 3 and len({r.header.code for r in found.values()}) == 3
    assert [results.header.edits for results in found.values()] == ["native", "native", "reimagine"]
    assert len({results.header.items for results in found.values()}) == 1  # the same questions
    thoughts = [{line.rounds[0].thought for line in results.by_arm["deblur"]} for results in found.values()]
    assert all(len(one) == 2 for one in thoughts) and len(set.union(*thoughts)) == 6
    for name, results in found.items():  # the caches, too: each model's drawings are in its own folder
        assert len(list((out / name / "pictures/drawings").rglob("*.json"))) == 2, results.folder

    alone = tmp_path / "alone"
    g2u("run", "--config", config, "--model", f"bagel={bagel}", "--out", str(alone))
    assert answered(read_study(alone)) == answered(found["bagel-bagel-tiny"])

    again = json.loads(g2u("run", "--out", str(out), "--json"))["models"]
    assert {name: one["lines"] for name, one in again.items()} == dict.fromkeys(told, 4)
    report = json.loads(g2u("report", str(out), "--json"))
    rows = {row["name"]: row for row in report["tables"]["models"]}
    assert list(rows) == [f"{name}: {arm}" for name in sorted(told) for arm in ("direct", "deblur")]
    assert {row["drawings"] for row in rows.values()} == {"edits", "reimaginings"}
    assert rows["mini: direct"]["n"] == 2 and (out / "report" / "models.csv").exists()
    page = Path(report["page"]).read_text()
    assert 'href="../mini/report/index.html"' in page and (out / "mini" / "report" / "index.html").exists()
    assert "3 models" in page and "All were asked the same items." in page


def test_what_cannot_share_a_folder_is_refused(tmp_path: Path, config: str) -> None:
    with pytest.raises(UnknownNameError, match="no model called 'bagle'"):
        model_folders(tmp_path / "a", ["mini", "bagle"])
    with pytest.raises(StudyError, match="Two of the models would have the folder 'mini'"):
        model_folders(tmp_path / "a", ["mini", "mini"])
    with pytest.raises(StudyError, match="cannot be one folder"):
        model_folders(tmp_path / "a", ["mini", "bagel"], "weights")
    assert model_folders(tmp_path / "a", []) == {tmp_path / "a": {}}
    assert model_folders(tmp_path / "a", ["bagel=w"]) == {tmp_path / "a": {"model": "bagel", "weights": "w"}}
    (tmp_path / "one").mkdir()
    (tmp_path / "one/study.json").write_text("{}")
    with pytest.raises(StudyError, match="holds the study of one model"):
        model_folders(tmp_path / "one", ["mini", "bagel"])
    assert folder_name("own/model.py:load", "some/weights") == "model-weights"
    assert folder_name("own/model.py:load") == "own-model.py-load"
