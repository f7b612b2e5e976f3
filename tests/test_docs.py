"""The Python in README and docs runs as it stands, after the shell line that comes before it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("page", "prints"), [("README.md", "trace_path\nteal blue\n"), ("docs/loop.md", "teal\n")])
def test_python_on_a_page_runs(page: str, prints: str, tmp_path: Path) -> None:
    [code] = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    command = [
        str(Path(sys.executable).parent / "g2u"),
        *["world", "sample", "--task", "maze", "--seed", "9", "--out", "runs/samples"],
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout == prints
