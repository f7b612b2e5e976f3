"""Models in worker processes, which are ended after each test."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from g2u.conformance.bench import painted
from g2u.models.worker.load import worker_loader
from g2u.models.worker.model import WorkerModel
from tests.agent.models.worker.environments import make_environment

PLAIN = Path(__file__).with_name("plain.py")


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a second environment, which has Pillow and no G2U."""
    return make_environment(tmp_path_factory.mktemp("old"))


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs, some of which are kept, lie in the test's own folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def started(python: Path) -> Iterator[Callable[..., WorkerModel]]:
    """Starts models of `plain.py` by the names of their functions."""
    models: list[WorkerModel] = []

    def start(function: str = "load_troubled", weights: str = "") -> WorkerModel:
        model = worker_loader(python, f"{PLAIN}:{function}")(weights=weights)
        assert isinstance(model, WorkerModel)
        models.append(model)
        return model

    yield start
    for model in models:
        model.close()


@pytest.fixture
def pictures() -> list[Image.Image]:
    return [painted(24, 16, seed) for seed in range(4)]
