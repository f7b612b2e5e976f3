"""The layers of the reader's text: the library's modules and weights, in fewer kernels than its own forward takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ...replaying import compiled
from .config import ReaderConfig
from .products import JoinedProducts

KeysValues = tuple[Tensor, Tensor]
"""Of one layer, both `[rows, heads, tokens, head size]`."""


class TextLayer:
    """One layer.

    Args:
        layer: Of the library.
        heads: Of its keys and values.
    """

    def __init__(self, layer: Any, heads: int) -> None:
        """Join its products."""
        attention, inner = layer.self_attn, layer.mlp
        self.head = attention.head_dim
        self.key_heads = heads
        self._projections = JoinedProducts([attention.q_proj, attention.k_proj, attention.v_proj])
        self._gates = JoinedProducts([inner.gate_proj, inner.up_proj])
        self._attention_norm, self._inner_norm = layer.input_layernorm, layer.post_attention_layernorm
        self._out, self._down = attention.o_proj, inner.down_proj

    def asked(self, x: Tensor, turns: KeysValues) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, `[rows, heads, tokens, head size]` each.

        Args:
            x: `[rows, tokens, width]`.
            turns: See `rotation`.
        """
        made = self._projections(normed(x, self._attention_norm)).unflatten(-1, (-1, self.head)).transpose(1, 2)
        kept = self.key_heads
        turned = _turned(made[:, :-kept], *turns)
        return turned[:, :-kept], turned[:, -kept:], made[:, -kept:]

    def told(self, x: Tensor, attended: Tensor) -> Tensor:
        """What comes out of the layer, `[rows, tokens, width]`.

        Args:
            x: As in `asked`.
            attended: `[rows, heads, tokens, head size]`.
        """
        x = x + self._out(attended.transpose(1, 2).flatten(2))
        out: Tensor = x + self._down(_gated(*self._gates.parts(normed(x, self._inner_norm))))
        return out


def run(
    layers: Sequence[TextLayer], x: Tensor, turns: KeysValues, past: Sequence[KeysValues], seen: Tensor | None
) -> tuple[Tensor, tuple[KeysValues, ...]]:
    """Take tokens through all layers.

    Args:
        layers: In order.
        x: `[rows, tokens, width]`.
        turns: See `rotation`.
        past: Layer by layer what was read before; empty for nothing.
        seen: What a token attends to, true where it does: `[rows, 1, tokens, past and tokens]`; left out, all that
            comes before it.

    Returns:
        As `x`, before the last norm, and `past` with these tokens.
    """
    tokens, before = x.shape[1], past[0][0].shape[2] if past else 0
    if seen is None and before and tokens > 1:
        seen = torch.ones(tokens, before + tokens, dtype=torch.bool, device=x.device).tril(before)
    grown: list[KeysValues] = []
    for index, layer in enumerate(layers):
        queries, keys, values = layer.asked(x, turns)
        if past:
            keys, values = (torch.cat(pair, dim=2) for pair in zip(past[index], (keys, values), strict=True))
        grown.append((keys, values))
        if seen is not None:  # no kernel takes a mask and heads that are shared
            keys, values = (part.repeat_interleave(queries.shape[1] // part.shape[1], dim=1) for part in (keys, values))
        attended = functional.scaled_dot_product_attention(
            queries, keys, values, seen, is_causal=seen is None and tokens > 1, enable_gqa=seen is None
        )
        x = layer.told(x, attended)
    return x, tuple(grown)


def rotation(config: ReaderConfig, positions: Tensor, dtype: torch.dtype) -> KeysValues:
    """By how much pairs of values turn, cosine and sine: both `[rows, 1, tokens, head size]`.

    Args:
        config: Of the reader.
        positions: `[3, rows, tokens]`: by time, row and column, each of which a section of the pairs turns by.
        dtype: Of the layers.
    """
    head = config.hidden_size // config.num_attention_heads
    pairs = torch.arange(0, head, 2, device=positions.device) / head
    frequencies = 1.0 / config.rope_theta**pairs
    sections = config.rope_scaling.mrope_section
    by_axis = positions[..., None].float() * frequencies
    angles = torch.cat([part[axis % 3] for axis, part in enumerate(by_axis.split(list(sections), dim=-1))], dim=-1)
    angles = angles.repeat(1, 1, 2)[:, None]
    return angles.cos().to(dtype), angles.sin().to(dtype)


def normed(x: Tensor, norm: Any) -> Tensor:
    """What a norm of the library computes in six kernels, in one."""
    return functional.rms_norm(x, x.shape[-1:], norm.weight, norm.variance_epsilon)


@compiled
def _turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """`[rows, heads, tokens, head size]`, the two halves of each head turned against each other."""
    one, other = x.chunk(2, dim=-1)
    return x * cosine + torch.cat([-other, one], dim=-1) * sine


@compiled
def _gated(gate: Tensor, inner: Tensor) -> Tensor:
    return functional.silu(gate) * inner
