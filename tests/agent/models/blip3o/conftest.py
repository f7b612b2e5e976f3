"""Two tiny checkpoints: the one of the golden outputs, and one with a tokenizer, made by code."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from g2u.models.blip3o.load import load
from g2u.models.blip3o.model import Blip3oModel
from tests.agent.models.blip3o.making import make_folder

DATA = Path(__file__).parents[3] / "data" / "blip3o"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors are tiny: more threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole folder in the official layout."""
    return make_folder(tmp_path_factory.mktemp("blip3o") / "made")


@pytest.fixture(scope="session")
def model(made: Path) -> Blip3oModel:
    """The tiny checkpoint as a model, on the CPU in float32."""
    return load(str(made), device="cpu", precision="float32")
