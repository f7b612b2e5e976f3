"""Running the network of mini step by step: pictures to keys and values, texts on top of them, and drawings.

Everything here is tensors and batches. `past` is always the keys and values of all layers in one tensor,
`[layers, 2, batch, heads, tokens, head width]`, and `seen` says which of its tokens may be seen, `[batch, tokens]`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from g2u.models.mini.transformer import MiniTransformer, picture_turns, word_turns


def encode_pictures(network: MiniTransformer, patches: Tensor, slot: int, past: Tensor | None) -> Tensor:
    """Keys and values of one more picture for each prefix.

    Args:
        network: The network.
        patches: `[batch, patches, values]`, in [-1, 1].
        slot: How many pictures come before.
        past: Their keys and values.

    Returns:
        Those of the new tokens alone, in the shape of `past`.
    """
    turns = picture_turns(network.config.side, network.config.pairs).to(patches.device)
    _, _, made = _run(network, network.embed_picture(patches, slot), None, turns, None, past)
    return made


def read_words(
    network: MiniTransformer, ids: Tensor, index: Tensor, segment: Tensor, past: Tensor, seen: Tensor
) -> tuple[Tensor, Tensor]:
    """Read words after what is known.

    Args:
        network: The network.
        ids: `[batch, words]`.
        index: `[batch, words]`, place of each word in its text, from 1.
        segment: `[batch, words]`; words see earlier ones of segment 0 and of their own; -1 is padding, seen by none.
        past: See the head of this module.
        seen: See the head of this module.

    Returns:
        Log-probabilities of the next word `[batch, words, vocabulary]`, and keys and values of the new words.
    """
    words = ids.shape[1]
    earlier = torch.ones(words, words, dtype=torch.bool, device=ids.device).tril()
    related = (segment[:, None, :] == 0) | (segment[:, None, :] == segment[:, :, None])
    itself = torch.eye(words, dtype=torch.bool, device=ids.device)
    new = (earlier & related & (segment >= 0)[:, None, :]) | itself
    mask = torch.cat([seen[:, None, :].expand(-1, words, -1), new], dim=2)[:, None]
    turns = word_turns(index, network.config.pairs)[:, None]
    read, _, made = _run(network, network.embed_words(ids), None, turns, mask, past)
    assert read is not None
    return network.logits(read).float().log_softmax(dim=-1), made


def predict_clean(
    network: MiniTransformer, noisy: Tensor, source: Tensor, t: Tensor, past: Tensor, seen: Tensor
) -> Tensor:
    """The clean picture that the drawing expert sees in a noisy one.

    Args:
        network: The network.
        noisy: `[batch, patches, values]`, x_t.
        source: Same shape, the picture that is edited.
        t: `[batch]`, in [0, 1].
        past: Keys and values of the pictures and the instruction.
        seen: See the head of this module.
    """
    patches = noisy.shape[1]
    turns = picture_turns(network.config.side, network.config.pairs).to(noisy.device)
    own = torch.ones(len(noisy), patches, dtype=torch.bool, device=noisy.device)
    mask = torch.cat([seen, own], dim=1)[:, None, None, :]
    _, drawn, _ = _run(network, None, network.embed_drawing(noisy, source, t), turns, mask, past)
    assert drawn is not None
    return network.clean_patches(drawn, source)


def _run(
    network: MiniTransformer,
    read: Tensor | None,
    drawn: Tensor | None,
    turns: Tensor,
    mask: Tensor | None,
    past: Tensor | None,
) -> tuple[Tensor | None, Tensor | None, Tensor]:
    made = []
    for number, layer in enumerate(network.layers):
        before = None if past is None else (past[number, 0], past[number, 1])
        read, drawn, keys_values = layer(read, drawn, turns, turns, mask, before)
        made.append(torch.stack(keys_values))
    return read, drawn, torch.stack(made)
