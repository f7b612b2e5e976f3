"""What was read: keys and values, part by part.

A context is never changed; reading more makes a new one, so that any context may be the start of many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ....errors import QuestionError
from ..network.layers import KeysValues
from ..network.network import Blip3oNetwork
from ..network.pictures import Patches

Part = Sequence[int] | Patches
"""Ids of words, or a picture between its two markers."""


@dataclass(frozen=True)
class Context:
    """What was read so far."""

    plain: bool
    """Whether tokens of a picture are counted one by one, as the official program does before it draws. Before an
    answer they have a row and a column each, and the picture takes as many positions as its longer side has tokens."""
    keys_values: tuple[KeysValues, ...] = ()
    """Layer by layer; empty before anything was read."""
    position: int = 0
    """Of the next word."""

    @property
    def tokens(self) -> int:
        """How many were read."""
        return self.keys_values[0][0].shape[2] if self.keys_values else 0

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values."""
        return sum(keys.nbytes + values.nbytes for keys, values in self.keys_values)


def embed(network: Blip3oNetwork, parts: Sequence[Part]) -> Tensor:
    """Tokens `[1, tokens, width]` of parts."""
    made = [
        network.embed_picture(part) if isinstance(part, Patches) else network.embed_words(part)
        for part in parts
        if isinstance(part, Patches) or part
    ]
    return torch.cat(made, dim=1)


def place(parts: Sequence[Part], start: int, plain: bool) -> tuple[Tensor, int]:
    """Positions of parts.

    Args:
        parts: What is read.
        start: The first position.
        plain: See `Context`.

    Returns:
        `[3, 1, tokens]` by time, row and column, and the position that comes next.
    """
    placed: list[Tensor] = []
    for part in parts:
        if plain or not isinstance(part, Patches):
            count = part.tokens if isinstance(part, Patches) else len(part)
            placed.append(torch.arange(start, start + count).expand(3, -1))
            start += count
        else:
            rows, columns = torch.meshgrid(torch.arange(part.rows), torch.arange(part.columns), indexing="ij")
            at = torch.stack([torch.zeros_like(rows), rows, columns]).flatten(1)
            placed.append(start + at)
            start += max(part.rows, part.columns)
    return torch.cat(placed, dim=1)[:, None], start


def read(network: Blip3oNetwork, context: Context, parts: Sequence[Part]) -> tuple[Context, Tensor]:
    """Read parts after a context.

    Returns:
        The longer context, and the hidden states `[1, tokens, width]` of the parts.

    Raises:
        QuestionError: There are more tokens than the reader has positions.
    """
    return _read(network, context, embed(network, parts), *place(parts, context.position, context.plain))


def query_states(network: Blip3oNetwork, context: Context, parts: Sequence[Part]) -> Tensor:
    """The hidden states `[1, queries, width]` of the queries after a context and parts, of which a drawing is made.

    Raises:
        QuestionError: There are more tokens than the reader has positions.
    """
    count = network.config.queries
    x = torch.cat([embed(network, parts), network.queries], dim=1)
    positions, _ = place([*parts, [0] * count], context.position, context.plain)
    return _read(network, context, x, positions, 0)[1][:, -count:]


def _read(
    network: Blip3oNetwork, context: Context, x: Tensor, positions: Tensor, position: int
) -> tuple[Context, Tensor]:
    count, most = context.tokens + x.shape[1], network.config.reader.max_position_embeddings
    if count > most:
        raise QuestionError(f"The context would have {count} tokens; the model has {most} positions.", "Shorten it.")
    hidden, grown = network.run(x, positions.to(network.device), context.keys_values)
    return Context(context.plain, grown, position), hidden
