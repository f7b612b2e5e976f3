"""Writing word by word: several texts at once, one word of each per pass, one pass one CUDA graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ....errors import QuestionError
from ...replaying import Replayed, compiled
from ..network.network import Blip3oNetwork
from .context import Context

ROUND = 64
"""Room for words is a multiple of this."""


class Texts:
    """Texts that grow together, in tensors that stay where they are.

    The layers are those of the library; that its own forward is not called is for the keys and values, for which a
    graph needs room of a fixed size, and for attention, which here reads each key once for all heads that share it.

    Args:
        network: The network.
        contexts: What comes before each.
        most: Words of each.

    Raises:
        QuestionError: A text could become longer than the reader has positions.
    """

    def __init__(self, network: Blip3oNetwork, contexts: Sequence[Context], most: int) -> None:
        """Copy the contexts to where texts grow."""
        reader = network.config.reader
        longest, has = max(context.tokens for context in contexts) + most, reader.max_position_embeddings
        if longest > has:
            message = f"The text could have {longest} tokens; the model has {has} positions."
            raise QuestionError(message, "Shorten it, or allow fewer tokens.")
        self._network, device = network, network.device
        first = contexts[0].keys_values[0][0]
        room = -(-longest // ROUND) * ROUND
        shape = (reader.num_hidden_layers, len(contexts), reader.num_key_value_heads, room, first.shape[-1])
        self._keys, self._values = first.new_zeros(shape), first.new_zeros(shape)
        for row, context in enumerate(contexts):
            for index, (keys, values) in enumerate(context.keys_values):
                self._keys[index, row, :, : context.tokens].copy_(keys[0])
                self._values[index, row, :, : context.tokens].copy_(values[0])
        self._rows = torch.arange(len(contexts), device=device)
        self._places = torch.arange(room, device=device)
        self._lengths = torch.tensor([context.tokens for context in contexts], device=device)
        self._positions = torch.tensor([context.position for context in contexts], device=device)
        self._words = torch.zeros(len(contexts), dtype=torch.long, device=device)
        pairs = torch.arange(0, first.shape[-1], 2, device=device) / first.shape[-1]
        self._frequencies = (1.0 / reader.rope_theta**pairs).float()
        self._replayed = Replayed(device)

    def step(self, words: Tensor) -> Tensor:
        """Read one more word of each text: scores of the next ones `[texts, vocabulary]`, float32.

        The next call writes over them.
        """
        self._words.copy_(words)
        return self._replayed(self._read)

    def _read(self) -> Tensor:
        model: Any = self._network.reader.model.language_model
        x = model.embed_tokens(self._words)
        # Words have the same position on all three axes, so that their sections need not be told apart.
        angles = (self._positions[:, None].float() * self._frequencies).repeat(1, 2)
        turns = angles.cos().to(x.dtype)[:, None], angles.sin().to(x.dtype)[:, None]
        unseen = self._places > self._lengths[:, None]
        seen = torch.zeros_like(unseen, dtype=x.dtype).masked_fill_(unseen, -torch.inf)[:, None, None]
        for layer, keys, values in zip(model.layers, self._keys, self._values, strict=True):
            attention = layer.self_attn
            normed = _normed(x, layer.input_layernorm)
            groups = (len(x), keys.shape[1], -1, keys.shape[-1])
            queries = _turned(attention.q_proj(normed).view(groups).flatten(1, 2), *turns).view(groups)
            keys[self._rows, :, self._lengths] = _turned(attention.k_proj(normed).view(groups)[:, :, 0], *turns)
            values[self._rows, :, self._lengths] = attention.v_proj(normed).view(groups)[:, :, 0]
            attended = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=seen)
            x = x + attention.o_proj(attended.flatten(1))
            x = x + layer.mlp(_normed(x, layer.post_attention_layernorm))
        self._lengths += 1
        self._positions += 1
        return self._network.scores(_normed(x, model.norm))


def _normed(x: Tensor, norm: Any) -> Tensor:
    """What the norm of the library computes in six kernels, in one."""
    return functional.rms_norm(x, x.shape[-1:], norm.weight, norm.variance_epsilon)


@compiled
def _turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """`[texts, heads, head size]`, the two halves of each head turned against each other."""
    one, other = x.chunk(2, dim=-1)
    return x * cosine + torch.cat([-other, one], dim=-1) * sine
