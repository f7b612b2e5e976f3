"""Attention of the vision part of the reader: all windows of a picture at once.

The library takes one window after the other, of which a picture of 1024x1024 has a hundred in each of 28 layers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...replaying import compiled
from .config import VisionConfig


class Windows:
    """Where patches of windows are, the same for all layers of a pass that have the same windows."""

    def __init__(self) -> None:
        """Know none."""
        self._known: list[tuple[Tensor, tuple[Tensor, Tensor, Tensor]]] = []

    def places(self, starts: Tensor, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Which patch has each place of each window, whether it has one, and at which place each patch is.

        Args:
            starts: Where windows begin, and the end: `[windows + 1]`.
            device: Of what is given: two times `[windows, places]`, and `[patches]`.
        """
        for known, found in self._known:
            if known is starts:
                return found
        sizes = starts.diff().cpu()
        places = torch.arange(int(sizes.max()))
        inside = places < sizes[:, None]
        index = torch.where(inside, starts[:-1, None].cpu() + places, 0)
        back = inside.flatten().nonzero()[:, 0]
        made = index.to(device), inside.to(device), back.to(device)
        self._known = [(starts, made)]
        return made


class WindowAttention(nn.Module):
    """In the place of the library's, with the same weights under the same names.

    Args:
        config: Sizes.
        windows: Shared by all layers.
    """

    def __init__(self, config: VisionConfig, windows: Windows) -> None:
        """Make the weights."""
        super().__init__()
        self._windows = windows
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
        made = self.qkv(hidden_states).unflatten(-1, (3, self.heads, -1))
        turned = _turned(made[:, :2], *position_embeddings)
        if len(cu_seqlens) == 2:
            q, k, v = (part.transpose(0, 1)[None] for part in (turned[:, 0], turned[:, 1], made[:, 2]))
            out: Tensor = self.proj(functional.scaled_dot_product_attention(q, k, v)[0].transpose(0, 1).flatten(1))
            return out
        index, inside, back = self._windows.places(cu_seqlens, made.device)
        q, k, v = (part[index].transpose(1, 2) for part in (turned[:, 0], turned[:, 1], made[:, 2]))
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=inside[:, None, None])
        out = self.proj(attended.transpose(1, 2).flatten(0, 1)[back].flatten(1))
        return out


@compiled
def _turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """`[patches, 2, heads, head size]`, the two halves of each head turned against each other, in float32."""
    one, other = x.float().chunk(2, dim=-1)
    cosine, sine = cosine[:, None, None].float(), sine[:, None, None].float()
    turned = x.float() * cosine + torch.cat([-other, one], dim=-1) * sine
    return turned.to(x.dtype)
