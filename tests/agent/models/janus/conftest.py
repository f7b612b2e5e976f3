"""A tiny Janus, and the library's own model and processor of the same folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import JanusForConditionalGeneration
from transformers.models.janus.processing_janus import JanusProcessor

from g2u.conformance.bench import painted
from g2u.models.janus.load import load
from g2u.models.janus.model import JanusModel
from tests.agent.models.janus.tiny import make_folder


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Calls are tiny: more threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("janus") / "tiny")


@pytest.fixture(scope="session")
def model(folder: Path) -> JanusModel:
    return load(str(folder), "cpu", "float32")


@pytest.fixture(scope="session")
def library(folder: Path) -> tuple[Any, Any]:
    """Network and processor, as the library loads them."""
    network = JanusForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    return network, JanusProcessor.from_pretrained(folder)


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    return [painted(48, 32, seed) for seed in range(3)]
