"""Every example runs as a user would run it, with the shipped model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PARTS = {
    *("picture.py", "chat_model.py", "own_model.py", "own_policy.py", "small_print.py", "small_print_study.py"),
    *("old_model.py", "worker_model.py"),
}
"""Imported by the others, or named on the command line: `tests/agent/cli/test_own.py`, `test_small_print.py` and the
tests of the worker process do."""
PRINTS = {
    "python_api.py": ["decide 1", "teal; from the original alone: ", "none: ", "fixed:trace_path: teal"],
    "agent_tool.py": ["['text', 'image']", "teal runs/", "Take the teal exit."],
    "agent_edits.py": ["tools: deblur, denoise, ", "g2u:"],
    "node_shared_state.py": ["imagine/decide", "imagine/answer", "teal after trace_path; from the original alone: "],
    "node_separate_state.py": ["['exit: teal', 'exit: "],
    "mcp_client.py": ["['imagine', 'edit']", "Answer: teal (", "1 trace: Which exit can be reached"],
    "mcp_agent.py": [
        "g2u://runs/",
        "OpenAI: input_text, input_image",
        "Anthropic: text, image",
        "Google: image/png, text",
    ],
    "human_in_the_loop.py": ["It wants: ", "The person says: ", 'teal [\'{"edit": "trace_path", "colour": "green"}\''],
    "remote_graph.py": ["teal ['trace_path']"],
}
NEEDS = {"remote_graph.py": "Skipped: this needs langgraph.json"}
"""What an example says where it cannot run."""

SETTINGS = {"G2U_PICTURES", "LANGGRAPH_STRICT_MSGPACK"}
"""Of the tests; a user has none of them."""


def test_no_example_is_forgotten() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} - PARTS == set(PRINTS)


@pytest.mark.parametrize("name", PRINTS)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in SETTINGS}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    if name in NEEDS and done.stdout.startswith(NEEDS[name]):
        pytest.skip(done.stdout)
    for expected in PRINTS[name]:
        assert expected in done.stdout, done.stdout
