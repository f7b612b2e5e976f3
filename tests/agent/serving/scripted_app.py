"""The shipped `http.app` with a scripted model: quick, and every drawing takes as long as its steps say.

`GET /asked` tells which engine, by its identity, was given which text.
"""

import os
from collections.abc import Sequence
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

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

from g2u.engine.engine import Engine  # noqa: E402
from g2u.engine.registry import register_engine  # noqa: E402
from g2u.serving.app import app  # noqa: E402

__all__ = ["app"]
model = ScriptedModel(read_script=read, score_script=score, draw_script=draw, step_seconds=0.02)
ASKED: list[tuple[str, str]] = []


class Noting(Engine):
    """Writes down what it is asked to score, the answers of every run among it, and that it is this engine."""

    async def score(self, store: Any, segments: Any, text: str, *more: Any, **named: Any) -> Any:
        ASKED.append((f"{id(self):x}", text))
        return await super().score(store, segments, text, *more, **named)


async def asked(request: Request) -> JSONResponse:
    return JSONResponse(ASKED)


register_engine("scripted", Noting(lambda: model))
app.router.routes.append(Route("/asked", asked))
