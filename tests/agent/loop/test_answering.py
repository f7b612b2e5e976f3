"""An answer with options: the likeliest one, what the model writes, or both."""

from pathlib import Path

import pytest
from PIL import Image

import g2u
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import UnknownNameError
from tests.scripted import ScriptedModel

OPTIONS = ["red", "blue"]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    model = ScriptedModel(
        read_script=lambda text, pictures: "It is blue, I think.",
        score_script=lambda text, pictures, options: [-0.1, -3.0],
    )
    register_engine("scripted", Engine(lambda: model))
    Image.new("RGB", (8, 8), "blue").save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


@pytest.mark.parametrize(
    ("reading", "answer", "written", "sure"),
    [
        ("scored", "red", "", OPTIONS),
        ("written", "blue", "It is blue, I think.", []),
        ("both", "red", "It is blue, I think.", OPTIONS),
    ],
)
async def test_options_are_compared_written_or_both(
    picture: Path, reading: str, answer: str, written: str, sure: list[str]
) -> None:
    run = await g2u.aask(
        picture, "Which colour?", options=OPTIONS, model="scripted", policy="none", reading=reading, out=None
    )
    found = run.final
    assert (found.text, found.written, list(found.probabilities)) == (answer, written, sure)
    assert bool(found.tokens) == bool(written)


async def test_a_reading_that_does_not_exist_is_refused(picture: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"no reading called 'writen'. Did you mean written"):
        await g2u.aask(picture, "Which?", options=OPTIONS, model="scripted", policy="none", reading="writen", out=None)
