"""Engines around a scripted model, which are closed after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from g2u.engine.engine import Engine
from g2u.engine.options import EngineOptions
from g2u.models.protocol import UnifiedModel
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from tests.agent.engine.scenes import describe, tint
from tests.scripted import ScriptedModel


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path)


@pytest.fixture
def refs(store: ImageStore) -> list[ImageRef]:
    return [store.add_image(Image.new("RGB", (4, 4), (shade, 0, 0))) for shade in (10, 20, 30)]


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(read_script=describe, draw_script=tint)


@pytest.fixture
def hosts() -> Iterator[Callable[..., Engine]]:
    """Makes engines and closes them."""
    engines: list[Engine] = []

    def host(model: UnifiedModel, **options: Any) -> Engine:
        engines.append(Engine(lambda: model, EngineOptions(**options)))
        return engines[-1]

    yield host
    for engine in engines:
        engine.close()
