"""Writing word by word: several texts at once, one word of each per pass, one pass one CUDA graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ....errors import QuestionError
from ...replaying import Replayed
from ..network.layers import normed, rotation
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
        self._replayed = Replayed(device)

    def step(self, words: Tensor) -> Tensor:
        """Read one more word of each text: scores of the next ones `[texts, vocabulary]`, float32.

        The next call writes over them.
        """
        self._words.copy_(words)
        return self._replayed(self._read)

    def _read(self) -> Tensor:
        reader: Any = self._network.reader
        model = reader.model.language_model
        x = model.embed_tokens(self._words)[:, None]
        # Words have the same position on all three axes.
        turns = rotation(self._network.config.reader, self._positions.expand(3, -1)[..., None], x.dtype)
        unseen = self._places > self._lengths[:, None]
        seen = torch.zeros_like(unseen, dtype=x.dtype).masked_fill_(unseen, -torch.inf)[:, None, None]
        for layer, keys, values in zip(self._network.layers, self._keys, self._values, strict=True):
            asked, key, value = layer.asked(x, turns)
            keys[self._rows, :, self._lengths], values[self._rows, :, self._lengths] = key[:, :, 0], value[:, :, 0]
            # Each key is read once for all heads that share it, which stand as so many words of one head.
            grouped = asked.unflatten(1, (keys.shape[1], -1))[:, :, :, 0]
            attended = functional.scaled_dot_product_attention(grouped, keys, values, attn_mask=seen)
            x = layer.told(x, attended.flatten(1, 2)[:, :, None])
        self._lengths += 1
        self._positions += 1
        return self._network.scores(normed(x, model.norm))[:, 0]
