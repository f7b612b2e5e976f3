"""A model on the bench: pictures, texts and calls that rules share, and what a broken rule says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final, cast

import numpy as np
from PIL import Image

from ..errors import G2UError, WorkerError
from ..models.contract import result_faults
from ..models.protocol import (
    Capabilities,
    DrawingModel,
    Prefix,
    Reading,
    Sampler,
    ScoringModel,
    Segment,
    StepCallback,
    UnifiedModel,
    View,
    complete_sampler,
)
from ..models.settings import Value

QUESTIONS: Final = (
    "Question: Which colour is the circle? Answer:",
    "Question: Where is the star? Answer:",
    "What is to be seen?",
    "Question: How many squares are there in all of the picture? Answer:",
)
"""Texts of different lengths."""
OPTIONS: Final = ("red", "blue", "yes", "no")
TOKENS: Final = 8
"""Of a reading at most."""
STEPS: Final = 3
"""Of a drawing."""
ROUNDING: Final = 0.02
"""By how much log-probabilities of the same may differ between sizes of batches, per token, in nats."""
NEARLY: Final = 8
"""By how much values of pixels of the same may differ between sizes of batches, of 255, and at 99 of 100 pixels."""


class BrokenRuleError(Exception):
    """A rule is broken; the message is what came instead of what it says."""


def demand(held: bool, otherwise: str) -> None:
    """Break the rule unless something holds."""
    if not held:
        raise BrokenRuleError(otherwise)


def everyone(requests: int, done: int, total: int) -> Sequence[bool]:
    """What a step callback answers for so many requests that all are wanted."""
    return [True] * requests


def painted(width: int, height: int, seed: int) -> Image.Image:
    """A picture that a model has something to see in: a gradient with a circle and some grain."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    inside = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) / 3) ** 2
    shades = np.stack([x * 200 / max(width, 2), y * 200 / max(height, 2), np.full(x.shape, 40 * seed % 200)], axis=-1)
    shades = np.where(inside[..., None], chance.integers(0, 255, 3), shades) + chance.normal(0, 6, shades.shape)
    return Image.fromarray(shades.clip(0, 255).astype(np.uint8))


@dataclass
class Bench:
    """A model and what the rules ask of it.

    Args:
        model: The one.
    """

    model: UnifiedModel
    pictures: list[Image.Image] = field(default_factory=lambda: [painted(96, 64, seed) for seed in range(4)])
    """Of one size, another content each."""

    @property
    def able(self) -> Capabilities:
        """What it declares."""
        return self.model.capabilities

    @cached_property
    def batch(self) -> int:
        """Requests of a large batch here."""
        return min(self.able.max_batch, len(self.pictures))

    @property
    def draws(self) -> bool:
        """Whether it declares that it draws."""
        return self.able.edits != "none"

    @property
    def instruction(self) -> str:
        """Something that it can be told to draw."""
        return min(self.able.instructions) if self.able.instructions else "Make the picture brighter."

    def sampler(self, steps: int = STEPS, preset: str = "", values: Mapping[str, Value] | None = None) -> Sampler:
        """A complete sampler."""
        return complete_sampler(
            self.able, Sampler(steps=steps, preset=preset, values=dict(values or {})), self.model.key
        )

    def prefix(self, *segments: Segment, view: View = "read") -> Prefix:
        """The prefix of some segments."""
        made: Prefix | None = None
        for segment in segments:
            made = self.extend([made], [segment], view)[0]
        assert made is not None, "there is a segment"
        return made

    def extend(
        self, prefixes: Sequence[Prefix | None], segments: Sequence[Segment], view: View, *values: Any
    ) -> list[Prefix]:
        """Call `extend` in the view that the model has."""
        made: list[Prefix] = self.model.extend(prefixes, segments, view if self.able.drawing_view else "read", *values)
        self._check("extend", made, len(segments))
        return made

    def read(
        self,
        prefixes: Sequence[Prefix],
        texts: Sequence[str],
        on_step: StepCallback | None = None,
        *chance: Any,
        max_tokens: int = TOKENS,
    ) -> list[Reading]:
        """Call `read`; all requests are wanted unless `on_step` says otherwise."""
        keep = on_step or partial(everyone, len(texts))
        given: Sequence[Reading | G2UError | None] = self.model.read(prefixes, texts, max_tokens, keep, *chance)
        self._check("read", given, len(texts))
        if on_step is None:
            demand(None not in given, "a reading that was wanted was left out")
        return cast(list[Reading], given)

    def score(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Call `score`."""
        given = cast(ScoringModel, self.model).score(prefixes, texts, options)
        self._check("score", given, len(texts))
        for one, wanted in zip(given, options, strict=True):
            demand(len(one) == len(wanted), f"{len(one)} scores came for {len(wanted)} options")
            demand(all(math.isfinite(value) for value in one), f"scores that are not finite came: {one}")
        return given

    def draw(
        self,
        prefixes: Sequence[Prefix],
        seeds: Sequence[int],
        on_step: StepCallback | None = None,
        *,
        sampler: Sampler | None = None,
        thoughts: Sequence[str] = (),
        previews: Sequence[Any] | None = None,
        instruction: str = "",
    ) -> list[Image.Image]:
        """Call `draw`, in calls of as many as it declares; all are wanted unless `on_step` says otherwise."""
        most = self.able.max_drawings or self.able.max_batch
        drawn: list[Image.Image | G2UError | None] = []
        for start in range(0, len(prefixes), most):
            part = slice(start, start + most)
            count = len(prefixes[part])
            keep = on_step or partial(everyone, count)
            more = () if previews is None else (previews[part],)
            given = cast(DrawingModel, self.model).draw(
                prefixes[part],
                [instruction or self.instruction] * count,
                sampler or self.sampler(),
                seeds[part],
                keep,
                thoughts,
                *more,
            )
            self._check("draw", given, count)
            drawn += given
        if on_step is None:
            demand(None not in drawn, "a drawing that was wanted was left out")
        return cast(list[Image.Image], drawn)

    def drawing(self, picture: Image.Image, seed: int = 1, **more: Any) -> Image.Image:
        """One drawing of one picture."""
        return self.draw([self.prefix(picture, view="draw")], [seed], **more)[0]

    def _check(self, method: str, given: object, requests: int) -> None:
        for rule, found in result_faults(method, given, requests):
            raise BrokenRuleError(f"{rule}, but {found}")
        for result in cast(Sequence[object], given):
            if isinstance(result, G2UError):
                raise result


def same_bits(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pictures are equal in every pixel."""
    return one.size == other.size and one.tobytes() == other.tobytes()


def nearly_same(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pictures are equal up to rounding."""
    if one.size != other.size:
        return False
    difference = np.abs(np.asarray(one, dtype=np.int16) - np.asarray(other, dtype=np.int16))
    return bool(np.quantile(difference, 0.99) <= NEARLY)


def refused(call: Callable[[], object]) -> bool:
    """Whether a call is refused with a sentence for the user."""
    try:
        call()
    except WorkerError:  # the process of the model broke down over it
        raise
    except G2UError:
        return True
    return False
