"""The notebooks of `examples/`, run as somebody runs them who opens them, give what is stored in them.

`G2U_NOTEBOOKS=1 pytest tests/examples/test_notebooks.py` stores anew what they put out.
"""

from __future__ import annotations

import base64
import io
import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
MOST_BYTES = 300_000
PLACES = re.compile(r"/(?:home|root|tmp|usr|opt|var|private|Users)/|[A-Z]:\\\\|\d{8}T\d{6}")
"""Of the machine that a notebook ran on, and names of its runs."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_gives_what_is_stored_in_it(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("G2U_PICTURES", "LANGGRAPH_STRICT_MSGPACK"):
        monkeypatch.delenv(name, raising=False)
    stored = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)
    NotebookClient(fresh, kernel_name="python3", timeout=None, resources={"metadata": {"path": tmp_path}}).execute()
    if os.environ.get("G2U_NOTEBOOKS"):
        stored = bare(fresh)
        nbformat.write(stored, path)
    assert [shown(cell) for cell in fresh.cells] == [shown(cell) for cell in stored.cells]
    assert any(kind == "text/html" for cell in stored.cells for kind, _ in shown(cell))
    assert (tmp_path / "runs").is_dir()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_and_tells_nothing_of_a_machine(path: Path) -> None:
    text = re.sub(r"(?:base64,|\"image/png\": \")[A-Za-z0-9+/=]+", "", path.read_text("utf-8"))
    assert PLACES.findall(text) == []
    assert path.stat().st_size < MOST_BYTES


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


def shown(cell: Any) -> list[tuple[str, object]]:
    """What a cell put out, as kind and what a person sees: of pictures their size, of numbers none.

    Other processors round otherwise, which may show in the last pixel and the last digit.
    """
    found: list[tuple[str, object]] = []
    for output in cell.get("outputs", ()):
        assert output.output_type in ("stream", "execute_result", "display_data"), output
        assert output.get("name") != "stderr", output.text
        if output.output_type == "stream":
            found.append(("text/plain", output.text))
            continue
        for kind in sorted(output.data):
            data = output.data[kind]
            if kind == "image/png":
                found.append((kind, Image.open(io.BytesIO(base64.b64decode(data))).size))
            elif kind == "text/html":
                found.append((kind, words_of(data)))
    return found


def words_of(html: str) -> str:
    """What stands in a page, without its numbers and the pictures themselves."""
    text = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"[\d.]+|<[^>]*>", " ", re.sub(r"<img[^>]*>", " picture ", text)).split())


def bare(notebook: Any) -> Any:
    """A notebook without what differs from run to run: times, versions, addresses in memory."""
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data or "text/html" in data:
                data["text/plain"] = "<a picture>" if "image/png" in data else "<a run>"
    return notebook
