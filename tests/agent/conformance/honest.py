"""A small model that declares everything and keeps to all of it, for tests to break one rule at a time."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from g2u.models.protocol import (
    Capabilities,
    Identity,
    Native,
    Prefix,
    PreviewCallback,
    Reading,
    Sampler,
    Segment,
    StepCallback,
    View,
)
from g2u.models.settings import Setting, Value

WORDS = ("red", "blue", "yes", "no", "it", "is", "dark", "here")
"""Its vocabulary; a text of theirs ends with an end token."""
KNOWN = frozenset(["where", "is", "the", "which", "colour", "what", "to", "be", "seen"])
STOP = 0.25
"""Probability of the end token after each word."""


@dataclass(frozen=True)
class Seen:
    """Segments, and the view in which they are seen."""

    segments: tuple[Segment, ...]
    view: View

    @property
    def pictures(self) -> int:
        return sum(isinstance(part, Image.Image) for part in self.segments)

    @property
    def nbytes(self) -> int:
        last = self.segments[-1]
        return len(last.tobytes()) if isinstance(last, Image.Image) else len(last)

    @property
    def digest(self) -> int:
        """Of all that is seen."""
        parts = (part.tobytes() if isinstance(part, Image.Image) else part.encode() for part in self.segments)
        return int.from_bytes(hashlib.sha256(b"".join(parts)).digest()[:4])


class Honest:
    """Declares everything."""

    key = "honest"
    prompt_set = "thinkmorph"
    identity = Identity(model="honest", weights="0" * 64, code="test")
    capabilities = Capabilities(
        edits="native",
        presets={"plain": 2, "fine": 4},
        settings={
            "strength": Setting(default=0.5, least=0.0, most=1.0),
            "flip": Setting(default=False),
            "mode": Setting(default="add", choices=("add", "multiply")),
            "reader": Setting(default="usual", choices=("usual", "close"), reads=True),
        },
        preset_values={"fine": {"strength": 0.25}},
        max_pictures=3,
        text_segments=True,
        drawing_view=True,
        thinks=True,
        native=Native(trigger="dark", answer=("it", "is"), rounds=2, max_tokens=8, temperature=0.5),
        aspect="kept",
        same_weights=True,
        max_batch=4,
        previews=True,
        scores=True,
        log_probabilities=True,
        temperature=True,
        domain=True,
        closed_vocabulary=True,
        deterministic=True,
        prefix_cache=True,
    )

    def extend(
        self,
        prefixes: Sequence[Prefix | None],
        segments: Sequence[Segment],
        view: View = "read",
        values: Mapping[str, Value] = MappingProxyType({}),
    ) -> list[Any]:
        return [
            Seen((*(past.segments if isinstance(past, Seen) else ()), segment), view)
            for past, segment in zip(prefixes, segments, strict=True)
        ]

    def word_shares(self, seen: Any, text: str, number: int) -> list[float]:
        """Probability of each word in the place of that number, if it is not the end."""
        chance = random.Random(f"{seen.digest} {text} {number}")
        weights = [0.1 + chance.random() for _ in WORDS]
        return [weight / sum(weights) for weight in weights]

    def read(
        self,
        prefixes: Sequence[Any],
        texts: Sequence[str],
        max_tokens: int,
        on_step: StepCallback,
        temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> list[Any]:
        """As many words as `digest` says, each the likeliest or by chance; one step for all of the batch."""
        said: list[list[str]] = [[] for _ in texts]
        sums, ended, wanted = [0.0] * len(texts), [False] * len(texts), [True] * len(texts)
        for step in range(max_tokens):
            for row, (seen, text) in enumerate(zip(prefixes, texts, strict=True)):
                if ended[row]:
                    continue
                if step > seen.digest % 4:
                    ended[row], sums[row] = True, sums[row] + math.log(STOP)
                    continue
                shares = self.word_shares(seen, text, step)
                best = shares.index(max(shares))
                if temperature:
                    warm = [share ** (1 / temperature) for share in shares]
                    best = random.Random(f"{seeds[row]} {step}").choices(range(len(WORDS)), warm)[0]
                said[row].append(WORDS[best])
                sums[row] += math.log(shares[best] * (1 - STOP))
            wanted = list(on_step(step + 1, max_tokens))
            if all(ended) or not any(wanted):
                break
        return [
            Reading(" ".join(words), total, len(words) + end) if keep else None
            for words, total, end, keep in zip(said, sums, ended, wanted, strict=True)
        ]

    def score(
        self, prefixes: Sequence[Any], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        return [
            [self.log_probability(seen, text, option.split()) for option in chosen]
            for seen, text, chosen in zip(prefixes, texts, options, strict=True)
        ]

    def log_probability(self, seen: Any, text: str, words: Sequence[str]) -> float:
        shares = [
            self.word_shares(seen, text, number)[WORDS.index(word)] if word in WORDS else 1e-9
            for number, word in enumerate(words)
        ]
        return math.fsum(math.log(share * (1 - STOP)) for share in shares) + math.log(STOP)

    def count_tokens(self, option: str) -> int:
        return len(option.split()) + 1

    def unknown_words(self, text: str) -> list[str]:
        words = text.lower().replace("?", "").split()
        return [word for word in words if word not in KNOWN]

    def out_of_domain(self, prefix: Any) -> float | None:
        return float(prefix.digest % 100 / 100)

    def draw(
        self,
        prefixes: Sequence[Any],
        instructions: Sequence[str],
        sampler: Sampler,
        seeds: Sequence[int],
        on_step: StepCallback,
        thoughts: Sequence[str] = (),
        previews: Sequence[PreviewCallback | None] = (),
    ) -> list[Any]:
        """The picture and some noise, more of it with each step."""
        steps = sampler.steps or 1
        wanted = [True] * len(prefixes)
        for step in range(1, steps + 1):
            for row, preview in enumerate(previews):
                if preview:
                    preview(step, steps, self.noisy(prefixes[row], sampler, seeds[row]))
            wanted = list(on_step(step, steps))
            if not any(wanted):
                break
        return [
            self.noisy(seen, sampler, seed) if keep else None
            for seen, seed, keep in zip(prefixes, seeds, wanted, strict=True)
        ]

    def noisy(self, seen: Any, sampler: Sampler, seed: int) -> Image.Image:
        values = sampler.values
        source = np.asarray(seen.segments[-1], dtype=np.float64)
        noise = np.random.default_rng(seed).normal(0, 40, source.shape) * float(values["strength"])
        mixed = source + noise if values["mode"] == "add" else source * (1 + noise / 255)
        made = Image.fromarray(mixed.clip(0, 255).astype(np.uint8))
        return made.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if values["flip"] else made

    def declaring(self, **changes: Any) -> Honest:
        """One of the same kind with some capabilities changed."""
        other = type(self)()
        other.capabilities = replace(self.capabilities, **changes)  # type: ignore[misc]
        return other
