"""What training minimises, and the passes of the network that it needs: reading, judging, drawing.

A row is one sequence: pictures, then texts that do not see each other, then drawings that see the pictures and one
instruction each. So one mask serves all rows of a kind, and nothing is gathered or scattered between the experts.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from g2u.models.mini.transformer import TIME_SHIFT, MiniTransformer, from_patches, picture_turns, to_patches, word_turns

from ..judging.fidelity import faithful
from .lessons import Texts
from .rows import DrawRows, PairRows, ReadRows, Step
from .tokenizer import VERDICTS

OWN_DRAWINGS = 128
"""Thoughts per step that the model draws itself, at full scale."""


def forward(
    network: MiniTransformer,
    pictures: Sequence[Tensor],
    texts: Sequence[Tensor],
    noisy: Tensor | None = None,
    t: Tensor | None = None,
    pad: int = -1,
) -> tuple[list[Tensor], Tensor | None]:
    """Run rows of one layout.

    Args:
        network: The network.
        pictures: Each `[rows, 3, 128, 128]`, in [-1, 1], in the order of the prefix.
        texts: Groups of texts, each `[rows, texts, words]`; with drawings the last group holds their instructions.
        noisy: `[rows, drawings, patches, values]`, x_t.
        t: `[rows, drawings]`.
        pad: Token that fills instructions up; drawings do not see it.

    Returns:
        Logits of each group `[rows, texts, words, vocabulary]`, and the predicted clean patches, shaped as `noisy`.
    """
    config = network.config
    device = pictures[0].device
    rows = pictures[0].shape[0]
    patches = [to_patches(picture, config.patch) for picture in pictures]
    parts = [network.embed_picture(p, slot) for slot, p in enumerate(patches)]
    parts += [network.embed_words(ids).flatten(1, 2) for ids in texts]
    read = torch.cat(parts, dim=1)
    shape = tuple((ids.shape[1], ids.shape[2]) for ids in texts)
    count = 0 if noisy is None else noisy.shape[1]
    mask, read_turns, drawn_turns = _layout(config.side, config.pairs, len(pictures), shape, count, device)
    drawn = None
    if noisy is not None and t is not None:
        source = patches[-1][:, None].expand_as(noisy).flatten(0, 1)
        drawn = network.embed_drawing(noisy.flatten(0, 1), source, t.flatten()).view(rows, -1, config.width)
        drawn_tokens = drawn.shape[1]
        visible = torch.ones(rows, mask.shape[-1], dtype=torch.bool, device=device)
        visible[:, read.shape[1] - texts[-1][0].numel() : read.shape[1]] = (texts[-1] != pad).flatten(1)
        mask = mask.repeat(rows, 1, 1)
        mask[:, -drawn_tokens:] &= visible[:, None]
        mask = mask[:, None]
    for layer in network.layers:
        read, drawn = layer(read, drawn, read_turns, drawn_turns if drawn is not None else None, mask)
    logits, start = [], len(pictures) * config.patches
    for ids in texts[: len(texts) - (noisy is not None)]:
        tokens = read[:, start : start + ids[0].numel()]
        logits.append(network.logits(tokens).unflatten(1, ids.shape[1:]))
        start += ids[0].numel()
    if noisy is None or drawn is None:
        return logits, None
    clean = network.clean_patches(drawn.view(rows * count, config.patches, -1), source)
    return logits, clean.view_as(noisy)


@functools.lru_cache(maxsize=32)
def _layout(
    side: int, pairs: int, pictures: int, texts: tuple[tuple[int, int], ...], drawings: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Mask `[1, tokens, tokens]` (`True`: may see) and rotary turns of the read and the drawn tokens of a layout."""
    # Each token belongs to a segment; within one, texts are causal and pictures are not.
    lengths = [side**2] * pictures + [words for count, words in texts for _ in range(count)]
    lengths += [side**2] * drawings
    segment = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    place = torch.cat([torch.arange(length) for length in lengths])
    text = (segment >= pictures) & (segment < len(lengths) - drawings)
    same = segment[:, None] == segment
    may = same & (~text[:, None] | (place[:, None] >= place))
    may |= (segment < pictures) & (segment[:, None] >= segment)
    first_drawing = len(lengths) - drawings
    may |= (segment[:, None] >= first_drawing) & (segment == segment[:, None] - drawings)
    words = torch.cat([torch.arange(1, n + 1) for count, n in texts for _ in range(count)])
    picture = picture_turns(side, pairs)
    read = torch.cat([picture] * pictures + [word_turns(words, pairs)])
    return may[None].to(device), read.to(device), torch.cat([picture] * max(drawings, 1)).to(device)


def to_signed(pictures: Tensor) -> Tensor:
    """Bytes to [-1, 1]."""
    return pictures.float() / 127.5 - 1.0


def to_bytes(pictures: Tensor) -> Tensor:
    """[-1, 1] to bytes."""
    return ((pictures.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)


def read_loss(network: MiniTransformer, rows: ReadRows) -> Tensor:
    """Cross-entropy of the answers on clean pictures."""
    logits, _ = forward(network, [to_signed(rows.picture)], [rows.texts.ids])
    return _said(logits[0], rows.texts)


def pair_loss(network: MiniTransformer, rows: PairRows) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the answers and of the verdicts on pairs."""
    line = torch.arange(len(rows.verdict), device=rows.verdict.device)
    verdicts = rows.verdicts[line, rows.verdict][:, None]
    pictures = [to_signed(rows.picture), to_signed(rows.thought)]
    logits, _ = forward(network, pictures, [rows.texts.ids, verdicts.ids])
    return (
        _said(logits[0], rows.texts.only(rows.answered[:, None])),
        _said(logits[1], verdicts.only(rows.judged[:, None])),
    )


def draw_loss(network: MiniTransformer, rows: DrawRows, pad: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the decisions and velocity error of the drawings."""
    count, device = rows.target.shape[1], rows.target.device
    clean = to_patches(to_signed(rows.target.flatten(0, 1)), network.config.patch).unflatten(0, (-1, count))
    noise = torch.randn(clean.shape, generator=generator, device=device)
    t = sample_times(clean.shape[:2], generator, device)
    noisy = torch.lerp(noise, clean, t[:, :, None, None])
    logits, drawn = forward(
        network, [to_signed(rows.picture)], [rows.decisions.ids, rows.instructions.ids], noisy, t, pad
    )
    assert drawn is not None
    velocity = (drawn.float() - clean) / (1.0 - t).clamp(min=0.05)[:, :, None, None]
    return _said(logits[0], rows.decisions), velocity.square().mean()


def sample_times(shape: Sequence[int], generator: torch.Generator, device: torch.device) -> Tensor:
    """Times in [0, 1], mostly near the noise: a third exactly 0, the rest logit-normal and shifted.

    With unshifted times the network learns to polish a noisy picture and ignores its source; the first step then draws
    a sharp picture of the wrong thing.
    """
    u = torch.sigmoid(torch.randn(*shape, generator=generator, device=device))
    start = torch.rand(*shape, generator=generator, device=device) < 1 / 3
    return (u / (u + TIME_SHIFT * (1.0 - u))).masked_fill(start, 0.0)


@torch.no_grad()
def draw(
    network: MiniTransformer, source: Tensor, instructions: Tensor, pad: int, noise: Tensor, steps: int = 1
) -> Tensor:
    """Draw bytes `[rows, 3, 128, 128]` from bytes, by Euler steps as in `g2u.models.mini`."""
    config = network.config
    x = noise[:, None]
    levels = [TIME_SHIFT * u / (1.0 + (TIME_SHIFT - 1.0) * u) for u in torch.linspace(1, 0, steps + 1).tolist()]
    for level, following in pairwise(levels):
        t = torch.full((len(source), 1), 1.0 - level, device=source.device)
        _, clean = forward(network, [to_signed(source)], [instructions[:, None]], x, t, pad)
        assert clean is not None
        x = clean + (x - clean) * (following / level)
    return to_bytes(from_patches(x[:, 0].float(), config.patch, config.side))


def with_own_drawings(network: MiniTransformer, step: Step, pad: int, noise: Tensor) -> Step:
    """Let the model draw some of the thoughts of the pair rows, in one step, and judge them by their truth.

    These are the hard examples of reflection, and they teach the reader what its own drawings look like.

    Args:
        network: The network as it is now.
        step: Rows of this step.
        pad: See `forward`.
        noise: `[drawings, patches, values]`; its length is the number of thoughts drawn.
    """
    pair = step.pair
    noise = noise[: len(pair.drawn)]
    chosen = pair.drawn.int().argsort(descending=True, stable=True)[: len(noise)]
    drawn = draw(network, pair.source[chosen], pair.instructions.ids[chosen], pad, noise)
    used = pair.drawn[chosen]
    good = faithful(drawn, pair.truth[chosen])
    thought, verdict, answered = pair.thought.clone(), pair.verdict.clone(), pair.answered.clone()
    thought[chosen] = torch.where(used[:, None, None, None], drawn, thought[chosen])
    judged = torch.full_like(chosen, VERDICTS.index("retry")).masked_fill(good, VERDICTS.index("keep"))
    verdict[chosen] = torch.where(used, judged, verdict[chosen])
    answered[chosen] = answered[chosen] & (good | ~used)
    return replace(step, pair=replace(pair, thought=thought, verdict=verdict, answered=answered))


def _said(logits: Tensor, texts: Texts) -> Tensor:
    """Mean cross-entropy of the taught tokens, each predicted from those before it."""
    losses = functional.cross_entropy(
        logits[:, :, :-1].flatten(0, 2).float(), texts.ids[:, :, 1:].flatten(), reduction="none"
    )
    taught = texts.taught[:, :, 1:].flatten().float()
    return (losses * taught).sum() / taught.sum().clamp(min=1.0)
