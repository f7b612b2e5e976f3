"""The data-set classes of VLMEvalKit's own wheel score what we write, and our rule of that version agrees."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from g2u.study.benchmarks.kits.kits import KITS
from g2u.study.benchmarks.predictions.writing import write_predictions
from tests.study.benchmarks import golden
from tests.study.benchmarks.kits.wheel import CLASSES

pytestmark = pytest.mark.kits

KIT = "vlmevalkit-2025-10"
"""Whose reading is that of `ms-vlmeval` 0.0.20."""
CASES = [case for case in golden.CASES if golden.benchmark(case) in CLASSES]


def test_the_wheel_and_our_rule_agree_item_by_item(tmp_path: Path) -> None:
    for case in CASES:
        name, folder = golden.benchmark(case), tmp_path / case
        write_predictions(folder, "model", name, golden.rows(case), golden.predictions(case), "xlsx")
        shutil.copy(golden.FOLDER / case / f"{name}.tsv", folder)
    script = Path(__file__).with_name("wheel.py")
    # With the variable VERBOSE the kit scores otherwise.
    environment = {name: value for name, value in os.environ.items() if name != "VERBOSE"}
    done = subprocess.run([sys.executable, script, tmp_path], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    theirs = json.loads((tmp_path / "found.json").read_text())
    assert theirs == ours(KIT)
    assert theirs != ours("vlmevalkit-2026-08")
    assert sum(map(len, theirs.values())) == 215


def ours(kit: str) -> dict[str, dict[str, float]]:
    """What each item is worth, of circular questions each group."""
    values = {}
    for case in CASES:
        found = KITS[kit].score(golden.benchmark(case), golden.rows(case), golden.predictions(case))
        circular = golden.benchmark(case).startswith("MMBench")
        values[case] = dict(found.groups) if circular else {item.index: item.hit for item in found.items}
    return values
