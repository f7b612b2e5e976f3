"""The resident host of a model: one thread, one copy of the weights, requests of all callers in common batches.

Callers await; any number of event loops and threads may share an engine. Its one worker thread takes the oldest
request, adds those that fit into the same call of the model, sees to the prefixes of their pictures, and calls the
model once for all of them. Between two steps it looks who still waits: a caller's cancelled task and a deadline that
is over end a request there.
"""

from __future__ import annotations

import asyncio
import copy
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Self, cast

from PIL import Image

from ..errors import QuestionError
from ..models.protocol import Capabilities, PreviewCallback, Reading, Sampler, UnifiedModel, View, complete_sampler
from ..models.settings import Value
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from .costs import Answered, charge
from .counters import Counters
from .options import EngineOptions
from .recall import Recall
from .requests import DomainGroup, DrawGroup, ProgressCallback, ReadGroup, Request, ScoreGroup, check
from .worker import Worker

_ENGINES: weakref.WeakSet[Engine] = weakref.WeakSet()
"""Those of this process."""


class Engine:
    """Hosts one model.

    A forked process (`multiprocessing`, `gunicorn --preload`) has none of its parent's threads: there an engine is as
    it was when it was made, and loads a model of its own on first use.

    It is loaded on first use, once. A load error reaches every caller that waits for it, and the next call tries
    again. Use the engine as a context manager, or `close()` it.

    Args:
        load: Makes the model; called on the worker thread.
        options: Limits.
    """

    def __init__(self, load: Callable[[], UnifiedModel], options: EngineOptions | None = None) -> None:
        """Neither load the model nor start the thread yet."""
        self.options = options or EngineOptions()
        self.recall = Recall[Answered]()
        """Readings and scorings that are had again without the model; set its `entries` to switch that on."""
        self._worker = Worker(load, self.options)
        self._reading: tuple[tuple[str, Value], ...] = ()
        _ENGINES.add(self)

    def __enter__(self) -> Self:
        """Give the engine itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @property
    def model(self) -> UnifiedModel:
        """The model; blocks while it is loaded on first use, so async code awaits `ready()` first."""
        return self._worker.loaded().result()

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""
        return self._worker.closed

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._worker.holds_model

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn; those that the model works on are not counted."""
        return self._worker.waiting

    @property
    def silent_seconds(self) -> float:
        """For how long the model has been inside a call without a sign of life, such as a step; 0 between calls."""
        return self._worker.silent_seconds

    def capabilities(self) -> Capabilities:
        """What the model declares it can do; loads it on first use, as `model` does."""
        return self.model.capabilities

    def counters(self) -> Counters:
        """What was done so far."""
        return self._worker.tally.counters

    def close(self) -> None:
        """End the thread and free the model.

        Whoever still waits gets a `RuntimeError`; a model at work stops at its next step, and one that does not come to
        it within `EngineOptions.grace_seconds` is left behind. Once closed, stays closed.
        """
        self._worker.close()

    def reading_by(self, capabilities: Capabilities, values: Mapping[str, Value]) -> Engine:
        """This engine as one sees it whose pictures are read by values of their own; the model is the same.

        Args:
            capabilities: Of its model.
            values: Of a sampler; those of `Capabilities.reading_settings` count, where they are not as usual.
        """
        usual = {name: setting.default for name, setting in capabilities.reading_settings.items()}
        own = tuple((name, values[name]) for name in usual if values.get(name, usual[name]) != usual[name])
        if not own:
            return self
        other = copy.copy(self)
        other._reading = own
        return other

    async def ready(self) -> UnifiedModel:
        """The model, loaded on first use.

        Raises:
            G2UError: It cannot be loaded, as its loader says.
            RuntimeError: The engine is closed.
        """
        return await asyncio.wrap_future(self._worker.loaded())

    async def read(
        self,
        store: ImageStore,
        segments: Sequence[ImageRef | str],
        text: str,
        *,
        max_tokens: int = 32,
        temperature: float = 0.0,
        seed: int = 0,
        view: View = "read",
        deadline: float | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> Reading:
        """Let the model continue `text` about some pictures.

        Args:
            store: Where the pictures are.
            segments: What the model sees before the text, in order: pictures, and texts where it takes them.
            text: The rendered prompt.
            max_tokens: Where the model stops at the latest.
            temperature: Of the chance by which it writes; 0 for none.
            seed: Of that chance.
            view: How it sees the pictures: as those that it reads, or as those that it draws on.
            deadline: `time.monotonic()` after which nobody needs the result.
            on_progress: Called as `on_progress(done, total)` after each token, on the engine's thread: it must be
                quick and safe to call from there. What it raises ends this request alone.

        Raises:
            QuestionError: A text is empty or too long.
            PictureError: There is no picture, or the store cannot open one.
            CapabilityError: There are more pictures than the model takes, texts where it takes none, or a temperature
                where it has none.
            DeadlineError: The deadline was over first.
            BudgetError: Memory does not suffice even for this request alone.
            RuntimeError: The engine is closed.
        """
        request = Request(
            group=ReadGroup(max_tokens, temperature),
            store=store,
            segments=tuple(segments),
            view=view,
            text=text,
            seed=seed if temperature else 0,
            deadline=deadline,
            on_progress=on_progress,
        )
        return cast(Reading, await self._answer(request))

    async def score(
        self,
        store: ImageStore,
        segments: Sequence[ImageRef | str],
        text: str,
        options: Sequence[str],
        *,
        per_token: bool = False,
        view: View = "read",
        deadline: float | None = None,
    ) -> list[float]:
        """Log-probability (natural) of each option as the whole continuation of `text`.

        Arguments and errors are those of `read`; a scoring has no steps, so its deadline counts until it starts.

        Args:
            store: Where the pictures are.
            segments: What the model sees before the text, in order: pictures, and texts where it takes them.
            text: The rendered prompt.
            options: At least one.
            per_token: Divide each by the number of its tokens, so that options of unlike lengths can be compared.
            view: As for `read`.
            deadline: `time.monotonic()` after which nobody needs the result.

        Raises:
            QuestionError: The text is empty, or there are no options.
            CapabilityError: The model does not declare `scores`.
        """
        if not options:
            raise QuestionError("There is nothing to score: at least one option is needed.")
        request = Request(
            group=ScoreGroup(per_token),
            store=store,
            segments=tuple(segments),
            view=view,
            text=text,
            options=tuple(options),
            deadline=deadline,
        )
        return cast(list[float], await self._answer(request))

    async def draw(
        self,
        store: ImageStore,
        segments: Sequence[ImageRef | str],
        instruction: str,
        sampler: Sampler,
        seed: int,
        *,
        thought: str = "",
        deadline: float | None = None,
        on_progress: ProgressCallback | None = None,
        on_preview: PreviewCallback | None = None,
    ) -> Image.Image:
        """Draw the last of `segments`, a picture, as `instruction` says.

        Arguments and errors are those of `read`, with denoising steps in the place of tokens.

        Args:
            store: Where the pictures are.
            segments: What the model sees before the text, in order: pictures, and texts where it takes them.
            instruction: What to change.
            sampler: How to draw.
            seed: Of the noise.
            thought: What the model wrote before it draws; empty for nothing.
            deadline: `time.monotonic()` after which nobody needs the result.
            on_progress: Called after each step, as in `read`.
            on_preview: Called as `on_preview(done, total, picture)` before it with what is drawn so far, on the same
                terms, by a model that declares `previews`; the drawing is the same with it and without.

        Raises:
            CapabilityError: The model does not edit pictures, or has no presets and one is named.
            UnknownNameError: It has other presets.
        """
        request = Request(
            group=DrawGroup(sampler),
            store=store,
            segments=tuple(segments),
            view="draw",
            text=instruction,
            seed=seed,
            thought=thought,
            deadline=deadline,
            on_progress=on_progress,
            on_preview=on_preview,
        )
        return cast(Image.Image, await self._answer(request))

    async def out_of_domain(
        self, store: ImageStore, picture: ImageRef, *, deadline: float | None = None
    ) -> float | None:
        """How far a picture lies from what the model was trained on, see `DomainModel.out_of_domain`.

        `None`, without a call, of a model that does not declare `domain`.

        Arguments and errors are those of `score`; the encoded picture is kept for what is asked about it next.

        Args:
            store: Where the picture is.
            picture: The one.
            deadline: `time.monotonic()` after which nobody needs the result.
        """
        if not (await self.ready()).capabilities.domain:
            return None
        request = Request(group=DomainGroup(), store=store, segments=(picture,), deadline=deadline)
        return cast(float | None, await self._answer(request))

    async def _answer(self, request: Request) -> object:
        model = await self.ready()
        check(request, model)
        request.reading = self._reading
        if not model.capabilities.drawing_view:
            request.view = "read"
        if isinstance(request.group, DrawGroup):
            request.group = DrawGroup(complete_sampler(model.capabilities, request.group.sampler, model.key))
        if not self.recall.entries or not model.capabilities.deterministic or isinstance(request.group, DrawGroup):
            found = await asyncio.wrap_future(self._submit(request))
        else:
            found = await self.recall.get(
                request.question, partial(self._submit, request), lambda: self._worker.tally.add(recalled=1)
            )
        charge(found.cost)
        return found.result

    def _submit(self, request: Request) -> Future[Answered]:
        self._worker.submit(request)
        return request.future


def _begin_anew() -> None:
    for engine in list(_ENGINES):
        engine.recall.begin_anew()
        engine._worker.begin_anew()


os.register_at_fork(after_in_child=_begin_anew)
