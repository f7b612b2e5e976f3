"""A run that the page watches: started by a request, told as events, stopped when the client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ..asking import aask
from ..state import Context
from ..turns import Turns
from .asked import Asked
from .events import BEAT, event_of, event_of_preview, sent
from .problems import problem_of

BEAT_SECONDS: Final = 15.0
"""Longest silence of a stream."""

_RUNNING: set[asyncio.Task[None]] = set()
"""Runs that are under way; the event loop itself keeps no task alive."""


class Watched:
    """A run under way, and what is still to be told of it.

    Args:
        asked: The question.
        context: Settings of the server.
        runs: Folder in which the run's own is made.
        turns: It begins when it has a place there.
    """

    def __init__(self, asked: Asked, context: Context, runs: Path, turns: Turns) -> None:
        """Start it."""
        self._told: asyncio.Queue[dict[str, Any] | Exception | None] = asyncio.Queue()
        self._first: dict[str, Any] = {}
        self._task = asyncio.create_task(self._run(asked, context, runs, turns))
        _RUNNING.add(self._task)
        self._task.add_done_callback(_RUNNING.discard)

    async def begun(self) -> None:
        """Wait until it is under way, or in the queue for it.

        Raises:
            G2UError: It cannot be, as something asked cannot be used, or too many runs wait.
        """
        try:
            first = await self._told.get()
        except asyncio.CancelledError:
            self.stop()
            raise
        if isinstance(first, Exception):
            raise first
        assert first is not None, "a run tells that it waits, its header, or why it has none"
        self._first = first

    def stop(self) -> None:
        """Cancel it, if it is not over; a drawing ends between two of its steps."""
        self._task.cancel()

    async def stream(self) -> AsyncIterator[bytes]:
        """All that happens, as server-sent events; a failure is the last of them."""
        event: dict[str, Any] | Exception | None = self._first
        while event is not None:
            yield sent({"kind": "problem"} | problem_of(event) if isinstance(event, Exception) else event)
            while True:
                try:
                    event = await asyncio.wait_for(self._told.get(), BEAT_SECONDS)
                    break
                except TimeoutError:
                    yield BEAT

    async def _run(self, asked: Asked, context: Context, runs: Path, turns: Turns) -> None:
        tell = self._told.put_nowait
        try:
            async with turns.turn(lambda ahead: tell({"kind": "waiting", "ahead": ahead})):
                await aask(
                    asked.references,
                    asked.question,
                    options=asked.options,
                    context=asked.settings.over(context),
                    out=runs,
                    on_event=lambda event: tell({"kind": "step"} | dict(event)),
                    on_record=lambda record: tell(event_of(record, context.model)),
                    on_preview=lambda preview: tell(event_of_preview(preview)),
                )
        except Exception as error:  # whatever ends the run is the last event of its stream
            tell(error)
        finally:
            tell(None)


class RunResponse(StreamingResponse):
    """The events of a run. When nobody reads them any more, for whatever reason, the run is stopped.

    Args:
        watched: The run, under way.
    """

    def __init__(self, watched: Watched) -> None:
        """Stream it, past all caches and buffers."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(watched.stream(), media_type="text/event-stream", headers=headers)
        self._watched = watched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and stop the run in the end."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._watched.stop()
