"""How faithful a model finds its own drawing."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from g2u.engine.engine import Engine
from g2u.loop.verdicts import SCALE, rate
from g2u.pictures.store import ImageStore
from tests.scripted import Pictures, ScriptedModel


def thinks(text: str, pictures: Pictures, options: Sequence[str]) -> list[float]:
    """The instruction was done, 8 or 10; the rest was kept or not, as likely each."""
    assert tuple(options) == SCALE and len(pictures) == 2
    wanted = {"8": 0.25, "10": 0.75} if "do what the instruction says" in text else dict.fromkeys(SCALE, 1 / 11)
    return [math.log(wanted[option]) if option in wanted else float("-inf") for option in options]


async def ratings(model: ScriptedModel, folder: Path) -> dict[str, float] | None:
    store = ImageStore(folder)
    source, thought = (store.add_image(Image.new("RGB", (4, 4), colour)) for colour in ("red", "blue"))
    with Engine(lambda: model) as engine:
        return await rate(engine, store, source, thought, "Make it blue.", "Which colour?")


async def test_a_rating_is_the_expected_number(tmp_path: Path) -> None:
    model = ScriptedModel(prompt_set="bagel", score_script=thinks)
    assert await ratings(model, tmp_path) == pytest.approx({"followed": 9.5, "kept": 5.0})
    asked = [text for call in model.of("score") for text in call.texts]
    assert len(asked) == 2 and all("Make it blue." in text for text in asked)
    assert sum("Which colour?" in text for text in asked) == 1


async def test_a_model_without_the_words_does_not_rate(tmp_path: Path) -> None:
    model = ScriptedModel(prompt_set="mini")
    assert await ratings(model, tmp_path) is None
    assert not model.calls
