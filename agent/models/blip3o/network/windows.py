"""Attention of the vision part of the reader: all windows of a picture at once.

The library takes one window after the other, of which a picture of 1024x1024 has a hundred in each of 28 layers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import VisionConfig


class WindowAttention(nn.Module):
    """In the place of the library's, with the same weights under the same names.

    Args:
        config: Sizes.
    """

    def __init__(self, config: VisionConfig) -> None:
        """Make the weights."""
        super().__init__()
        self.heads = config.num_heads
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(
        self, hidden_states: Tensor, cu_seqlens: Tensor, position_embeddings: tuple[Tensor, Tensor], **_: Any
    ) -> Tensor:
        """Attend within each window.

        Args:
            hidden_states: `[patches, width]`, window by window.
            cu_seqlens: Where windows begin, and the end: `[windows + 1]`.
            position_embeddings: Cosines and sines, both `[patches, head size]`.
        """
        q, k, v = self.qkv(hidden_states).unflatten(-1, (3, self.heads, -1)).unbind(1)
        q, k = (_turned(x, *position_embeddings) for x in (q, k))
        starts, sizes = cu_seqlens[:-1], cu_seqlens.diff()
        places = torch.arange(int(sizes.max()), device=starts.device)
        inside = places < sizes[:, None]
        index = torch.where(inside, starts[:, None] + places, 0)
        seen = None if len(starts) == 1 else inside[:, None, None]
        q, k, v = (x[index].transpose(1, 2) for x in (q, k, v))
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        out: Tensor = self.proj(attended.transpose(1, 2)[inside].flatten(1))
        return out


def _turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """`[patches, heads, head size]`, the two halves of each head turned against each other, in float32."""
    one, other = x.float().chunk(2, dim=-1)
    turned = x.float() * cosine[:, None].float() + torch.cat([-other, one], dim=-1) * sine[:, None].float()
    return turned.to(x.dtype)
