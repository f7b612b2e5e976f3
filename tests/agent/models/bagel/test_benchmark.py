"""The benchmark, on a network of a few thousand weights."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[4] / "benchmarks" / "bagel.py"


def test_the_benchmark_measures_every_part_of_the_loop() -> None:
    command = [sys.executable, str(SCRIPT), "--tiny", "--json"]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    values = {figure["name"]: figure["value"] for figure in said["figures"]}
    for part in ("edit context", "denoising step, 3 branches", "a word, 8 at once", "loop, 30 timesteps, 2 branches"):
        assert values[part] > 0
    assert values["guided velocity, fast against plain"] < 10
    assert values["every second step extrapolated: latents differ"] > 0
