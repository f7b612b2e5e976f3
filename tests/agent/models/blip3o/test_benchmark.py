"""The benchmark, on a network of a few thousand weights."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[4] / "benchmarks" / "models.py"


def test_the_benchmark_measures_every_part_beside_its_floor() -> None:
    command = [sys.executable, str(SCRIPT), "--tiny", "--json"]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    figures = {figure["name"]: figure for figure in said["figures"]}
    for part in ("a picture seen", "a word, 8 at once", "instruction and queries", "features, 30 steps"):
        assert figures[part]["value"] > figures[part]["floor"] > 0
        assert figures[part]["bar"] == 1.6 * figures[part]["floor"]
    for part in ("latents, 50 steps", "pixels"):
        assert figures[part]["floor"] > 0 and figures[part]["bar"] is None
    assert figures["a drawing"]["value"] > 0
