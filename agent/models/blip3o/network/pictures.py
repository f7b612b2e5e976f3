"""Pictures to patches, as the processor of Qwen2.5-VL on Pillow does it; that on torchvision gives other values."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from transformers import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from ....errors import PictureError
from .config import VisionConfig

LEAST_PIXELS = 56 * 56
MOST_PIXELS = 28 * 28 * 16384
"""Of a picture that is read, after resizing: limits of the official processor."""
MOST_TIMES = 200
"""How many times one side may be the other."""


@dataclass(frozen=True)
class Patches:
    """A picture that was cut up, in the order in which 2x2 of them become one token."""

    values: Tensor
    """`[patches, values]`, float32."""
    rows: int
    columns: int
    """Of tokens, not of patches."""
    grid: Tensor
    """`[1, 3]`: time, rows and columns of patches, as the reader wants to be told."""

    @property
    def tokens(self) -> int:
        """How many it makes."""
        return self.rows * self.columns


@functools.cache
def _processor(config: VisionConfig) -> Qwen2VLImageProcessorPil:
    return Qwen2VLImageProcessorPil(
        size={"shortest_edge": LEAST_PIXELS, "longest_edge": MOST_PIXELS},
        patch_size=config.patch_size,
        temporal_patch_size=config.temporal_patch_size,
        merge_size=config.spatial_merge_size,
    )


def to_patches(picture: Image.Image, config: VisionConfig) -> Patches:
    """An RGB picture, resized to multiples of a token's side and cut up.

    Raises:
        PictureError: It is too narrow.
    """
    if max(picture.size) > MOST_TIMES * min(picture.size):
        width, height = picture.size
        raise PictureError(f"A picture of {width}x{height} is too narrow: sides may differ {MOST_TIMES}-fold at most.")
    made = _processor(config)(picture, return_tensors="pt")
    grid: Tensor = made["image_grid_thw"]
    _, rows, columns = (grid[0] // config.spatial_merge_size).tolist()
    return Patches(made["pixel_values"], rows, columns, grid)


def fit_size(size: tuple[int, int], config: VisionConfig) -> tuple[int, int]:
    """The size in which a picture of some size is read, both as width and height."""
    height, width = smart_resize(
        size[1], size[0], config.patch_size * config.spatial_merge_size, LEAST_PIXELS, MOST_PIXELS
    )
    return width, height


def to_square(picture: Image.Image, side: int) -> Image.Image:
    """A picture as one that is drawn from: a square, whatever its aspect."""
    return picture.resize((side, side), Image.Resampling.BICUBIC)


def to_picture(pixels: Tensor) -> Image.Image:
    """A picture from `[3, height, width]` in [-1, 1]."""
    values = ((pixels.float() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).contiguous().cpu().numpy())
