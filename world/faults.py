"""Faults: what can be wrong with a picture of a scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from g2u.world.seeds import constant, normal, uniform

BLUR = (5.0, 6.5)
"""Standard deviation of the blur, pixels."""
NOISE = (0.75, 1.00)
"""Standard deviation of the noise, of the value range."""
DARK = (0.10, 0.18)
"""What the light is multiplied by."""
COARSE = 10
"""Coarse pixels per side."""


def _between(seeds: Tensor, low_high: tuple[float, float]) -> Tensor:
    low, high = low_high
    return low + (high - low) * uniform(seeds, 21, 1)[:, 0]


def blur(picture: Tensor, seeds: Tensor) -> Tensor:
    """Gaussian blur; at the edges the kernel is cut and scaled to one."""
    sigma = _between(seeds, BLUR)[:, None, None]
    place = torch.arange(picture.shape[-1], device=picture.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * ((place - place[:, None]) / sigma) ** 2)
    kernel = (kernel / kernel.sum(dim=2, keepdim=True))[:, None]
    return kernel @ picture @ kernel.mT


def noise(picture: Tensor, seeds: Tensor) -> Tensor:
    """Add independent normal noise to every value."""
    grain = normal(seeds, 22, picture[0].numel()).view_as(picture)
    return (picture + _between(seeds, NOISE)[:, None, None, None] * grain).clamp(0, 1)


def dark(picture: Tensor, seeds: Tensor) -> Tensor:
    """Take most of the light away."""
    return picture * _between(seeds, DARK)[:, None, None, None]


def pixelated(picture: Tensor, seeds: Tensor) -> Tensor:
    """Average over coarse pixels."""
    del seeds
    return functional.interpolate(functional.interpolate(picture, COARSE, mode="area"), picture.shape[-1])


def none(picture: Tensor, seeds: Tensor) -> Tensor:
    """Leave the picture as it is."""
    del seeds
    return picture


FAULTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "none": none,
    "blur": blur,
    "noise": noise,
    "dark": dark,
    "pixelated": pixelated,
}
"""Name to function of (`[batch, 3, height, width]` float32 in [0, 1], `[batch]` seeds)."""


def apply_faults(pictures: Tensor, fault: Sequence[int], seeds: Tensor) -> Tensor:
    """Give every picture its own fault.

    Args:
        pictures: `[batch, 3, height, width]`, float32 in [0, 1].
        fault: Index into `FAULTS` for each picture.
        seeds: `[batch]`, int64.
    """
    faulty = pictures.clone()
    for index, function in enumerate(FAULTS.values()):
        if places := tuple(place for place, own in enumerate(fault) if own == index):
            rows = constant(places, pictures.device)
            faulty[rows] = function(pictures[rows], seeds[rows])
    return faulty
