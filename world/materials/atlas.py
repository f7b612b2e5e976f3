"""The pictures that the world draws with: emoji, letters and textures, read from `assets` as tensors.

Their origins and licences are in NOTICE; `g2u.world.materials.pack` made the files.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

_ASSETS = Path(__file__).parent / "assets"


def _read(name: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((_ASSETS / name).read_text(encoding="utf-8"))
    return entries


_FONTS = _read("fonts.json")

EMOJI_STYLES: tuple[str, ...] = ("fluent-flat", "noto", "fluent-3d")
"""Three drawings of every concept; the last is held out of training."""
CONCEPTS: tuple[str, ...] = tuple(concept["name"] for concept in _read("concepts.json"))
"""What the emoji show: one lower-case word each, in the order of the alphabet."""
FONTS: tuple[str, ...] = tuple(font["name"] for font in _FONTS)
"""The last is held out of training."""
GLYPHS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
"""What every font can write."""
TEXTURES: tuple[str, ...] = ("grass", "gravel", "brick")
"""The last is held out of training."""

TILE = 48
"""Side of an emoji, in pixels."""
TILES_PER_ROW = 16
"""Emoji in a row of their file."""
GLYPH_SIZE = (32, 28)
"""Height and width of a letter's tile, in pixels; capitals are 24 high and stand on row 25."""
TEXTURE_SIZE = 256
"""Side of a texture, in pixels."""


@functools.cache
def emoji(device: torch.device | str) -> Tensor:
    """Load the emoji, once per device; do not write to the result.

    Returns:
        `[styles, concepts, 4, 48, 48]`, uint8: red, green, blue and opacity. The colours are not premultiplied, and
        zero where the opacity is.
    """
    atlases = torch.stack([_pixels(f"emoji-{style}.webp", "RGBA") for style in EMOJI_STYLES])
    tiles = atlases.view(len(EMOJI_STYLES), -1, TILE, TILES_PER_ROW, TILE, 4)  # styles, row, y, column, x, RGBA
    tiles = tiles.permute(0, 1, 3, 5, 2, 4).flatten(1, 2)
    return tiles[:, : len(CONCEPTS)].contiguous().to(device)


@functools.cache
def glyphs(device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Load the letters, once per device; do not write to the results.

    Returns:
        Coverage `[fonts, 36, 32, 28]`, uint8, and widths `[fonts, 36]`, int64: a letter of width `w` fills the columns
        from `(28 - w) // 2` on.
    """
    height, width = GLYPH_SIZE
    tiles = _pixels("glyphs.webp", "L").view(len(FONTS), height, len(GLYPHS), width).transpose(1, 2)
    widths = torch.tensor([font["widths"] for font in _FONTS])
    return tiles.contiguous().to(device), widths.to(device)


@functools.cache
def textures(device: torch.device | str) -> Tensor:
    """Load the textures, once per device; do not write to the result.

    Returns:
        `[3, 256, 256]`, uint8, each with mean 0.5 and standard deviation 0.2 of the full range, about.
    """
    tiles = _pixels("textures.webp", "L").view(TEXTURE_SIZE, len(TEXTURES), TEXTURE_SIZE)
    return tiles.transpose(0, 1).contiguous().to(device)


def _pixels(name: str, mode: str) -> Tensor:
    with Image.open(_ASSETS / name) as picture:
        return torch.from_numpy(np.array(picture.convert(mode)))
