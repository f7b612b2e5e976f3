"""Fidelity: how near a drawing comes to the true result."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

FAITHFUL_DB = 24.0
"""PSNR from which a drawing counts as faithful, as long as no part of it is wrong."""
PART = 16
"""Side of the parts, in pixels."""
PART_DB = 14.0
"""PSNR that every part of a faithful drawing has; a wrong letter, object or stretch of way has less."""


def psnr(pictures: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each picture of bytes `[batch, 3, height, width]`, dB, at most 60: `[batch]`."""
    return _decibels(_error(pictures, truth).flatten(1).mean(dim=1))


def faithful(pictures: Tensor, truth: Tensor) -> Tensor:
    """Whether each drawing is near the true result, as a whole and in every part: `[batch]`, bool."""
    parts = functional.avg_pool2d(_error(pictures, truth).mean(dim=1), PART).flatten(1)
    return (psnr(pictures, truth) >= FAITHFUL_DB) & (_decibels(parts.amax(dim=1)) >= PART_DB)


def _error(pictures: Tensor, truth: Tensor) -> Tensor:
    return ((pictures.float() - truth.float()) / 255).square()


def _decibels(error: Tensor) -> Tensor:
    return -10.0 * torch.log10(error.clamp(min=1e-6))
