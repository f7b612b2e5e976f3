"""The noises of pictures that are drawn on, in the order of the official program.

It has one generator on the CPU. Each picture that is drawn on takes from it the noise of its encoding, each drawing the
noise that it begins with; so a drawing that is drawn on, or looked at as the drawer sees it, comes after both noises of
the picture before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..network.config import BagelConfig
from ..network.network import Grid


@dataclass(frozen=True)
class SeenPicture:
    """A picture in a context."""

    grid: Grid
    """Rows and columns of its latents."""
    drawn: bool
    """Whether it was drawn there, as a text between it and the picture before it tells."""


def encoding_noise(config: BagelConfig, seen: Sequence[SeenPicture], seed: int = 0) -> Tensor:
    """For the encoding of the last picture: `[channels, height, width]` of its latents, standard normal."""
    return _noises(config, seen, seed)[0]


def drawing_noise(config: BagelConfig, seen: Sequence[SeenPicture], seed: int) -> Tensor:
    """For a drawing of the last picture, in its size: `[latents, values]`, standard normal."""
    return _noises(config, seen, seed)[1]


def _noises(config: BagelConfig, seen: Sequence[SeenPicture], seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    side = config.latent_patch_size
    for picture in seen:
        rows, columns = picture.grid
        if picture.drawn:
            torch.randn(rows * columns, config.latent_values, generator=generator)
        encoding = torch.randn(config.vae.z_channels, rows * side, columns * side, generator=generator)
    return encoding, torch.randn(rows * columns, config.latent_values, generator=generator)
