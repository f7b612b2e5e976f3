"""The transformer that draws features of a picture from hidden states of the reader, by flow matching.

It is a Lumina-Next whose layers have two attentions beside each other, to the features and to the condition.
Its modules have the names of the official checkpoint. Neither library has it: the block of diffusers wants the width of
the SwiGLU made smaller by a third, which diffusers does no more, and its model takes no condition of another kind.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import cast

import torch
from diffusers.models.embeddings import get_timestep_embedding
from torch import Tensor, nn
from torch.nn import functional

from ...replaying import compiled
from .config import FlowConfig
from .products import JoinedProducts

EPSILON = 1e-5
"""Of all norms but the last."""
LAST_EPSILON = 1e-6
WAVE = 10000.0
"""The longest wave of positions."""


@dataclass(frozen=True)
class Condition:
    """What drawings are made from, computed once for all of their steps; a row is one drawing."""

    pooled: Tensor
    """`[rows, condition]`, to be added to the time."""
    keys_values: tuple[tuple[Tensor, Tensor], ...]
    """Layer by layer, both `[rows, heads, queries, head size]`."""

    def clone(self) -> Condition:
        """The same in tensors of its own."""
        return Condition(
            self.pooled.clone(), tuple((keys.clone(), values.clone()) for keys, values in self.keys_values)
        )

    def copy_(self, other: Condition) -> None:
        """Become another one, of as many rows."""
        self.pooled.copy_(other.pooled)
        for mine, theirs in zip(self.keys_values, other.keys_values, strict=True):
            for one, new in zip(mine, theirs, strict=True):
                one.copy_(new)


class Attention(nn.Module):
    """Projections and norms of one attention; the official one to the features has no product behind it.

    Args:
        config: Sizes.
        out: Whether it has that product, which both attentions share.
    """

    def __init__(self, config: FlowConfig, out: bool) -> None:
        """Make the weights."""
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(width, width, bias=False)
        self.to_v = nn.Linear(width, width, bias=False)
        self.norm_q = nn.LayerNorm(width, EPSILON)
        self.norm_k = nn.LayerNorm(width, EPSILON)
        if out:
            self.to_out = nn.ModuleList([nn.Linear(width, width, bias=False)])

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both `[rows, heads, tokens, head size]`, not turned."""
        return self._by_heads(self.norm_k(self.to_k(x))), self._by_heads(self.to_v(x))

    def _by_heads(self, x: Tensor) -> Tensor:
        split: Tensor = x.unflatten(-1, (self.heads, -1))
        return split.transpose(1, 2)


class SwiGLU(nn.Module):
    """The product of two products, one of them gated, and back; the gate is computed in float32."""

    def __init__(self, width: int, inner: int) -> None:
        """Make the weights."""
        super().__init__()
        self.linear_1 = nn.Linear(width, inner, bias=False)
        self.linear_2 = nn.Linear(inner, width, bias=False)
        self.linear_3 = nn.Linear(width, inner, bias=False)
        self.gates: JoinedProducts | None = None

    def settle(self) -> None:
        """Join both products of the input."""
        self.gates = JoinedProducts([self.linear_1, self.linear_3])

    def forward(self, x: Tensor) -> Tensor:
        """`[..., width]` to the same."""
        assert self.gates is not None, "it was settled"
        out: Tensor = self.linear_2(_gated(*self.gates.parts(x)))
        return out


class Modulation(nn.Module):
    """A norm before the attentions, and all that the time changes in a layer."""

    def __init__(self, config: FlowConfig) -> None:
        """Make the weights."""
        super().__init__()
        self.linear = nn.Linear(config.condition, 4 * config.width)
        self.norm = nn.RMSNorm(config.width, EPSILON)


class Layer(nn.Module):
    """One layer."""

    def __init__(self, config: FlowConfig) -> None:
        """Make the weights."""
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(config.heads))
        self.attn1 = Attention(config, out=False)
        self.attn2 = Attention(config, out=True)
        self.feed_forward = SwiGLU(config.width, config.inner)
        self.norm1 = Modulation(config)
        self.norm1_context = nn.RMSNorm(config.width, EPSILON)
        self.norm2 = nn.RMSNorm(config.width, EPSILON)
        self.ffn_norm1 = nn.RMSNorm(config.width, EPSILON)
        self.ffn_norm2 = nn.RMSNorm(config.width, EPSILON)
        self.projections: JoinedProducts | None = None

    def settle(self) -> None:
        """Join the products of one input."""
        own, told = self.attn1, self.attn2
        self.projections = JoinedProducts([own.to_q, own.to_k, own.to_v, told.to_q])
        self.feed_forward.settle()

    def forward(self, x: Tensor, change: Tensor, context: tuple[Tensor, Tensor], turns: Tensor) -> Tensor:
        """One step through the layer.

        Args:
            x: `[rows, places, width]`.
            change: What the time changes, `[rows, 1, 4 * width]`.
            context: Keys and values of the condition.
            turns: See `rotation`.
        """
        assert self.projections is not None, "it was settled"
        scale, gate, inner_scale, inner_gate = change.chunk(4, dim=-1)
        made = self.projections(_scaled(x, self.norm1.norm.weight, scale))
        norms = (self.attn1.norm_q, self.attn1.norm_k, self.attn2.norm_q)
        # Queries of both attentions are turned, and so are keys of places; keys of the condition are not.
        asked, keys, values, asked_of_condition = _asked(
            made, turns, *(part for norm in norms for part in (norm.weight, norm.bias))
        )
        seen = functional.scaled_dot_product_attention(asked, keys, values)
        told = functional.scaled_dot_product_attention(asked_of_condition, *context)
        attended = self.attn2.to_out[0](_mixed(seen, told, self.gate))
        x = _added(x, attended, self.norm2.weight, gate)
        inner = self.feed_forward(_scaled(x, self.ffn_norm1.weight, inner_scale))
        return _added(x, inner, self.ffn_norm2.weight, inner_gate)


class TimeEmbedding(nn.Module):
    """A time and the pooled condition as one value."""

    def __init__(self, config: FlowConfig) -> None:
        """Make the weights."""
        super().__init__()
        self.timestep_embedder = _Pair(config.frequencies, config.condition, config.condition)
        self.caption_embedder = nn.Sequential(
            nn.LayerNorm(config.width, EPSILON), nn.Linear(config.width, config.condition)
        )


class FlowTransformer(nn.Module):
    """The whole of it.

    Args:
        config: Sizes.
        side: Rows and columns of features.
    """

    def __init__(self, config: FlowConfig, side: int) -> None:
        """Make the weights."""
        super().__init__()
        self.config = config
        self.side = side
        self.patch_embedder = nn.ModuleDict({"proj": nn.Linear(config.channels, config.width)})
        self.caption_projection = _Pair(config.reader, config.width, config.width)
        self.time_caption_embed = TimeEmbedding(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm_out = _Pair(config.condition, config.width, config.channels)
        self.changes: JoinedProducts | None = None

    def settle(self) -> None:
        """Join products of one input, when the weights are where they stay; those of the time are one for all layers."""
        self.changes = JoinedProducts([layer.norm1.linear for layer in self._layers()])
        for layer in self._layers():
            layer.settle()

    def condition(self, states: Tensor) -> Condition:
        """What does not change from step to step.

        Args:
            states: `[rows, queries, reader]`; all zeros stand for no condition, which is not zero behind the biases.
        """
        project = self.caption_projection
        told = project.linear_2(functional.gelu(project.linear_1(states), approximate="tanh"))
        pooled = self.time_caption_embed.caption_embedder(told.mean(dim=1))
        return Condition(pooled, tuple(layer.attn2.keys_values(layer.norm1_context(told)) for layer in self._layers()))

    def forward(self, x: Tensor, time: Tensor, condition: Condition) -> Tensor:
        """Velocities at a time.

        Args:
            x: `[rows, places, channels]`, places row by row.
            time: A whole number in [0, 1000], without dimensions.
            condition: Of the same rows.

        Returns:
            As `x`.
        """
        embed = self.time_caption_embed.timestep_embedder
        at_time = embed.linear_2(functional.silu(embed.linear_1(waves(time, self.config.frequencies).to(x.dtype))))
        activated = functional.silu(at_time + condition.pooled)[:, None]
        turns = rotation(self.side, self.config.width // self.config.heads, x.device)
        x = self.patch_embedder["proj"](x)
        assert self.changes is not None, "it was settled"
        changes = self.changes.parts(activated)
        for layer, change, context in zip(self._layers(), changes, condition.keys_values, strict=True):
            x = layer(x, change, context, turns)
        normed = functional.layer_norm(x, (self.config.width,), eps=LAST_EPSILON)
        out: Tensor = self.norm_out.linear_2(normed * (1 + self.norm_out.linear_1(activated)))
        return out

    def _layers(self) -> list[Layer]:
        return cast("list[Layer]", list(self.layers))


class _Pair(nn.Module):
    """Two products with biases."""

    def __init__(self, first: int, between: int, last: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(first, between)
        self.linear_2 = nn.Linear(between, last)


def waves(time: Tensor, values: int) -> Tensor:
    """A time as cosines and then sines of `values / 2` frequencies, float32."""
    return get_timestep_embedding(time[None], values, flip_sin_to_cos=True, downscale_freq_shift=0)[0]


@functools.cache
def rotation(side: int, head: int, device: torch.device) -> Tensor:
    """By how much pairs of values turn: `[places, head / 2, 2]`, cosine and sine, float32.

    Even pairs turn by the row of a place and odd ones by its column, two after each other at the same frequency.
    """
    pairs = torch.arange(head // 2)
    frequencies = 1.0 / WAVE ** (4 * (pairs // 2) / head)
    places = torch.arange(side * side)
    turned_by = torch.where(pairs % 2 == 0, (places // side)[:, None], (places % side)[:, None])
    angles = turned_by * frequencies
    return torch.stack([angles.cos(), angles.sin()], dim=-1).to(device)


@compiled
def _scaled(x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    return functional.rms_norm(x, x.shape[-1:], weight, EPSILON) * (1 + scale)


@compiled
def _mixed(seen: Tensor, told: Tensor, gate: Tensor) -> Tensor:
    """Both attentions `[rows, heads, places, head size]` as one `[rows, places, width]`."""
    return (seen + gate.tanh()[:, None, None] * told).transpose(1, 2).flatten(2)


@compiled
def _added(x: Tensor, change: Tensor, weight: Tensor, gate: Tensor) -> Tensor:
    return x + gate.tanh() * functional.rms_norm(change, x.shape[-1:], weight, EPSILON)


@compiled
def _gated(gate: Tensor, inner: Tensor) -> Tensor:
    return functional.silu(gate.float()).to(inner.dtype) * inner


@compiled
def _asked(
    made: Tensor, turns: Tensor, weight_q: Tensor, bias_q: Tensor, weight_k: Tensor, bias_k: Tensor, weight_c: Tensor,
    bias_c: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Queries, keys and values of places and the queries of the condition, `[rows, heads, places, head size]` each.

    Made of all of them beside each other, `[rows, places, 4 * width]`; weights and biases are those of their norms.
    """
    queries, keys, values, told = made.chunk(4, dim=-1)
    heads = (-1, 2 * turns.shape[1])
    turned = [
        rotate(functional.layer_norm(part, part.shape[-1:], weight, bias, EPSILON).unflatten(-1, heads), turns)
        for part, weight, bias in ((queries, weight_q, bias_q), (keys, weight_k, bias_k), (told, weight_c, bias_c))
    ]
    return turned[0], turned[1], values.unflatten(-1, heads).transpose(1, 2), turned[2]


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Turn neighbouring values of `[rows, places, heads, head]`, in float32; heads come before places then."""
    one, other = x.transpose(1, 2).float().unflatten(-1, (-1, 2)).unbind(-1)
    cosine, sine = turns.unbind(-1)
    turned = torch.stack([one * cosine - other * sine, one * sine + other * cosine], dim=-1)
    return turned.flatten(-2).to(x.dtype)
