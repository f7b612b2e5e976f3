"""Visual thoughts that went wrong: what reflection learns to refuse, and what it is examined on."""

from __future__ import annotations

import torch
from torch import Tensor

from ..seeds import integers, uniform


def corrupted(thought: Tensor, other: Tensor, seeds: Tensor) -> Tensor:
    """Spoil each thought in one of three ways: mixed with another picture, a quarter from another, coarse.

    Args:
        thought: `[batch, 3, 128, 128]`, uint8.
        other: Other pictures, the same shape.
        seeds: `[batch]`, int64; they pick the way and how bad it is.
    """
    mild = thought.float()
    share = (0.25 + 0.5 * uniform(seeds, 70, 1))[:, :, None, None]
    mixed = mild + (other.float() - mild) * share
    corner = integers(seeds, 71, 2, 2)[:, :, None, None]
    half = torch.arange(thought.shape[-1], device=seeds.device) >= thought.shape[-1] // 2
    here = (half[:, None] == corner[:, :1].bool()) & (half == corner[:, 1:].bool())
    pieced = torch.where(here, other.float(), mild)
    coarse = torch.nn.functional.avg_pool2d(mild, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    kind = integers(seeds, 72, 1, 3)[:, :, None, None]
    return torch.where(kind == 0, mixed, torch.where(kind == 1, pieced, coarse)).round().to(torch.uint8)
