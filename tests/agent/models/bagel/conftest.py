"""The golden folder, with the weights of its autoencoder drawn from their seed: stored, they would be 16 MB."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from g2u.models.bagel.checkpoint.weights import load_network
from g2u.models.bagel.golden.golden import Meta
from g2u.models.bagel.golden.weights import completed
from g2u.models.bagel.load import load
from g2u.models.bagel.model import BagelModel
from g2u.models.bagel.network.config import GOLDEN_FILE, read_config
from g2u.models.bagel.network.network import BagelNetwork

DATA = Path(__file__).parents[3] / "data" / "bagel"


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
    folder = tmp_path_factory.mktemp("bagel") / "golden"
    meta = Meta.model_validate_json((DATA / GOLDEN_FILE).read_bytes())
    assert meta.seed is not None
    with completed(DATA, read_config(DATA).vae, meta.seed) as whole:
        shutil.copytree(whole, folder)
    return folder


@pytest.fixture(scope="session")
def tiny(golden: Path) -> BagelNetwork:
    return load_network(golden, "float32")


@pytest.fixture(scope="session")
def model(golden: Path) -> BagelModel:
    """The tiny checkpoint as a model, on the CPU in float32."""
    return load(str(golden), device="cpu", precision="float32")
