"""Writing by the fast path: several texts at once, one token of each per pass, one pass one CUDA graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ....errors import QuestionError
from ...replaying import Replayed
from ..inference.chance import Chance
from ..inference.context import Context
from ..inference.execution import PassCallback
from ..inference.text import Written
from ..network.network import BagelNetwork
from .layers import FusedLayers
from .products import ChosenProduct


def decode(
    network: BagelNetwork,
    layers: FusedLayers,
    contexts: Sequence[Context],
    most: int,
    on_word: PassCallback,
    chance: Chance | None = None,
) -> list[Written | None]:
    """Write after each context; see `PlainExecution.write`.

    Raises:
        QuestionError: A text could become longer than the model has positions; the plain way waits until it is.
    """
    end, has = max(context.position for context in contexts) + most, network.config.llm.max_position_embeddings
    if end > has:
        raise QuestionError(f"The context would have {end} positions; the model has {has}.", "Shorten the text.")
    sequences = _Sequences(network, layers, contexts, most, by_chance=chance is not None)
    step = Replayed(network.device)
    ids: list[list[int]] = [[] for _ in contexts]
    sums = [0.0] * len(contexts)
    written: list[Written | None] = [None] * len(contexts)
    going = set(range(len(contexts)))
    for done in range(1, most + 1):
        if chance:
            for row in going:
                sequences.noise[row] = chance.noise(row, sequences.noise[row])
        words, chances = step(sequences.step).tolist()
        wanted = on_word(done)
        for row in sorted(going):
            word = int(words[row])
            ended = word == network.config.token_ids.eos_token_id
            if not wanted[row]:
                going.remove(row)
                continue
            if ended or done < most:
                sums[row] += chances[row]
                ids[row] += [] if ended else [word]
            if ended or done == most:
                written[row] = Written(ids[row], sums[row], ended)
                going.remove(row)
        if not going:
            break
    return written


class _Sequences:
    """The tensors of texts that grow, which stay where they are."""

    def __init__(
        self, network: BagelNetwork, layers: FusedLayers, contexts: Sequence[Context], most: int, by_chance: bool
    ) -> None:
        self.network, self.layers = network, layers
        self.head = ChosenProduct(network.transformer.head)
        device = network.device
        capacity = max(context.tokens for context in contexts) + most
        first = contexts[0].keys_values[0][0]
        shape = (len(layers.layers), len(contexts), capacity, *first.shape[1:])
        self.keys, self.values = first.new_zeros(shape), first.new_zeros(shape)
        for row, context in enumerate(contexts):
            for index, (keys, values) in enumerate(context.keys_values):
                self.keys[index, row, : len(keys)].copy_(keys)
                self.values[index, row, : len(values)].copy_(values)
        self.lengths = torch.tensor([context.tokens for context in contexts], device=device)
        self.positions = torch.tensor([context.position for context in contexts], device=device)
        self.by_chance = by_chance
        """Whether `noise` is added to the log-probabilities before the best word is taken."""
        self.noise = torch.zeros(len(contexts), network.config.llm.vocab_size if by_chance else 0, device=device)
        self.words = torch.full((len(contexts),), network.config.token_ids.bos_token_id, device=device)

    def step(self) -> Tensor:
        """Read the last word of each text and choose the next: words and their log-probabilities, `[2, texts]`."""
        transformer = self.network.transformer
        x = transformer.words(self.words)
        turns = self.layers.turns(self.positions, x.dtype)
        normed = self.layers.layers[0].reader.start(x)
        ends = self.lengths + 1
        for layer, keys, values in zip(self.layers.layers, self.keys, self.values, strict=True):
            expert = layer.reader
            q = self.layers.room(len(x))
            expert.place(expert.qkv(normed), turns, False, q, keys, values, self.lengths)
            x, normed = expert.finish(x, [attend_last(q, keys, values, ends)], layer.after_reader)
        sure = self.head(normed).float().log_softmax(dim=-1)
        if self.by_chance:
            words = (sure + self.noise).argmax(dim=-1)
            chances = sure.gather(-1, words[:, None])[:, 0]
        else:
            chances, words = sure.max(dim=-1)
        self.lengths += 1
        self.positions += 1
        self.words.copy_(words)
        return torch.stack([words.float(), chances])  # float32 holds every word of the vocabulary exactly


def attend_last(q: Tensor, keys: Tensor, values: Tensor, lengths: Tensor) -> Tensor:
    """Attention of one token of each sequence, `[sequences, heads * head size]`.

    Args:
        q: `[sequences, heads, head size]`.
        keys: `[sequences, capacity, key heads, head size]`.
        values: Like `keys`.
        lengths: `[sequences]`, how many of them there are.
    """
    if q.is_cuda and q.dtype == torch.bfloat16:
        from .decoding_attention import attend_parts  # Triton, which only GPUs have

        return attend_parts(q, keys, values, lengths)
    seen = torch.arange(keys.shape[1], device=q.device) < lengths[:, None]
    attended = functional.scaled_dot_product_attention(
        q[:, :, None], keys.transpose(1, 2), values.transpose(1, 2), attn_mask=seen[:, None, None], enable_gqa=True
    )
    return attended[:, :, 0].flatten(1)
