"""Janus as a `UnifiedModel` that reads: its language model is run step by step, on pictures that were read before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache

from ...errors import QuestionError
from ..protocol import Capabilities, Identity, Prefix, Reading, Segment, StepCallback, View
from .chat import Chat

MOST_PICTURES: Final = 8
"""Fewer where the network has fewer positions."""
ROOM: Final = 1024
"""Positions that are left for a question and an answer."""

Layers = tuple[tuple[Tensor, Tensor], ...]
"""Keys and values of each layer, `[rows, heads, positions, features]`."""


@dataclass(frozen=True)
class JanusPrefix:
    """The beginning of a chat and its pictures as keys and values; a longer one has a copy of those of its parent."""

    layers: Layers
    pictures: int

    @property
    def nbytes(self) -> int:
        """Bytes of all keys and values."""
        return sum(part.nbytes for layer in self.layers for part in layer)

    @property
    def length(self) -> int:
        """Positions."""
        return self.layers[0][0].shape[2]


class JanusModel:
    """A Janus. Questions are read one after the other, and answered in lockstep.

    Args:
        network: Of transformers, in evaluation mode.
        chat: How it is asked.
        processor: Of pictures, in NumPy: the same with torchvision and without.
        identity: Who it is.
    """

    key = "janus"
    prompt_set = "bagel"

    def __init__(self, network: Any, chat: Chat, processor: Any, identity: Identity) -> None:
        """Keep the parts."""
        self._network = network
        self._chat = chat
        self._processor = processor
        self._positions: int = network.config.text_config.max_position_embeddings
        self.identity = identity
        each = chat.picture_tokens + len(chat.next)
        self.capabilities = Capabilities(
            edits="none",
            max_pictures=max(1, min(MOST_PICTURES, (self._positions - ROOM) // each)),
            aspect="square",
            same_weights=True,
            max_batch=8,
            scores=True,
            log_probabilities=True,
            temperature=True,
            deterministic=network.device.type == "cpu",
            prefix_cache=True,
            prefix_bytes=4 * 2**30,
        )

    @torch.inference_mode()
    def extend(
        self, prefixes: Sequence[Prefix | None], segments: Sequence[Segment], view: View = "read"
    ) -> list[Prefix]:
        """Read one more picture after each prefix; see `UnifiedModel`."""
        return [
            self._extended(None if past is None else _own(past), segment)
            for past, segment in zip(prefixes, segments, strict=True)
        ]

    @torch.inference_mode()
    def read(
        self,
        prefixes: Sequence[Prefix],
        texts: Sequence[str],
        max_tokens: int,
        on_step: StepCallback,
        temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> list[Reading | None]:
        """Answer each text; see `TemperatureModel`. The log-probability is that at temperature 1.

        Raises:
            QuestionError: A text with its pictures has more tokens than the network has positions.
        """
        asked = [self._asked(_own(prefix), text) for prefix, text in zip(prefixes, texts, strict=True)]
        chances = [torch.Generator().manual_seed(seed) for seed in seeds] if temperature else []
        lengths = [layers[0][0].shape[2] for layers, _ in asked]
        cache = DynamicCache(_together([layers for layers, _ in asked], max(lengths)))
        device = self._network.device
        mask = torch.tensor([[0] * (max(lengths) - length) + [1] * length for length in lengths], device=device)
        places = torch.tensor(lengths, device=device)[:, None]
        logits = torch.cat([row for _, row in asked])
        ids: list[list[int]] = [[] for _ in texts]
        sums, wanted = [0.0] * len(texts), [True] * len(texts)
        for done in range(1, max_tokens + 1):
            shares = logits.float().log_softmax(dim=-1)
            words = _chosen(shares, temperature, chances)
            told = shares.gather(-1, words[:, None].to(device))[:, 0].tolist()
            for row, word in enumerate(words.tolist()):
                if not self._ended(ids[row]):
                    ids[row].append(word)
                    sums[row] += told[row]
            wanted = [one and still for one, still in zip(wanted, on_step(done, max_tokens), strict=True)]
            if done == max_tokens or not any(
                still and not self._ended(one) for one, still in zip(ids, wanted, strict=True)
            ):
                break
            mask = torch.cat([mask, torch.ones_like(places)], dim=1)
            embedded = self._embedded(words[:, None])
            logits = self._run(embedded, cache, attention_mask=mask, position_ids=places)[:, -1]
            places = places + 1
        return [
            Reading(self._chat.text(one), min(0.0, total), len(one)) if still else None
            for one, total, still in zip(ids, sums, wanted, strict=True)
        ]

    @torch.inference_mode()
    def score(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Log-probability of each option as the whole answer to its text; see `ScoringModel`."""
        return [
            [self._scored(layers, first, option) for option in chosen]
            for prefix, text, chosen in zip(prefixes, texts, options, strict=True)
            for layers, first in (self._asked(_own(prefix), text),)
        ]

    def count_tokens(self, option: str) -> int:
        """Tokens of an option and the end; see `ScoringModel`."""
        return len(self._chat.answer(option)) + 1

    def _extended(self, past: JanusPrefix | None, segment: Segment) -> JanusPrefix:
        assert isinstance(segment, Image.Image), "it declares no texts"
        words = self._embedded(torch.tensor([self._chat.first if past is None else self._chat.next]))
        # Without a format the library takes a picture of three rows for one of three channels.
        pixels = self._processor(images=[segment], input_data_format="channels_last", return_tensors="pt")
        # It is in single precision whatever the network is in, and the library does not see to that.
        given = pixels["pixel_values"].to(self._network.device, self._network.dtype)
        seen = self._network.model.get_image_features(given).pooler_output
        cache = DynamicCache(past.layers if past else None)
        self._fits((past.length if past else 0) + words.shape[1] + seen.shape[1])
        self._run(torch.cat([words, seen.to(words.dtype)], dim=1), cache)
        return JanusPrefix(_layers(cache), (past.pictures if past else 0) + 1)

    def _asked(self, prefix: JanusPrefix, text: str) -> tuple[Layers, Tensor]:
        """Keys and values up to where the answer begins, and logits `[1, vocabulary]` of its first token."""
        words = self._chat.asks(text)
        self._fits(prefix.length + len(words))
        cache = DynamicCache(prefix.layers)
        logits = self._run(self._embedded(torch.tensor([words])), cache)[:, -1]
        return _layers(cache), logits

    def _scored(self, layers: Layers, first: Tensor, option: str) -> float:
        words = torch.tensor([*self._chat.answer(option), self._chat.end], device=first.device)
        logits = first
        if len(words) > 1:
            later = self._run(self._embedded(words[None, :-1]), DynamicCache(layers))[0]
            logits = torch.cat([first, later])
        shares = logits.float().log_softmax(dim=-1).gather(-1, words[:, None])
        return min(0.0, float(shares.sum()))

    def _embedded(self, words: Tensor) -> Tensor:
        embedded: Tensor = self._network.get_input_embeddings()(words.to(self._network.device))
        return embedded

    def _run(self, embedded: Tensor, cache: DynamicCache, **more: Tensor) -> Tensor:
        """Logits of all positions; the cache grows by them."""
        network = self._network
        hidden = network.model.language_model(inputs_embeds=embedded, past_key_values=cache, use_cache=True, **more)
        logits: Tensor = network.lm_head(hidden.last_hidden_state)
        return logits

    def _ended(self, ids: Sequence[int]) -> bool:
        return bool(ids) and ids[-1] == self._chat.end

    def _fits(self, length: int) -> None:
        if length > self._positions:
            message = f"A text with its pictures has {length:,} tokens, and Janus has {self._positions:,} positions."
            raise QuestionError(message, "Ask a shorter question, or show fewer pictures.")


def _layers(cache: DynamicCache) -> Layers:
    layers: Sequence[Any] = cache.layers  # of a kind that has keys and values
    return tuple((layer.keys, layer.values) for layer in layers)


def _together(rows: Sequence[Layers], length: int) -> Layers:
    """Keys and values of several texts as one batch, each padded on the left, so that all go on at one position."""

    def padded(part: Tensor) -> Tensor:
        return pad(part, (0, 0, length - part.shape[2], 0))

    return tuple(
        (torch.cat([padded(keys) for keys, _ in layers]), torch.cat([padded(values) for _, values in layers]))
        for layers in zip(*rows, strict=True)
    )


def _chosen(shares: Tensor, temperature: float, chances: Sequence[torch.Generator]) -> Tensor:
    """The likeliest token of each row, or one by chance, each row from a generator of its own."""
    if not temperature:
        return shares.argmax(dim=-1).cpu()
    warm = (shares / temperature).softmax(dim=-1).cpu()
    return torch.cat([torch.multinomial(row, 1, generator=chance) for row, chance in zip(warm, chances, strict=True)])


def _own(prefix: Prefix) -> JanusPrefix:
    assert isinstance(prefix, JanusPrefix)
    return prefix
