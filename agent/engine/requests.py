"""What callers ask of an engine: one request each, grouped into calls of the model."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar, cast

from PIL import Image

from ..errors import CapabilityError, DeadlineError, PictureError, QuestionError
from ..models.protocol import (
    Capabilities,
    DomainModel,
    DrawingModel,
    Prefix,
    PreviewCallback,
    PreviewingModel,
    Sampler,
    ScoringModel,
    StepCallback,
    TemperatureModel,
    UnifiedModel,
    View,
)
from ..models.settings import Value
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from .costs import Answered, Meter
from .prefix_cache import PrefixKey

T = TypeVar("T")
Kind = Literal["read", "score", "draw", "domain"]
ProgressCallback = Callable[[int, int], None]
"""Called as `on_progress(done, total)` on the engine's thread: it must be quick, and safe to call from there."""


@dataclass(frozen=True)
class ReadGroup:
    """Readings of as many tokens at most, at one temperature."""

    kind: ClassVar[Kind] = "read"
    method: ClassVar[str] = "read"
    max_tokens: int
    temperature: float = 0.0

    def call(
        self, model: UnifiedModel, prefixes: list[Prefix], requests: list[Request], on_step: StepCallback
    ) -> Sequence[object]:
        """Read them all."""
        texts = [request.text for request in requests]
        if not self.temperature:
            return model.read(prefixes, texts, self.max_tokens, on_step)
        seeds = [request.seed for request in requests]
        warm = cast(TemperatureModel, model)
        return warm.read(prefixes, texts, self.max_tokens, on_step, self.temperature, seeds)


@dataclass(frozen=True)
class ScoreGroup:
    """Scorings of whole options or of their mean token."""

    kind: ClassVar[Kind] = "score"
    method: ClassVar[str] = "score"
    per_token: bool = False

    def call(
        self, model: UnifiedModel, prefixes: list[Prefix], requests: list[Request], on_step: StepCallback
    ) -> Sequence[object]:
        """Score them all, without steps."""
        asked = [request.options for request in requests]
        scoring = cast(ScoringModel, model)
        return scoring.score(prefixes, [request.text for request in requests], asked)


@dataclass(frozen=True)
class DrawGroup:
    """Drawings by one sampler."""

    kind: ClassVar[Kind] = "draw"
    method: ClassVar[str] = "draw"
    sampler: Sampler

    def call(
        self, model: UnifiedModel, prefixes: list[Prefix], requests: list[Request], on_step: StepCallback
    ) -> Sequence[object]:
        """Draw them all."""
        texts, seeds = [request.text for request in requests], [request.seed for request in requests]
        thoughts = [request.thought for request in requests]
        if not model.capabilities.previews or not any(request.on_preview for request in requests):
            return cast(DrawingModel, model).draw(prefixes, texts, self.sampler, seeds, on_step, thoughts)
        previews = [request.show if request.on_preview else None for request in requests]
        return cast(PreviewingModel, model).draw(prefixes, texts, self.sampler, seeds, on_step, thoughts, previews)


@dataclass(frozen=True)
class DomainGroup:
    """Questions how far a picture lies from what the model was trained on."""

    kind: ClassVar[Kind] = "domain"
    method: ClassVar[str] = "out_of_domain"

    def call(
        self, model: UnifiedModel, prefixes: list[Prefix], requests: list[Request], on_step: StepCallback
    ) -> Sequence[object]:
        """Ask for each, without steps."""
        return [cast(DomainModel, model).out_of_domain(prefix) for prefix in prefixes]


Group = ReadGroup | ScoreGroup | DrawGroup | DomainGroup
"""What is asked of the model."""


@dataclass(kw_only=True, eq=False)
class Request:
    """One thing that one caller waits for."""

    group: Group
    store: ImageStore
    segments: tuple[ImageRef | str, ...]
    """What the model sees before the text."""
    view: View = "read"
    """How it sees the pictures; the engine makes it `read` where the model knows no other."""
    reading: tuple[tuple[str, Value], ...] = ()
    """Values by which pictures are read, where they are not as usual; see `Capabilities.reading_settings`."""
    text: str = ""
    """Empty for a `DomainGroup` alone."""
    options: tuple[str, ...] = ()
    seed: int = 0
    thought: str = ""
    """What the model wrote before it draws."""
    deadline: float | None = None
    """In `time.monotonic()` seconds."""
    on_progress: ProgressCallback | None = None
    on_preview: PreviewCallback | None = None
    """Of a drawing, for a model that shows what is drawn so far."""
    future: Future[Answered] = field(default_factory=Future)
    meter: Meter = field(default_factory=Meter)
    """What it cost so far, tries that did not fit into memory among it."""

    @property
    def most(self) -> int | None:
        """Tokens of a reading, options of a scoring, `None` of anything else: what bounds its result."""
        if isinstance(self.group, ReadGroup):
            return self.group.max_tokens
        return len(self.options) if isinstance(self.group, ScoreGroup) else None

    @property
    def key(self) -> PrefixKey:
        """Names the prefix that it needs."""
        seen = " ".join([self.view, *(f"{name}={value}" for name, value in self.reading)])
        return tuple(
            (seen, hashlib.sha256(part.encode()).hexdigest() if isinstance(part, str) else part.sha256)
            for part in self.segments
        )

    @property
    def batch(self) -> tuple[object, ...]:
        """What requests must have in common to go through the model together."""
        return self.group, self.view, self.reading, len(self.segments)

    @property
    def question(self) -> Hashable:
        """All that decides the result of a request that is no drawing."""
        return self.group, self.view, self.key, self.text, self.options, self.seed

    def batch_limit(self, capabilities: Capabilities) -> int:
        """How many requests like it one call of a model may carry."""
        drawings = capabilities.max_drawings if isinstance(self.group, DrawGroup) else None
        return min(capabilities.max_batch, drawings or capabilities.max_batch)

    def finished(self, model: UnifiedModel, result: object) -> object:
        """What the caller gets of a result that keeps to the protocol."""
        if not isinstance(self.group, ScoreGroup) or not self.group.per_token:
            return result
        counts = [cast(ScoringModel, model).count_tokens(option) for option in self.options]
        return [value / count for value, count in zip(cast(Sequence[float], result), counts, strict=True)]

    def wanted(self, grace: float = 0.0) -> bool:
        """Whether somebody still waits; whoever waited beyond the deadline, and `grace` seconds more, is told so."""
        if self.deadline is not None and time.monotonic() > self.deadline + grace:
            fail(self.future, DeadlineError("The time was over before the model was done.", "Allow more seconds."))
        return not self.future.done()

    def report(self, done: int, total: int) -> None:
        """Tell the caller about a step; its callback's exception is the caller's own."""
        if self.on_progress is not None:
            try:
                self.on_progress(done, total)
            except Exception as error:  # the caller's code, so any
                fail(self.future, error)

    def show(self, done: int, total: int, picture: Image.Image) -> None:
        """Show the caller what is drawn so far; its callback's exception is the caller's own."""
        if self.on_preview is not None and not self.future.done():
            try:
                self.on_preview(done, total, picture)
            except Exception as error:  # the caller's code, so any
                fail(self.future, error)


def settle(future: Future[T], result: T) -> None:
    """Hand over a result, unless nobody waits for it any more."""
    with suppress(InvalidStateError):
        future.set_result(result)


def fail(future: Future[Any], error: BaseException) -> None:
    """Hand over an error, unless nobody waits any more."""
    if isinstance(error, StopIteration):  # which no future takes, so that its caller would wait for ever
        told = RuntimeError("StopIteration was raised where the model was called.")
        told.__cause__ = error
        error = told
    with suppress(InvalidStateError):
        future.set_exception(error)


def check(request: Request, model: UnifiedModel) -> None:
    """Refuse what the model cannot do, before it costs anything.

    Raises:
        QuestionError: A text is empty.
        PictureError: There is no picture, or nothing to draw on.
        CapabilityError: The model does not declare what the request needs.
    """
    able, kind = model.capabilities, request.group.kind
    texts = [part for part in request.segments if isinstance(part, str)]
    given = len(request.segments) - len(texts)
    goes_on = able.native is not None and kind == "read"  # right after a drawing, with no text between
    asked = [] if isinstance(request.group, DomainGroup) or goes_on else [request.text]
    if not all(text.strip() for text in (*texts, *asked)):
        raise QuestionError(f"The text to {kind} is empty.")
    if not given:
        raise PictureError(f"A model needs at least one picture to {kind}; none was given.")
    if given > able.max_pictures:
        raise CapabilityError(f"{model.key!r} takes at most {able.max_pictures} pictures at once, not {given}.")
    if texts and not able.text_segments:
        raise CapabilityError(f"{model.key!r} takes no text between or before its pictures.", "Use another model.")
    if kind == "score" and not able.scores:
        hint = "`g2u models check` shows what it declares; take one that does."
        raise CapabilityError(f"{model.key!r} does not declare `scores`: it compares no texts.", hint)
    if isinstance(request.group, ReadGroup) and request.group.temperature and not able.temperature:
        raise CapabilityError(f"{model.key!r} writes without chance: it has no temperature.", "Leave it at 0.")
    if kind != "draw":
        return
    if able.edits == "none":
        raise CapabilityError(f"{model.key!r} cannot edit pictures.", "Use another model, or the policy `none`.")
    if request.thought and not able.thinks:
        raise CapabilityError(f"{model.key!r} cannot think before it draws.", "Leave the thought out.")
    if isinstance(request.segments[-1], str):
        raise PictureError("What is drawn on is the last segment, and that is a text.")
