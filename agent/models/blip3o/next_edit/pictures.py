"""How a picture is taken in, which is done in two ways that see different parts of it, and how one comes out."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .config import SEEN_SIDE


def to_seen(picture: Image.Image) -> Tensor:
    """The whole of an RGB picture as `[1, 3, 384, 384]` in [-1, 1], squeezed where it is no square."""
    return _values(picture.resize((SEEN_SIDE, SEEN_SIDE), Image.Resampling.BICUBIC))


def to_reference(picture: Image.Image, side: int) -> Tensor:
    """The middle of an RGB picture as `[1, 3, side, side]` in [-1, 1]: what lies beyond a square is cut off.

    Args:
        picture: To be drawn on.
        side: To which its shorter side is scaled.
    """
    shorter = min(picture.size)
    width, height = (side * length // shorter for length in picture.size)
    scaled = picture.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return _values(scaled.crop((left, top, left + side, top + side)))


def to_picture(pixels: Tensor) -> Image.Image:
    """A picture from `[3, height, width]` in [-1, 1], which are moved to [0, 1] in their own dtype."""
    values = ((pixels / 2 + 0.5).clamp(0, 1).float() * 255).round().to(torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).contiguous().cpu().numpy())


def _values(picture: Image.Image) -> Tensor:
    values = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    return (values.float() / 255 - 0.5) / 0.5
