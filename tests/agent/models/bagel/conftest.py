"""The golden folder, its network and its model."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from g2u.models.bagel.checkpoint.weights import load_network
from g2u.models.bagel.load import load
from g2u.models.bagel.model import BagelModel
from g2u.models.bagel.network.network import BagelNetwork
from tests.agent.models.bagel.making import make_folder


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors are tiny: more threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole folder in the official layout, with outputs of the official program."""
    return make_folder(tmp_path_factory.mktemp("bagel") / "golden")


@pytest.fixture(scope="session")
def tiny(golden: Path) -> BagelNetwork:
    return load_network(golden, "float32")


@pytest.fixture(scope="session")
def model(golden: Path) -> BagelModel:
    """The tiny checkpoint as a model, on the CPU in float32."""
    return load(str(golden), device="cpu", precision="float32")
