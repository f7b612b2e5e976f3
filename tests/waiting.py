"""What a test waits for: progress, never a clock that a busy machine outruns."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

HUNG: Final = 600.0
"""Seconds after which a test has hung: far more than a busy machine takes, so no other test ends by it."""


def wait_until(ready: Callable[[], object], every: float = 0.002) -> None:
    """Return once `ready()` is true, which is asked again and again, with so many seconds between."""
    until = time.monotonic() + HUNG
    while not ready():
        assert time.monotonic() < until, "nothing happened"
        time.sleep(every)


class Clock:
    """Moves the clocks of this process on, as if time had passed, for what ends by a deadline."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._monotonic, self._time = time.monotonic, time.time

    def monotonic(self) -> float:
        return self._monotonic() + self.ahead

    def time(self) -> float:
        return self._time() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds


@contextmanager
def interruptible(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process that SIGINT ends as Ctrl-C does; it is killed where it outlives the block.

    A process that ignores the signal, as one does that a script started with `&`, hands that on to its children; what
    it has a handler for is back at the default in them.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, **options)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        try:
            yield process
        finally:
            process.kill()
