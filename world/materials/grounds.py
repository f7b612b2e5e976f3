"""Grounds: what lies behind the things of a picture, from quiet to busy."""

from __future__ import annotations

import torch
from torch import Tensor

from ..seeds import constant, integers, uniform
from . import atlas
from .layers import SIZE

_TINT = 0.09
"""How far the channels of a quiet ground lie apart; hardly, since nothing tells the tint of a ground without colour."""
_GRAIN = 0.10
"""How far a texture moves a quiet ground, in units of the value range."""


def quiet(seeds: Tensor, textures: tuple[int, ...]) -> Tensor:
    """Light grounds: a third plain, a third gradients, a third with a mild texture.

    Args:
        seeds: `[batch]`, int64.
        textures: Indices into `atlas.TEXTURES` that may be used.

    Returns:
        `[batch, 3, 128, 128]`, in [0, 1].
    """
    device = seeds.device
    light, tint = 0.80 + 0.14 * uniform(seeds, 66, 2), _TINT * (uniform(seeds, 67, 6) - 0.5)
    one, two = (light[:, :, None] + tint.view(-1, 2, 3))[..., None, None].unbind(1)
    axis = torch.linspace(-0.5, 0.5, SIZE, device=device)
    angle = 6.2832 * uniform(seeds, 61, 1)[:, :, None]
    slope = (torch.cos(angle) * axis + torch.sin(angle) * axis[:, None])[:, None] / 1.42 + 0.5
    kind = integers(seeds, 60, 1, 3)[:, :, None, None]
    ground = torch.where(kind == 1, one + (two - one) * slope, one)
    return (ground + _GRAIN * (kind == 2) * (_texture(seeds, textures) - 0.5)).clamp(0, 1)


def busy(seeds: Tensor, textures: tuple[int, ...]) -> Tensor:
    """Loud grounds: a coarse texture between two strong colours; arguments as for `quiet`."""
    one, two = uniform(seeds, 62, 6).view(-1, 2, 3, 1, 1).unbind(1)
    grain = (2.5 * (_texture(seeds, textures) - 0.5) + 0.5).clamp(0, 1)
    return one + (two - one) * grain


def _texture(seeds: Tensor, textures: tuple[int, ...]) -> Tensor:
    """A piece of a texture, magnified a little and maybe mirrored: `[batch, 1, 128, 128]`, in [0, 1]."""
    tiles = atlas.textures(seeds.device)
    which = constant(textures, seeds.device)[integers(seeds, 63, 1, len(textures))]
    left, top = integers(seeds, 64, 2, tiles.shape[-1] - SIZE)[:, :, None].unbind(1)
    step = torch.arange(SIZE, device=seeds.device)
    across = torch.where(uniform(seeds, 65, 1) < 0.5, step, SIZE - 1 - step)
    return tiles[which[:, :, None], (top + step)[:, :, None], (left + across)[:, None, :]][:, None].float() / 255
