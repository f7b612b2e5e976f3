"""A unified model whose words and pictures are plain functions: real protocol, no network, no weights.

It keeps to the protocol to the letter (batches, prefixes, steps, requests left out), so that everything above it runs
exactly as with a trained model, and it writes down what it was asked.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from PIL import Image, ImageOps

from g2u.models.protocol import Capabilities, Identity, Prefix, Reading, Sampler, Segment, StepCallback, View

Pictures = tuple[Image.Image, ...]
ReadScript = Callable[[str, Pictures], str]
ScoreScript = Callable[[str, Pictures, Sequence[str]], Sequence[float]]
DrawScript = Callable[[Image.Image, str, int], Image.Image]
DomainScript = Callable[[Image.Image], float | None]

CAPABILITIES = Capabilities(
    edits="native",
    max_pictures=3,
    aspect="kept",
    same_weights=True,
    max_batch=16,
    scores=True,
    log_probabilities=True,
    domain=True,
    closed_vocabulary=True,
    deterministic=True,
    prefix_cache=True,
)
"""What a `ScriptedModel` declares unless told otherwise."""
IDENTITY = Identity(model="scripted", weights="0" * 64, code="test")


@dataclass(frozen=True)
class PicturePrefix:
    """The segments themselves; a child costs its own last one only."""

    segments: tuple[Segment, ...]

    @property
    def images(self) -> Pictures:
        """The pictures among them."""
        return tuple(part for part in self.segments if not isinstance(part, str))

    @property
    def pictures(self) -> int:
        """How many pictures it covers."""
        return len(self.images)

    @property
    def nbytes(self) -> int:
        """Three bytes per pixel of the last picture, or one per character of the last text."""
        last = self.segments[-1]
        return len(last) if isinstance(last, str) else last.width * last.height * 3


@dataclass
class Call:
    """One call of the model, as it came in."""

    kind: str
    """`extend`, `read`, `score`, `draw` or `domain`."""
    texts: tuple[str, ...]
    """Texts or instructions of its requests; empty strings for `extend` and `domain`."""
    pictures: tuple[int, ...]
    """How many pictures each prefix held when the call came."""
    segments: tuple[Segment, ...] = ()
    """What `extend` was given."""
    view: View = "read"
    """In which view."""
    thoughts: tuple[str, ...] = ()
    """What `draw` was given besides."""
    steps: list[int] = field(default_factory=list)
    """Requests still wanted after each step of `read` or `draw`."""

    @property
    def size(self) -> int:
        """Requests in the call."""
        return len(self.texts)


def say_none(text: str, pictures: Pictures) -> str:
    """Read: always the call of no edit."""
    return '{"edit": "none"}'


def prefer_first(text: str, pictures: Pictures, options: Sequence[str]) -> Sequence[float]:
    """Score: the earlier an option stands, the likelier it is."""
    return [-float(1 + index) for index in range(len(options))]


def invert(image: Image.Image, instruction: str, seed: int) -> Image.Image:
    """Draw: the negative."""
    return ImageOps.invert(image)


@dataclass
class ScriptedModel:
    """Implements `UnifiedModel` with functions.

    Example:
        `ScriptedModel(read=lambda text, pictures: "deblur" if text.endswith("Edit:") else "red")`
    """

    read_script: ReadScript = say_none
    score_script: ScoreScript = prefer_first
    draw_script: DrawScript = invert
    domain_script: DomainScript = lambda picture: None
    unknown: frozenset[str] = frozenset()
    """Words that it was never taught."""
    key: str = "scripted"
    prompt_set: str = "mini"
    capabilities: Capabilities = CAPABILITIES
    identity: Identity = IDENTITY
    step_seconds: float = 0.0
    """Sleep of every token and denoising step."""
    memory: int | None = None
    """Largest batch that fits; a larger one raises `torch.OutOfMemoryError`."""
    before: Callable[[Call], None] | None = None
    """Runs at the start of every call, on the engine's thread; may block on an event or raise."""
    between: Callable[[Call, int], None] | None = None
    """Runs before every step is reported, with the steps done; may block on an event or raise."""
    calls: list[Call] = field(default_factory=list)
    """Every call, in order."""
    threads: set[int] = field(default_factory=set)
    """Identifiers of the threads that called."""

    def of(self, kind: str) -> list[Call]:
        """The calls of one kind, in order."""
        return [call for call in self.calls if call.kind == kind]

    def declaring(self, **changes: object) -> ScriptedModel:
        """A fresh one with some capabilities changed."""
        return replace(self, capabilities=replace(self.capabilities, **changes), calls=[], threads=set())  # type: ignore[arg-type]

    def extend(
        self, prefixes: Sequence[Prefix | None], segments: Sequence[Segment], view: View = "read"
    ) -> list[Prefix]:
        """Append one segment to each prefix."""
        call = self._begin("extend", [""] * len(segments), [prefix.pictures if prefix else 0 for prefix in prefixes])
        call.segments, call.view = tuple(segments), view
        return [
            PicturePrefix((*(segments_of(prefix) if prefix else ()), segment))
            for prefix, segment in zip(prefixes, segments, strict=True)
        ]

    def read(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], max_tokens: int, on_step: StepCallback
    ) -> list[Reading | None]:
        """Say the scripted text, one word a step, cut after `max_tokens`."""
        call = self._begin("read", texts, [prefix.pictures for prefix in prefixes])
        said = [
            self.read_script(text, images_of(prefix)).split(" ")[:max_tokens]
            for text, prefix in zip(texts, prefixes, strict=True)
        ]
        wanted = self._step(call, max(map(len, said)), on_step)
        return [
            Reading(text=" ".join(words), log_probability=-0.5 * len(words), tokens=len(words)) if want else None
            for words, want in zip(said, wanted, strict=True)
        ]

    def score(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """The scripted log-probabilities."""
        self._begin("score", texts, [prefix.pictures for prefix in prefixes])
        return [
            list(self.score_script(text, images_of(prefix), choices))
            for prefix, text, choices in zip(prefixes, texts, options, strict=True)
        ]

    def count_tokens(self, option: str) -> int:
        """Its words and the end."""
        return len(option.split(" ")) + 1

    def unknown_words(self, text: str) -> list[str]:
        """Those of `unknown`."""
        return [word for word in re.findall(r"\w+", text.lower()) if word in self.unknown]

    def out_of_domain(self, prefix: Prefix) -> float | None:
        """The scripted distance of the first picture."""
        self._begin("domain", [""], [prefix.pictures])
        return self.domain_script(images_of(prefix)[0])

    def draw(
        self,
        prefixes: Sequence[Prefix],
        instructions: Sequence[str],
        sampler: Sampler,
        seeds: Sequence[int],
        on_step: StepCallback,
        thoughts: Sequence[str] = (),
    ) -> list[Image.Image | None]:
        """The scripted drawing of the last picture, in `sampler.steps` steps."""
        call = self._begin("draw", instructions, [prefix.pictures for prefix in prefixes])
        call.thoughts = tuple(thoughts)
        wanted = self._step(call, sampler.steps or 1, on_step)
        return [
            self.draw_script(images_of(prefix)[-1], instruction, seed) if want else None
            for prefix, instruction, seed, want in zip(prefixes, instructions, seeds, wanted, strict=True)
        ]

    def _begin(self, kind: str, texts: Sequence[str], pictures: Sequence[int]) -> Call:
        call = Call(kind, tuple(texts), tuple(pictures))
        self.calls.append(call)
        self.threads.add(threading.get_ident())
        if self.before:
            self.before(call)
        if self.memory is not None and call.size > self.memory:
            raise torch.OutOfMemoryError(f"a batch of {call.size}, and {self.memory} fit")
        return call

    def _step(self, call: Call, total: int, on_step: StepCallback) -> list[bool]:
        """Go through the steps and stop when nobody waits; which requests are still wanted."""
        wanted = [True] * call.size
        for done in range(1, total + 1):
            time.sleep(self.step_seconds)
            if self.between:
                self.between(call, done)
            wanted = [want and flag for want, flag in zip(wanted, on_step(done, total), strict=True)]
            call.steps.append(sum(wanted))
            if not any(wanted):
                break
        return wanted


def images_of(prefix: Prefix) -> Pictures:
    """The pictures in a prefix of a `ScriptedModel`."""
    assert isinstance(prefix, PicturePrefix)
    return prefix.images


def segments_of(prefix: Prefix) -> tuple[Segment, ...]:
    """All segments in a prefix of a `ScriptedModel`."""
    assert isinstance(prefix, PicturePrefix)
    return prefix.segments
