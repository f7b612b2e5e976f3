"""The transformer: Qwen2 with two experts in every layer, which meet in attention.

Clean and noisy latents go through the drawing expert; everything else, also the two markers around the latents, goes
through the reading expert. Tokens come in *blocks*: a text, the patches of a picture, or the latents of one; those of
a picture, markers included, share one position and all see each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import LanguageConfig
from .vision import Linear

KeysValues = tuple[Tensor, Tensor]
"""Keys and values of one layer, each `[tokens, key heads, head size]`."""


class RMSNorm(nn.Module):
    """Root mean square in float32, rounded to the dtype of the input, then the weight."""

    def __init__(self, width: int, eps: float) -> None:
        """Make the weight."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """`[.., width]` to the same."""
        return rms_norm(x, self.weight, self.eps)


class Expert(nn.Module):
    """The weights of one kind of token in one layer."""

    def __init__(self, config: LanguageConfig) -> None:
        """Make the weights."""
        super().__init__()
        width, size, eps = config.hidden_size, config.head_size, config.rms_norm_eps
        self.size = size
        self.attention_norm = RMSNorm(width, eps)
        self.query = Linear(width, config.num_attention_heads * size)
        self.key = Linear(width, config.num_key_value_heads * size)
        self.value = Linear(width, config.num_key_value_heads * size)
        self.query_norm = RMSNorm(size, eps)
        self.key_norm = RMSNorm(size, eps)
        self.out = Linear(config.num_attention_heads * size, width, bias=False)
        self.hidden_norm = RMSNorm(width, eps)
        self.gate = Linear(width, config.intermediate_size, bias=False)
        self.up = Linear(width, config.intermediate_size, bias=False)
        self.down = Linear(config.intermediate_size, width, bias=False)

    def project(self, x: Tensor, turns: Tensor, wide: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each `[tokens, its heads, head size]`, of `x` `[tokens, width]`.

        Args:
            x: The tokens.
            turns: Cosines and sines of their positions, from `rotary_turns`.
            wide: Norm and turn in float32 and round once, as the official program does in blocks with latents;
                otherwise each operation rounds to the dtype of the tokens.
        """
        x = self.attention_norm(x)
        q, k, v = (linear(x).unflatten(-1, (-1, self.size)) for linear in (self.query, self.key, self.value))
        if wide:
            q, k = q.float(), k.float()
        q, k = rotate(self.query_norm(q), turns), rotate(self.key_norm(k), turns)
        return q.to(v.dtype), k.to(v.dtype), v

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add what attention gave, `[tokens, heads * head size]`, and the SwiGLU to `x` `[tokens, width]`."""
        x = x + self.out(attended)
        normed = self.hidden_norm(x)
        x = x + self.down(functional.silu(self.gate(normed)) * self.up(normed))
        return x


class Layer(nn.Module):
    """Both experts and the attention in which they meet."""

    def __init__(self, config: LanguageConfig) -> None:
        """Make the experts."""
        super().__init__()
        self.reader = Expert(config)
        self.drawer = Expert(config)

    def forward(
        self, x: Tensor, turns: Tensor, past: KeysValues, causal: bool, latents: bool, seen: Tensor | None = None
    ) -> tuple[Tensor, KeysValues]:
        """Run one block through one layer.

        Args:
            x: `[tokens, width]`.
            turns: `[tokens or 1, 2, head size / 2]`.
            past: Of all that comes before the block.
            causal: Whether a token sees none of the block that comes after it.
            latents: Whether all but the first and the last token are latents.
            seen: See `attend`.

        Returns:
            The tokens after the layer, and keys and values of past and block.
        """
        ends = len(x) - 1
        parts = (
            [(self.reader, slice(0, 1)), (self.drawer, slice(1, ends)), (self.reader, slice(ends, None))]
            if latents
            else [(self.reader, slice(None))]
        )
        projected = [expert.project(x[rows], turns, latents) for expert, rows in parts]
        q, k, v = (torch.cat(tensors) for tensors in zip(*projected, strict=True))
        k, v = torch.cat([past[0], k]), torch.cat([past[1], v])
        attended = attend(q, k, v, causal, seen)
        return torch.cat([expert.finish(x[rows], attended[rows]) for expert, rows in parts]), (k, v)


class Transformer(nn.Module):
    """All layers, between embeddings and heads."""

    def __init__(self, config: LanguageConfig) -> None:
        """Make the weights."""
        super().__init__()
        self.config = config
        self.words = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.reader_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.drawer_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.head = Linear(config.hidden_size, config.vocab_size, bias=False)

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        pasts: Sequence[KeysValues],
        causal: bool,
        latents: bool,
        seen: Tensor | None = None,
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """Run one block.

        Args:
            x: `[tokens, width]`, embedded.
            positions: `[tokens]`, or `[1]` where all share one.
            pasts: Keys and values of what comes before, layer by layer.
            causal: Whether a token sees none of the block that comes after it.
            latents: Whether all but the first and the last token are latents.
            seen: See `attend`.

        Returns:
            The tokens after the last layer, before its norm, and keys and values of past and block.
        """
        turns = rotary_turns(positions, self.config.head_size, self.config.rope_theta).to(x.dtype)
        grown = []
        for layer, past in zip(self.layers, pasts, strict=True):
            x, keys_values = layer(x, turns, past, causal, latents, seen)
            grown.append(keys_values)
        return x, tuple(grown)

    def logits(self, x: Tensor) -> Tensor:
        """Scores of the next word, `[tokens, vocabulary]`, from the last layer's tokens `[tokens, width]`."""
        scores: Tensor = self.head(self.reader_norm(x))
        return scores

    def no_past(self) -> tuple[KeysValues, ...]:
        """Keys and values of nothing."""
        kind, size = self.head.weight, self.config.head_size
        nothing = torch.empty(0, self.config.num_key_value_heads, size, dtype=kind.dtype, device=kind.device)
        return ((nothing, nothing),) * self.config.num_hidden_layers


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """`x` `[.., width]` with a root mean square of one, times `weight` `[width]`; see `RMSNorm`."""
    wide = x.float()
    scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return weight * scaled.to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor, causal: bool, seen: Tensor | None = None) -> Tensor:
    """Grouped-query attention of the last tokens, `[tokens, heads * head size]`.

    Args:
        q: `[tokens, heads, head size]`.
        k: `[all tokens, key heads, head size]`; the last are those of the queries.
        v: Like `k`.
        causal: Whether a token sees none that comes after it.
        seen: Instead of that, which of the tokens each of them sees, `[tokens, tokens]`, bool; all that comes before
            them is seen by each.
    """
    new, known = len(q), len(k)
    if seen is None and causal and new > 1:
        seen = torch.ones(new, new, dtype=torch.bool, device=q.device).tril()
    mask = None if seen is None else functional.pad(seen, (known - new, 0), value=True)
    q, k, v = (tensor.transpose(0, 1)[None] for tensor in (q, k, v))  # [1, heads, tokens, head size]
    attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
    return attended[0].transpose(0, 1).flatten(1)


def rotary_turns(positions: Tensor, size: int, theta: float) -> Tensor:
    """Cosines and sines of the rotary angles, `[tokens, 2, size / 2]`, float32, of `positions` `[tokens]`."""
    frequency = theta ** -(torch.arange(0, size, 2, device=positions.device).float() / size)
    angles = positions[:, None].float() * frequency
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Turn the pairs (x[i], x[i + half]) of `x` `[tokens, heads, 2 * half]` by `turns` `[tokens, 2, half]`."""
    cos, sin = turns[:, None].unbind(2)  # [tokens, 1, half]
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
