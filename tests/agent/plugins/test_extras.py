"""What a missing extra says, and that nobody loads what they did not ask for."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "langchain_core", "langgraph", "mcp", "mlflow", "opentelemetry", "starlette", "uvicorn")


def python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("missing", "used", "extra"),
    [
        ("mcp", "g2u.mcp_app", "mcp"),
        ("mcp", "import g2u.plugins.mcp.server", "mcp"),
        ("opentelemetry.sdk", "import g2u.plugins.otel", "otel"),
        ("opentelemetry.exporter", "from g2u.plugins.otel import export_otel; export_otel([])", "otel"),
        ("mlflow", "import g2u.plugins.mlflow", "mlflow"),
    ],
)
def test_a_missing_extra_is_named(tmp_path: Path, missing: str, used: str, extra: str) -> None:
    # The finder of a machine without the package: it finds nothing, like the one of Python.
    hide = f"""
import importlib.machinery, sys
find = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = staticmethod(
    lambda name, path=None, _=None: None if (name + ".").startswith({missing + "."!r}) else find(name, path)
)
"""
    done = python(f"{hide}\nimport g2u, importlib.util\n{used}", tmp_path)
    assert f"pip install 'g2u[{extra}]'" in done.stderr.splitlines()[-1], done.stderr


def test_g2u_and_its_command_line_stay_light(tmp_path: Path) -> None:
    code = f"import g2u, g2u.cli, sys; print([name for name in {HEAVY} if name in sys.modules])"
    assert python(code, tmp_path).stdout == "[]\n"
