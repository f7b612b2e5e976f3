"""What is drawn so far, for whoever watches a run from its own process.

Previews go from the model straight to the caller of `aask`, past the graph: no state, trace, checkpoint or stream of
LangGraph ever holds one. Who watches is kept in a context variable, which the nodes of a run inherit from its caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from PIL import Image

from ..models.protocol import PreviewCallback


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A visual thought before it is finished."""

    step: str
    """Which draws it: `generate`, or `decide` for a policy that draws on trial."""
    round: int
    """1 for the first."""
    done: int
    """Denoising steps done, from 1."""
    total: int
    """Of so many."""
    picture: Image.Image
    """RGB; as large as the model likes."""


OnPreview = Callable[[Preview], None]
"""Gets a preview, on the event loop's thread."""

_WATCHER: ContextVar[OnPreview | None] = ContextVar("g2u-previews", default=None)


@contextmanager
def watched(on_preview: OnPreview | None) -> Iterator[None]:
    """Hand the previews of all that is drawn inside to `on_preview`, on the thread of the running event loop.

    Args:
        on_preview: `None` for nobody.
    """
    loop = asyncio.get_running_loop()
    token = _WATCHER.set(on_preview and (lambda preview: _hand_over(loop, on_preview, preview)))
    try:
        yield
    finally:
        _WATCHER.reset(token)


def preview_callback(step: str, number: int) -> PreviewCallback | None:
    """What a drawing of a round is to be told of each step, on any thread; `None` where nobody watches.

    Args:
        step: Of the loop.
        number: Of the round.
    """
    watcher = _WATCHER.get()
    if watcher is None:
        return None
    return lambda done, total, picture: watcher(
        Preview(step=step, round=number, done=done, total=total, picture=picture)
    )


def _hand_over(loop: asyncio.AbstractEventLoop, on_preview: OnPreview, preview: Preview) -> None:
    loop.call_soon_threadsafe(on_preview, preview)
