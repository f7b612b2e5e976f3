"""Pictures that are easy to tell apart, and measures of what a drawing shows: for questions that have one answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import numpy as np
from PIL import Image, ImageDraw

COLOURS: Final[Mapping[str, tuple[int, int, int]]] = {
    "red": (220, 30, 30),
    "green": (20, 150, 60),
    "blue": (30, 60, 220),
    "yellow": (240, 200, 20),
    "grey": (128, 128, 128),
}
"""By name, as red, green and blue."""
FORMS: Final = ("circle", "square", "triangle")
SIDE: Final = ("left", "right")
LANDSCAPE: Final = (480, 320)
"""Width and height."""
PORTRAIT: Final = (320, 480)
"""Width and height."""


def coloured(
    form: str, colour: str, side: Literal["left", "right", "middle"] = "middle", size: tuple[int, int] = LANDSCAPE
) -> Image.Image:
    """A picture with one form in one colour on white.

    Args:
        form: Of `FORMS`.
        colour: Of `COLOURS`.
        side: Where it stands.
        size: Width and height of the picture.
    """
    picture = Image.new("RGB", size, "white")
    width, height = size
    reach = min(width, height) // 4
    x, y = {"left": width // 4, "middle": width // 2, "right": width * 3 // 4}[side], height // 2
    paint, box = ImageDraw.Draw(picture), (x - reach, y - reach, x + reach, y + reach)
    if form == "circle":
        paint.ellipse(box, fill=COLOURS[colour])
    elif form == "square":
        paint.rectangle(box, fill=COLOURS[colour])
    else:
        paint.polygon([(x, y - reach), (x - reach, y + reach), (x + reach, y + reach)], fill=COLOURS[colour])
    return picture


def named(text: str, words: Iterable[str]) -> list[str]:
    """Those of some words that a text names, in their order there."""
    known = set(words)
    return [word for word in re.findall(r"[a-z]+", text.lower()) if word in known]


def warmth(drawing: Image.Image, size: tuple[int, int] = LANDSCAPE) -> float:
    """Mean of red minus blue in the middle of a drawing, scaled to a size; in [-255, 255]."""
    width, height = size
    reach = min(size) // 8
    box = (width // 2 - reach, height // 2 - reach, width // 2 + reach, height // 2 + reach)
    middle = np.asarray(drawing.resize(size).crop(box), dtype=np.float64)
    return float((middle[..., 0] - middle[..., 2]).mean())


def leftness(drawing: Image.Image) -> float:
    """Share of what is not white in a drawing that lies in its left half; 0.5 where there is nothing at all."""
    ink = 255.0 - np.asarray(drawing.resize(LANDSCAPE), dtype=np.float64).min(axis=-1)
    ink = np.where(ink > 40, ink, 0.0)  # paper is rarely quite white
    half = ink.shape[1] // 2
    return float(ink[:, :half].sum() / ink.sum()) if ink.any() else 0.5


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two drawings, of 255; that of a black and a white one where sizes differ."""
    if one.size != other.size:
        return 255.0
    values = (np.asarray(picture, dtype=np.float64) for picture in (one, other))
    return float(np.abs(next(values) - next(values)).mean())
