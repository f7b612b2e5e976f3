"""Pictures of any shape as the squares that mini sees, and back."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Box = tuple[int, int, int, int]
"""Left, top, right and bottom of a part of a picture, in pixels."""


def fit_square(picture: Image.Image, side: int) -> tuple[Image.Image, Box]:
    """Fit a picture into the middle of a black square, and say where it is: the longer side fills the square."""
    longer = max(picture.size)
    width, height = (max(1, round(length / longer * side)) for length in picture.size)
    left, top = round((side - width) / 2), round((side - height) / 2)
    fitted = picture if picture.size == (width, height) else picture.resize((width, height), Image.Resampling.BICUBIC)
    if (width, height) != (side, side):
        square = Image.new("RGB", (side, side))
        square.paste(fitted, (left, top))
        fitted = square
    return fitted, (left, top, left + width, top + height)


def to_pixels(square: Image.Image) -> Tensor:
    """`[3, height, width]` in [-1, 1] from an RGB picture."""
    values = torch.from_numpy(np.array(square)).permute(2, 0, 1)
    return values.float() / 127.5 - 1.0


def to_square(pixels: Tensor) -> Image.Image:
    """A picture from `[3, height, width]` in [-1, 1]."""
    values = ((pixels + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).contiguous().cpu().numpy())
