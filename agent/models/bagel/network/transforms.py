"""Pictures to tensors: the exact sizes and filter of the official program.

A picture is first resized for the autoencoder; the reader gets that picture, resized once more. Both go through
Pillow's bicubic filter on bytes, as the official ones do.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ....errors import PictureError
from ...device import upload
from .config import TransformConfig

Size = tuple[int, int]
"""Width and height, in pixels."""


def fit_size(size: Size, limits: TransformConfig) -> Size:
    """The size that a picture gets: sides are multiples of the stride, the longer one is at most `longest`.

    The shorter side is brought up to `shortest` first, and gives way where both cannot be had. The area is limited as
    the official program does it: by the ratio of the areas, not by its root.

    Raises:
        PictureError: The picture is so narrow that its shorter side would not have one stride.
    """
    longer, shorter = max(size), min(size)
    if shorter < 1 or longer * limits.stride > shorter * limits.longest:
        widest = limits.longest // limits.stride
        raise PictureError(f"A picture of {size[0]}x{size[1]} is too narrow: sides may differ {widest}-fold at most.")
    fitted = _scaled(size, max(min(limits.longest / longer, 1.0), limits.shortest / shorter), limits.stride)
    if fitted[0] * fitted[1] > limits.max_pixels:
        fitted = _scaled(fitted, limits.max_pixels / (fitted[0] * fitted[1]), limits.stride)
    if max(fitted) > limits.longest:
        fitted = _scaled(fitted, limits.longest / max(fitted), limits.stride)
    return fitted


def _scaled(size: Size, scale: float, stride: int) -> Size:
    # `round` twice and to even, as in the official program.
    width, height = (max(stride, round(round(side * scale) / stride) * stride) for side in size)
    return width, height


def to_rgb(picture: Image.Image) -> Image.Image:
    """The picture in RGB; what is transparent becomes white."""
    if picture.mode == "RGBA" or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = Image.new("RGB", layer.size, (255, 255, 255))
        white.paste(layer, mask=layer.getchannel("A"))
        return white
    return picture.convert("RGB")


def resize(picture: Image.Image, limits: TransformConfig) -> Image.Image:
    """An RGB picture, resized as `fit_size` says."""
    size = fit_size(picture.size, limits)
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)


def to_tensor(picture: Image.Image, device: torch.device | str = "cpu") -> Tensor:
    """`[3, height, width]` in [-1, 1], float32, of an RGB picture.

    Bytes are what goes to a GPU, without waiting for it, and there each is looked up among the values of all 256 that a
    CPU computed: a GPU divides in another way.
    """
    place = torch.device(device)
    values = upload(torch.from_numpy(np.array(picture)), place).permute(2, 0, 1).contiguous()
    return _levels(place)[values.int()]


@functools.cache
def _levels(device: torch.device) -> Tensor:
    return ((torch.arange(256).float() / 255 - 0.5) / 0.5).to(device)


def to_picture(pixels: Tensor) -> Image.Image:
    """A picture from `[3, height, width]` in [-1, 1]; bytes are cut off, not rounded, as in the official program."""
    values = ((pixels * 0.5 + 0.5).clamp(0, 1) * 255).to(torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).contiguous().cpu().numpy())


def to_patches(grid: Tensor, patch: int) -> Tensor:
    """Cut `[channels, height, width]` into `[patches, patch * patch * channels]`, row by row.

    The values of a patch are in the order row, column, channel.
    """
    channels, height, width = grid.shape
    cut = grid.view(channels, height // patch, patch, width // patch, patch)
    return cut.permute(1, 3, 2, 4, 0).reshape(-1, patch * patch * channels)


def from_patches(patches: Tensor, patch: int, rows: int) -> Tensor:
    """Undo `to_patches`: `[channels, height, width]` from as many rows of patches."""
    columns = patches.shape[0] // rows
    cut = patches.view(rows, columns, patch, patch, -1)
    return cut.permute(4, 0, 2, 1, 3).reshape(-1, rows * patch, columns * patch)
