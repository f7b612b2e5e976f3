"""Pictures as they are sent: scaled down, on a square, side by side, as PNG."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageOps

GAP: Final = 16
"""White pixels between pictures that stand side by side."""
ASPECT: Final = 0.15
"""By how much the logarithm of the aspect of a drawing may differ from that of its picture: servers round sides."""

Box = tuple[int, int, int, int]


def fitted(picture: Image.Image, longest: int) -> Image.Image:
    """A picture whose longer side has at most so many pixels; the aspect stays."""
    if max(picture.size) <= longest:
        return picture
    scale = longest / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def side_by_side(pictures: Sequence[Image.Image], longest: int) -> Image.Image:
    """One picture of several, from left to right on white, all as high as the highest, and then scaled down."""
    height = max(picture.height for picture in pictures)
    same = [ImageOps.contain(picture, (10 * longest, height)) for picture in pictures]
    sheet = Image.new("RGB", (sum(one.width for one in same) + GAP * (len(same) - 1), height), "white")
    left = 0
    for one in same:
        sheet.paste(one, (left, (height - one.height) // 2))
        left += one.width + GAP
    return fitted(sheet, longest)


def on_square(picture: Image.Image) -> tuple[Image.Image, Box]:
    """A picture in the middle of a white square, and where it lies there."""
    side = max(picture.size)
    left, top = (side - picture.width) // 2, (side - picture.height) // 2
    square = Image.new("RGB", (side, side), "white")
    square.paste(picture, (left, top))
    return square, (left, top, left + picture.width, top + picture.height)


def cut_out(drawing: Image.Image, box: Box, side: int) -> Image.Image:
    """What lies in a box of a square of that side, of a drawing of the square in any size."""
    scales = (drawing.width / side, drawing.height / side) * 2
    left, top, right, bottom = (round(edge * scale) for edge, scale in zip(box, scales, strict=True))
    return drawing.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def same_aspect(drawing: Image.Image, picture: Image.Image) -> bool:
    """Whether a drawing has the aspect of its picture, up to what servers round."""
    rounding = 16 / min(*picture.size, *drawing.size)  # sides are rounded to multiples of 8 or 16
    return abs(math.log(drawing.width / drawing.height * picture.height / picture.width)) < max(
        ASPECT, min(rounding, 1)
    )


def png(picture: Image.Image) -> bytes:
    """A PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def data_address(picture: Image.Image) -> str:
    """A picture as its own address."""
    return f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"
