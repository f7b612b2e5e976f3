"""The shipped `http.app` with a scripted model: quick, and every drawing takes as long as its steps say."""

import os
from collections.abc import Sequence

from PIL import Image

from tests.scripted import Pictures, ScriptedModel

ORIGINAL = (40, 40, 40)
"""Colour of pictures that were not drawn yet; a drawing adds 10 to each value."""


def read(text: str, pictures: Pictures) -> str:
    """Deblurs what was not drawn, and answers green."""
    if "Edit:" not in text:
        return "green"
    return '{"edit": "deblur"}' if pictures[-1].getpixel((0, 0)) == ORIGINAL else '{"edit": "none"}'


def score(text: str, pictures: Pictures, options: Sequence[str]) -> list[float]:
    """Keeps every thought; answers blue to one, red to the original."""
    drawn = pictures[-1].getpixel((0, 0)) != ORIGINAL
    wanted = "keep" if text.endswith("Verdict:") else "blue" if drawn else "red"
    return [-0.1 if option == wanted else -5.0 - 0.01 * index for index, option in enumerate(options)]


def draw(image: Image.Image, instruction: str, seed: int) -> Image.Image:
    """Lighter."""
    return image.point(lambda value: value + 10)


os.environ["G2U_MODEL"] = "scripted"

from g2u.engine import Engine, register_engine  # noqa: E402
from g2u.serving.app import app  # noqa: E402

__all__ = ["app"]
model = ScriptedModel(read_script=read, score_script=score, draw_script=draw, step_seconds=0.02)
register_engine("scripted", Engine(lambda: model))
