"""A scripted model that draws, in an empty working folder with one picture."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from tests.scripted import ScriptedModel


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedModel]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("G2U_PICTURES", raising=False)
    Image.new("RGB", (16, 16), "red").save("picture.png")
    scripted = ScriptedModel(read_script=lambda text, pictures: "teal" if len(pictures) > 1 else "plum")
    with Engine(lambda: scripted) as engine:
        register_engine("scripted", engine)
        yield scripted
