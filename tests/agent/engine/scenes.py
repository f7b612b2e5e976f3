"""What a scripted model says and draws, and how its engine is kept busy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from PIL import Image

from g2u.engine.engine import Engine
from g2u.models.protocol import Sampler
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from tests.scripted import Pictures, ScriptedModel
from tests.waiting import HUNG

TWO_STEPS = Sampler(steps=2)


def tint(image: Image.Image, instruction: str, seed: int) -> Image.Image:
    return Image.new("RGB", image.size, (seed, len(instruction), image.getpixel((0, 0))[0]))  # type: ignore[index]


def describe(text: str, pictures: Pictures) -> str:
    return f"{text} {[picture.getpixel((0, 0)) for picture in pictures]}"


class Gate:
    """Holds the engine's thread inside the first model call (or step) that it is asked about, until opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def hold(self, *_: object) -> None:
        if not self.reached.is_set():
            self.reached.set()
            assert self.opened.wait(HUNG)

    async def wait(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, HUNG)


async def queued() -> None:
    """Let the tasks of this loop run as far as they get without the engine's thread."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def busy(engine: Engine, model: ScriptedModel, store: ImageStore, ref: ImageRef) -> AsyncIterator[None]:
    """Keep the engine in a draw of `ref` until the block ends, so that what the block asks for queues up."""
    gate = Gate()
    model.before = lambda call: gate.hold() if call.kind == "draw" else None
    first = asyncio.create_task(engine.draw(store, [ref], "hold", TWO_STEPS, 0))
    await gate.wait()
    try:
        yield
        await queued()
    finally:
        gate.opened.set()
    await first
