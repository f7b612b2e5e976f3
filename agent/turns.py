"""Runs that wait for one another: so many at the same time, and so many more in the queue for a place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from .errors import BusyError

JOBS: Final = 16
"""Runs at the same time where nobody says how many."""
MOST_WAITING: Final = 64
"""Runs that may wait for a place."""


class Turns:
    """Places for runs, given out in the order of asking; all of one event loop.

    Args:
        jobs: Runs at the same time.
        most_waiting: Runs that may wait for a place.
    """

    def __init__(self, jobs: int = JOBS, most_waiting: int = MOST_WAITING) -> None:
        """All places are free."""
        self.waiting = 0
        self._most_waiting = most_waiting
        self._places = asyncio.Semaphore(jobs)

    @asynccontextmanager
    async def turn(self, on_wait: Callable[[int], None] = lambda ahead: None) -> AsyncIterator[None]:
        """Wait for a place and hold it until the end of the block.

        Args:
            on_wait: Told how many wait already, where there is no place yet.

        Raises:
            BusyError: As many wait as may.
        """
        if self._places.locked():
            if self.waiting >= self._most_waiting:
                message = f"This server is busy: all of its places are taken, and {self.waiting} runs wait for one."
                raise BusyError(message, "Ask again in a minute.")
            on_wait(self.waiting)
        self.waiting += 1
        try:
            await self._places.acquire()
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self._places.release()
