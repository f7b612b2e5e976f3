"""The autoencoder of the fast path: group norms with the SiLU behind them, compiled, and attention in split numbers.

Torch's own kernel of a group norm has one program for each of 32 groups, and at 1024 x 1024 takes nearly half of the
time of the whole autoencoder. Its attention in float32 takes a third of what is left.
"""

from __future__ import annotations

from typing import cast

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor
from torch import Tensor, nn
from torch.nn import functional

from ...replaying import compiled

QUERIES = 2048
"""How many a GPU attends with at once, since their scores are kept in memory."""

ACTIVATIONS = ("nonlinearity", "conv_act")
"""What the modules of diffusers call the SiLU behind all their norms."""


class FusedGroupNorm(nn.Module):
    """A group norm with the weights of another.

    Args:
        plain: The other.
        silu: Whether a SiLU comes after it.
    """

    def __init__(self, plain: nn.GroupNorm, silu: bool) -> None:
        """Take over the weights."""
        super().__init__()
        self.weight, self.bias = plain.weight, plain.bias
        self._groups, self._eps, self._silu = plain.num_groups, plain.eps, silu

    def forward(self, x: Tensor) -> Tensor:
        """`[1, channels, ..]` to the same."""
        return _norm(x, self._groups, self.weight, self.bias, self._eps, self._silu)


class SplitAttention:
    """What the attention of diffusers computes in an autoencoder: one head, over all places of a picture."""

    def __call__(self, attention: Attention, x: Tensor, temb: Tensor | None = None, **_: object) -> Tensor:
        """`x` `[1, channels, height, width]` to the same; an autoencoder has no `temb`."""
        tokens = attention.group_norm(x.flatten(2)).transpose(1, 2)[0]  # [places, channels]
        q, k, v = (project(tokens) for project in (attention.to_q, attention.to_k, attention.to_v))
        attended: Tensor = attention.to_out[0](attend_split(q, k, v))
        return x + attended.t().reshape(x.shape)


def attend_split(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of one head, `[tokens, size]` each, in float32.

    A GPU multiplies each number as the sum of two of bfloat16, which have 16 bits of it: by far more than the 10 with
    which its convolutions are computed.
    """
    if not q.is_cuda or q.dtype != torch.float32:
        return functional.scaled_dot_product_attention(q[None], k[None], v[None])[0]
    keys, values = _split(k, 1, heavy_first=False).t(), _split(v, 0, heavy_first=False)
    attended = torch.empty_like(q)
    for some, place in zip((q * q.shape[1] ** -0.5).split(QUERIES), attended.split(QUERIES), strict=True):
        scores = torch.mm(_split(some, 1), keys, out_dtype=torch.float32)
        place.copy_(torch.mm(_split(scores.softmax(dim=1), 1), values, out_dtype=torch.float32))
    return attended


@compiled
def _split(x: Tensor, axis: int, heavy_first: bool = True) -> Tensor:
    """High, high and low part of `x`, or high, low and high, one after the other: a product of both is nearly exact."""
    high = x.bfloat16()
    low = (x - high.float()).bfloat16()
    return torch.cat([high, high, low] if heavy_first else [high, low, high], dim=axis)


def fuse(module: nn.Module) -> None:
    """Put a fused norm in the place of every group norm in a module and of the SiLU behind it, and its attention."""
    if isinstance(module, Attention):
        module.set_processor(cast(AttnProcessor, SplitAttention()))  # one of its kind by what it does
    active = [name for name in ACTIVATIONS if isinstance(getattr(module, name, None), nn.SiLU)]
    for name, child in module.named_children():
        if isinstance(child, nn.GroupNorm):
            setattr(module, name, FusedGroupNorm(child, silu=bool(active)))
        else:
            fuse(child)
    for name in active:
        setattr(module, name, nn.Identity())


@compiled
def _norm(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool) -> Tensor:
    normed = functional.group_norm(x, groups, weight, bias, eps)
    return functional.silu(normed) if silu else normed
