"""Benches, and an end for their engines."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from g2u.engine.engine import Engine
from tests.graphs.bench import Bench, decides, draw_lighter, judges
from tests.scripted import ScriptedModel


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    made: list[Engine] = []
    yield made
    for engine in made:
        engine.close()


@pytest.fixture
def bench(tmp_path: Path, engines: list[Engine]) -> Any:
    def make(edits: Sequence[str], verdicts: Sequence[str], **settings: Any) -> Bench:
        model = ScriptedModel(read_script=decides(*edits), score_script=judges(*verdicts), draw_script=draw_lighter)
        return Bench(tmp_path, engines, model, **settings)

    return make
