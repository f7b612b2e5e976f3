"""Running the network of mini step by step: pictures, texts on top of them, and drawings.

Keys and values of a batch live in one `Memory`, which is made with room for all that a request will add, so that a
token costs a token and not a copy of everything before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .transformer import MiniTransformer, picture_turns, word_turns


class Memory:
    """Keys and values of a batch, as far as they are known, and which of them may be seen.

    Args:
        pasts: `[layers, 2, heads, tokens, head width]` for each row, all of one length.
        room: Tokens that will be added.
    """

    def __init__(self, pasts: Sequence[Tensor], room: int) -> None:
        """Copy the pasts to the front."""
        layers, two, heads, tokens, width = pasts[0].shape
        self.keys_values = pasts[0].new_empty(layers, two, len(pasts), heads, tokens + room, width)
        for row, past in enumerate(pasts):
            self.keys_values[:, :, row, :, :tokens] = past
        self.seen = torch.ones(len(pasts), tokens, dtype=torch.bool, device=self.keys_values.device)
        """`[batch, tokens]`: known tokens that later ones may see; padding is not."""

    @property
    def tokens(self) -> int:
        """Tokens known so far."""
        return self.seen.shape[1]

    def add(self, seen: Tensor) -> None:
        """Keep the tokens that were just written, `seen` `[batch, new]` of them visible."""
        self.seen = torch.cat([self.seen, seen], dim=1)

    def keep(self, rows: list[int]) -> None:
        """Go on with some rows of the batch."""
        self.keys_values, self.seen = self.keys_values[:, :, rows], self.seen[rows]


def encode_pictures(network: MiniTransformer, patches: Tensor, slot: int, memory: Memory) -> Tensor:
    """Read one more picture for each prefix.

    Args:
        network: The network.
        patches: `[batch, patches, values]`, in [-1, 1].
        slot: How many pictures come before.
        memory: Of those, with room for one more.

    Returns:
        Keys and values of the new picture alone: `[layers, 2, batch, heads, patches, head width]`.
    """
    turns = picture_turns(network.config.side, network.config.pairs).to(patches.device)
    _run(network, network.embed_picture(patches, slot), None, turns, None, memory)
    return memory.keys_values[:, :, :, :, memory.tokens :]


def read_words(network: MiniTransformer, ids: Tensor, index: Tensor, segment: Tensor, memory: Memory) -> Tensor:
    """Read words after what is known, and remember them.

    Args:
        network: The network.
        ids: `[batch, words]`.
        index: `[batch, words]`, place of each word in its text, from 1.
        segment: `[batch, words]`; words see earlier ones of segment 0 and of their own; -1 is padding, seen by none.
        memory: What is known.

    Returns:
        Log-probabilities of the next word, `[batch, words, vocabulary]`.
    """
    words = ids.shape[1]
    earlier = torch.ones(words, words, dtype=torch.bool, device=ids.device).tril()
    related = (segment[:, None, :] == 0) | (segment[:, None, :] == segment[:, :, None])
    itself = torch.eye(words, dtype=torch.bool, device=ids.device)
    new = (earlier & related & (segment >= 0)[:, None, :]) | itself
    mask = torch.cat([memory.seen[:, None, :].expand(-1, words, -1), new], dim=2)[:, None]
    turns = word_turns(index, network.config.pairs)[:, None]
    read, _ = _run(network, network.embed_words(ids), None, turns, mask, memory)
    assert read is not None
    memory.add(segment >= 0)
    return network.logits(read).float().log_softmax(dim=-1)


def predict_clean(network: MiniTransformer, noisy: Tensor, source: Tensor, t: Tensor, memory: Memory) -> Tensor:
    """The clean picture that the drawing expert sees in a noisy one; nothing of it is remembered.

    Args:
        network: The network.
        noisy: `[batch, patches, values]`, x_t.
        source: Same shape, the picture that is edited.
        t: `[batch]`, in [0, 1].
        memory: Of the pictures and the instruction, with room for the noisy picture.
    """
    turns = picture_turns(network.config.side, network.config.pairs).to(noisy.device)
    own = torch.ones(noisy.shape[:2], dtype=torch.bool, device=noisy.device)
    mask = torch.cat([memory.seen, own], dim=1)[:, None, None, :]
    _, drawn = _run(network, None, network.embed_drawing(noisy, source, t), turns, mask, memory)
    assert drawn is not None
    return network.clean_patches(drawn, source)


def _run(
    network: MiniTransformer,
    read: Tensor | None,
    drawn: Tensor | None,
    turns: Tensor,
    mask: Tensor | None,
    memory: Memory,
) -> tuple[Tensor | None, Tensor | None]:
    end = memory.tokens + sum(part.shape[1] for part in (read, drawn) if part is not None)
    for layer, (keys, values) in zip(network.layers, memory.keys_values[:, :, :, :, :end], strict=True):
        read, drawn = layer(read, drawn, turns, turns, mask, (keys, values))
    return read, drawn
