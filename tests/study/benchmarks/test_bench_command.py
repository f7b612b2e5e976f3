"""`g2u bench list`, `g2u bench check`, `g2u world export` and `--source`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from g2u.cli import app
from g2u.study.benchmarks.tsv import TsvFile
from tests.study.benchmarks.made import encoded, row, write


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2U_BENCHMARKS", str(tmp_path / "ours"))
    monkeypatch.setenv("LMUData", str(tmp_path / "kit"))


def g2u(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout, done.stderr


def test_list(tmp_path: Path) -> None:
    (tmp_path / "kit").mkdir()
    write(tmp_path / "kit" / "MMStar.tsv", [row(1)])
    code, out, _ = g2u("bench", "list", "--json")
    found = json.loads(out)
    assert code == 0 and found["MMStar"]["file"] == str(tmp_path / "kit" / "MMStar.tsv")
    assert found["MME"]["file"] == "" and found["MME"]["lmms"] == "mme" and found["MME"]["rows"] == 2374
    code, out, _ = g2u("bench", "list")
    assert code == 0 and "VisThink-substitute" in out and "hallusion_bench_image" in out and "not public" in out


def test_check_tells_what_is_there_and_every_fault(tmp_path: Path) -> None:
    good = write(tmp_path / "good.tsv", [row(1, category="x"), row(2, image="1"), row(3, image="")])
    code, out, _ = g2u("bench", "check", str(good), "--json")
    found = json.loads(out)
    assert code == 0 and (found["rows"], found["pictures"], found["rows without a picture"]) == (2, 2, 1)
    assert found["groups"] == {"category": 1} and found["faults"] == []
    rows = [row(1), row(1), row(2, answer="C"), row(3, image=encoded()[:72]), row(4, image="?" * 99), row(5, A="")]
    bad = write(tmp_path / "bad.tsv", rows)
    code, out, told = g2u("bench", "check", str(bad))
    assert code == 1 and "rows: 1\n" in out and "5 of 6 rows cannot be asked" in told and "--lenient" in told
    for part in (
        "the 'index' '1' in line 3",
        "row '2', column 'answer': 'C' is none of the options A to B",
        "row '3', column 'image': picture 1 is",
        "row '4', column 'image': it is no base64",
        "row '5', column 'A': it is empty",
    ):
        assert part in told
    code, _, told = g2u("bench", "check", str(bad), "--lenient")
    assert code == 0 and "5 of 6 rows cannot be asked" in told


def test_check_of_a_file_that_is_missing_or_another(tmp_path: Path) -> None:
    code, _, told = g2u("bench", "check", "MMStar")
    assert code == 2 and "e1ecd2140806c1b1bbf54b43372efb9e" in told and "--download" in told
    (tmp_path / "ours").mkdir()
    write(tmp_path / "ours" / "MMStar.tsv", [row(1)])
    code, _, told = g2u("bench", "check", "MMStar")
    assert code == 2 and "has the MD5 sum" in told and "expected e1ecd2140806c1b1bbf54b43372efb9e" in told
    assert g2u("bench", "check", "MMStarr")[2].count("Did you mean MMStar") == 1


def test_the_world_is_exported(tmp_path: Path) -> None:
    out = tmp_path / "maze.tsv"
    code, _, told = g2u("world", "export", "--task", "maze", "--items", "3", "--out", str(out))
    assert code == 0 and "3 rows" in told
    rows = list(TsvFile(out).rows())
    assert [one.cells["category"] for one in rows] == ["maze"] * 3 and all(len(one.pictures) == 1 for one in rows)
    assert g2u("world", "export", "--task", "none", "--out", str(tmp_path / "x.tsv"))[0] == 2
    assert not (tmp_path / "x.tsv").exists() and len(list(tmp_path.iterdir())) == 1


def test_sources_of_the_command(tmp_path: Path) -> None:
    rows = [row(number, question="What colour is the circle?", A="red", B="blue") for number in range(2)]
    files = [str(write(tmp_path / f"{name}.tsv", rows)) for name in ("one", "two")]
    config = tmp_path / "study.yaml"
    config.write_text("name: small\narms: [{name: direct, policy: none}]\nitems: {source: ''}\n")
    sources = [part for file in files for part in ("--source", file)]
    code, out, told = g2u("study", "run", "--config", str(config), *sources, "--out", str(tmp_path / "s"), "--json")
    assert code == 0, told
    assert json.loads(out)["lines"] == 4
    code, _, told = g2u("study", "run", "--config", str(config), "--out", str(tmp_path / "t"), "--source", "MMStar")
    assert code == 2 and "The benchmark MMStar is not here" in told and not (tmp_path / "t").exists()
