"""The layers of the fast path: blocks through all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..network.network import BagelNetwork
from ..network.transformer import KeysValues, Layer, rotary_turns
from .block_attention import attend_block, attend_text
from .experts import FusedExpert

MARKERS = 2
"""Tokens around the latents of a block, which go through the reading expert."""


@dataclass(frozen=True)
class FusedLayer:
    """Both experts of a layer, and the norms that come after each: of the next layer, or of the head."""

    reader: FusedExpert
    drawer: FusedExpert
    after_reader: Tensor
    after_drawer: Tensor


@dataclass(frozen=True)
class Branch:
    """What a block of latents sees, layer by layer: what was read, and behind that room for the block itself."""

    keys: Sequence[Tensor]
    """Each `[tokens, key heads, head size]`."""
    values: Sequence[Tensor]
    """Like `keys`."""
    turns: Tensor
    """`[1, 2, head size / 2]`, of the position that all of the block share."""


class FusedLayers:
    """All layers of a network; called with a block.

    Args:
        network: Its matrices are put together in place.
        float8: Whether those of the drawing experts are rounded to eight bits.
    """

    def __init__(self, network: BagelNetwork, float8: bool = False) -> None:
        """Fuse each expert."""
        transformer = network.transformer
        self.config = network.config.llm
        self.float8 = float8
        layers = [layer for layer in transformer.layers if isinstance(layer, Layer)]
        self.dtype = layers[0].reader.query.weight.dtype
        experts = [(FusedExpert.of(layer.reader), FusedExpert.of(layer.drawer, float8)) for layer in layers]
        following = [(reader.attention_norm, drawer.attention_norm) for reader, drawer in experts[1:]]
        following.append((transformer.reader_norm.weight, transformer.drawer_norm.weight))
        self.layers = [FusedLayer(*pair, *norms) for pair, norms in zip(experts, following, strict=True)]

    @classmethod
    def of(cls, network: BagelNetwork, float8: bool = False) -> FusedLayers:
        """The fused layers of a network, from now on those that its blocks go through; made once."""
        layers = network.fast_blocks
        if not isinstance(layers, cls) or layers.float8 != float8:
            layers = network.fast_blocks = cls(network, float8)
        return layers

    def turns(self, positions: Tensor, dtype: torch.dtype) -> Tensor:
        """See `rotary_turns`."""
        return rotary_turns(positions, self.config.head_size, self.config.rope_theta).to(dtype)

    def room(self, tokens: int) -> Tensor:
        """Where queries are written: `[tokens, heads, head size]`."""
        shape = (tokens, self.config.num_attention_heads, self.config.head_size)
        return torch.empty(shape, dtype=self.dtype, device=self.layers[0].reader.attention_norm.device)

    def __call__(
        self,
        x: Tensor,
        positions: Tensor,
        pasts: Sequence[KeysValues],
        causal: bool,
        latents: bool,
        seen: Tensor | None,
        wanted: bool,
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """Take one block through all layers; see `BagelNetwork.run_block`."""
        new = len(x)
        turns = self.turns(positions, x.dtype)
        grown = tuple((_longer(keys, new), _longer(values, new)) for keys, values in pasts)
        if latents:
            branch = Branch([keys for keys, _ in grown], [values for _, values in grown], turns)
            markers, tokens, _ = self.run_latents(x[1:-1], torch.cat([x[:1], x[-1:]]), [branch], wanted)
            return torch.cat([markers[:1], tokens, markers[1:]]) if wanted else x, grown
        normed = self.layers[0].reader.start(x)
        for layer, (keys, values) in zip(self.layers, grown, strict=True):
            q = self.room(new)
            layer.reader.place(layer.reader.qkv(normed), turns, False, q, keys[-new:], values[-new:])
            if not wanted and layer is self.layers[-1]:
                break
            attended = attend_text(q, keys, values, seen) if causal else attend_block(q, keys, values)
            x, normed = layer.reader.finish(x, [attended], layer.after_reader)
        return x, grown

    def run_latents(
        self, tokens: Tensor, markers: Tensor, branches: Sequence[Branch], wanted: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Take the same latents through all layers, once for each branch, apart in attention alone.

        Args:
            tokens: `[latents, width]`.
            markers: `[2, width]`.
            branches: What they see; keys and values of the block are written at the end of each.
            wanted: Whether the result is, and not those keys and values alone.

        Returns:
            Markers after the last layer but one `[branches * 2, width]`, latents after the last one, and the same
            normed for the head, each `[branches * latents, width]`. Nothing but latents comes after the last layer.
        """
        each, count = len(tokens), len(branches)
        block = each + MARKERS
        inner, ends = slice(1, -1), slice(None, None, block - 1)
        latents, markers = tokens.repeat(count, 1), markers.repeat(count, 1)
        normed, normed_markers = self.layers[0].drawer.start(tokens), self.layers[0].reader.start(markers)
        for index, layer in enumerate(self.layers):
            reader, drawer, is_last = layer.reader, layer.drawer, layer is self.layers[-1]
            projected = drawer.qkv(normed).split(each)
            if index == 0:
                projected *= count  # the branches differ only from the first attention on
            attended = []
            of_markers = reader.qkv(normed_markers).split(MARKERS)
            for branch, qkv, qkv_of_markers in zip(branches, projected, of_markers, strict=True):
                q, keys, values = self.room(block), branch.keys[index], branch.values[index]
                whole = (q, keys[-block:], values[-block:])
                drawer.place(qkv, branch.turns, True, *(place[inner] for place in whole))
                reader.place(qkv_of_markers, branch.turns, True, *(place[ends] for place in whole))
                if wanted or not is_last:
                    attended.append(attend_block(q, keys, values))
            if attended:
                latents, normed = drawer.finish(latents, [one[inner] for one in attended], layer.after_drawer)
            if not is_last:
                markers, normed_markers = reader.finish(markers, [one[ends] for one in attended], layer.after_reader)
        return markers, latents, normed


def _longer(past: Tensor, new: int) -> Tensor:
    return torch.cat([past, past.new_empty(new, *past.shape[1:])])
