"""Randomness of the world: every number is a pure function of (seed, stream), on any device and in any batch.

A counter-based generator on integer tensors (SplitMix64, Steele, Lea and Flood 2014) instead of `torch.Generator`: one
picture never depends on which others were made beside it, and integers give the same bits on CPU and GPU.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Literal

import torch
from torch import Tensor

from g2u.errors import UnknownNameError, WorldError

Split = Literal["train", "development", "held-out", "held-out-style", "held-out-wording"]

SPLITS: dict[str, range] = {
    "train": range(0, 2**40),
    "development": range(2**40, 2**41),
    "held-out": range(2**41, 2**42),
    "held-out-style": range(2**42, 2**42 + 2**41),
    "held-out-wording": range(2**42 + 2**41, 2**43),
}
"""Seeds of each split; disjoint ranges. The last two differ from `held-out` in more than their seeds: pictures of a
style that training never shows, and questions in wordings that it never uses."""

_GAMMA, _MIX1, _MIX2 = -7046029254386353131, -4658895280553007687, -7723592293110705685


def check_split(name: str) -> None:
    """Refuse a split that there is not.

    Raises:
        UnknownNameError: With the nearest names.
    """
    if name not in SPLITS:
        raise UnknownNameError("split", name, SPLITS)


def absolute_seed(split: str, seed: int) -> int:
    """Turn the `seed`-th seed of a split into the one that draws the picture.

    Raises:
        UnknownNameError: No such split.
        WorldError: `seed` is outside the split.
    """
    check_split(split)
    span = SPLITS[split]
    if not 0 <= seed < len(span):
        raise WorldError(f"Seed {seed} is outside the {split} split, which has seeds 0 to {len(span) - 1}.")
    return span[seed]


def uniform(seeds: Tensor, stream: int, n: int) -> Tensor:
    """Draw `n` numbers per seed, uniform in [0, 1).

    Args:
        seeds: `[batch]`, int64.
        stream: Which of the independent streams; one per use in the code.
        n: Numbers per seed.

    Returns:
        `[batch, n]`, float32, multiples of 2**-24.
    """
    counter = torch.arange(1, n + 1, device=seeds.device, dtype=torch.int64)
    state = _mix(_mix(seeds) + stream)[:, None] + counter * _GAMMA
    return (_shift(_mix(state), 40)).to(torch.float32) * 2.0**-24


def normal(seeds: Tensor, stream: int, n: int) -> Tensor:
    """Draw `n` standard normal numbers per seed (Box-Muller): `[batch, n]`, float32."""
    half = (n + 1) // 2
    u = uniform(seeds, stream, 2 * half)
    radius = torch.sqrt(-2.0 * torch.log1p(-u[:, :half]))
    angle = 2.0 * math.pi * u[:, half:]
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)[:, :n]


def permutation(seeds: Tensor, stream: int, n: int) -> Tensor:
    """Draw one order of `range(n)` per seed: `[batch, n]`, int64."""
    return uniform(seeds, stream, n).argsort(dim=1, stable=True)


def integers(seeds: Tensor, stream: int, n: int, high: int) -> Tensor:
    """Draw `n` whole numbers per seed from `range(high)`: `[batch, n]`, int64."""
    return (uniform(seeds, stream, n) * high).long()


@functools.cache
def constant(values: tuple[Any, ...], device: torch.device) -> Tensor:
    """Numbers, maybe nested, as a tensor that is moved to its device once, so that nothing waits for a copy."""
    return torch.tensor(values, device=device)


def choose(seeds: Tensor, stream: int, allowed: Tensor) -> Tensor:
    """Pick one allowed column per row, evenly.

    Args:
        seeds: `[batch]`, int64.
        stream: As for `uniform`.
        allowed: `[batch, n]`, bool, at least one `True` a row.

    Returns:
        `[batch]`, int64.
    """
    return (uniform(seeds, stream, allowed.shape[1]) + allowed).argmax(dim=1)


def _shift(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _MIX1
    x = (x ^ _shift(x, 27)) * _MIX2
    return x ^ _shift(x, 31)
