"""Who draws a visual thought: the model itself, unless a graph is built with another drawer.

A drawer is a plain function, given to `build_graph`. A study hands over drawers of its own: controls, which put
something else in the place of the thought, and one that finds drawings again that were made before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ..edits.library import EditCall
from ..engine.engine import Engine
from ..engine.requests import ProgressCallback
from ..models.protocol import PreviewCallback, Sampler
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One visual thought to be drawn, and all that a drawer may know."""

    engine: Engine
    store: ImageStore
    pictures: Sequence[ImageRef]
    """Of the question, in order."""
    question: str
    """Its stem."""
    segments: Sequence[ImageRef | str]
    """What the drawer sees, in order; the last is the picture to be edited. Of several pictures it sees none but
    that one, so that a drawing is the same whatever else was asked about, and is made as the model learned it."""
    call: EditCall
    instruction: str
    plan: str = ""
    """What the model wrote before; empty where it does not think."""
    sampler: Sampler
    """Complete."""
    seed: int
    deadline: float | None = None
    """In `time.monotonic()` seconds."""
    on_progress: ProgressCallback | None = None
    on_preview: PreviewCallback | None = None

    @property
    def original(self) -> ImageRef:
        """The picture of the question that is edited, as it was asked about."""
        return self.pictures[self.call.place]

    @property
    def source(self) -> ImageRef:
        """The picture to be edited: the original, or the last kept thought of it."""
        last = self.segments[-1]
        assert isinstance(last, ImageRef), "what is drawn on is a picture"
        return last


Drawer = Callable[[Drawing], Awaitable[ImageRef]]
"""Draws, and puts the picture into the store. A `DeadlineError` that it raises ends the round, and the answer comes."""


async def draw_with_model(drawing: Drawing) -> ImageRef:
    """The model draws."""
    image = await drawing.engine.draw(
        drawing.store,
        drawing.segments,
        drawing.instruction,
        drawing.sampler,
        drawing.seed,
        thought=drawing.plan,
        deadline=drawing.deadline,
        on_progress=drawing.on_progress,
        on_preview=drawing.on_preview,
    )
    return await asyncio.to_thread(drawing.store.add_image, image)
