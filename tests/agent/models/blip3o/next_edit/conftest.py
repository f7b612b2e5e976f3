"""The tiny checkpoint, as a folder and as a model."""

from pathlib import Path

import pytest

from g2u.models.blip3o.next_edit.load import load
from g2u.models.blip3o.next_edit.model import NextEditModel
from tests.agent.models.blip3o.next_edit.making import make_folder


@pytest.fixture(scope="session")
def edit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole folder in the official layout."""
    return make_folder(tmp_path_factory.mktemp("next_edit") / "made")


@pytest.fixture(scope="session")
def edit_model(edit_folder: Path) -> NextEditModel:
    """The tiny checkpoint as a model, on the CPU in float32."""
    return load(str(edit_folder), device="cpu", precision="float32")
