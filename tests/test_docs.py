"""The Python in README and docs runs as it stands, after the shell line that comes before it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


PRINTS = {
    "README.md": ["trace_path\nteal blue\n"],
    "docs/loop.md": ["teal\n"],
    "docs/plugins.md": ["['text', 'image'] teal\n", "teal ['trace_path']\n"],
}
"""What each block of Python on a page prints, in order."""


@pytest.mark.parametrize(
    ("page", "number"), [(page, number) for page, all_ in PRINTS.items() for number in range(len(all_))]
)
def test_python_on_a_page_runs(page: str, number: int, tmp_path: Path) -> None:
    found = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(found) == len(PRINTS[page])
    command = [
        str(Path(sys.executable).parent / "g2u"),
        *["world", "sample", "--task", "maze", "--seed", "9", "--out", "runs/samples"],
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    environment = {name: value for name, value in os.environ.items() if name != "LANGGRAPH_STRICT_MSGPACK"}
    done = subprocess.run(
        [sys.executable, "-c", found[number]], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == (PRINTS[page][number], "")
