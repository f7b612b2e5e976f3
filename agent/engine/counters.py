"""What engines and runs did so far, as plain numbers; those of engines can be subtracted."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from .costs import Cost, Meter


@dataclass(frozen=True, kw_only=True)
class Work:
    """Calls of one kind into the model."""

    batches: int = 0
    """Calls, those that failed or were repeated included."""
    requests: int = 0
    """Requests (for `extend`: pictures and texts) that the calls carried together."""
    largest_batch: int = 0
    """Most requests that one call carried."""
    seconds: float = 0.0
    """Wall time inside the model."""

    def plus(self, size: int, seconds: float) -> Work:
        """One more call, of `size` requests."""
        return Work(
            batches=self.batches + 1,
            requests=self.requests + size,
            largest_batch=max(self.largest_batch, size),
            seconds=self.seconds + seconds,
        )

    def since(self, earlier: Work) -> Work:
        """What came after `earlier`."""
        return replace(
            self,
            batches=self.batches - earlier.batches,
            requests=self.requests - earlier.requests,
            seconds=self.seconds - earlier.seconds,
        )


@dataclass(frozen=True, kw_only=True)
class Counters:
    """Everything that an engine did since it was made, or since `earlier`."""

    extend: Work = Work()
    read: Work = Work()
    score: Work = Work()
    draw: Work = Work()
    domain: Work = Work()
    prefix_hits: int = 0
    """Requests whose segments were all encoded already, for themselves or for another request of their batch."""
    prefix_misses: int = 0
    """Requests for which at least one segment had to be encoded."""
    tokens: int = 0
    """That readings wrote, those that ended a text among them."""
    recalled: int = 0
    """Requests that were answered from an earlier result, without the model."""
    cancelled: int = 0
    """Requests that nobody waited for any more."""
    expired: int = 0
    """Requests whose deadline was over."""
    out_of_memory: int = 0
    """Batches that did not fit into memory."""
    hung: int = 0
    """Calls from which the model did not come back."""

    @property
    def calls(self) -> int:
        """Calls into the model, of every kind."""
        return sum(work.batches for work in self._works())

    @property
    def requests(self) -> int:
        """Requests that those calls carried, encodings of pictures not counted."""
        return self.read.requests + self.score.requests + self.draw.requests + self.domain.requests

    @property
    def largest_batch(self) -> int:
        """Most requests that one call carried."""
        return max(work.largest_batch for work in self._works())

    @property
    def pictures_encoded(self) -> int:
        """Pictures, and texts between them, that went through `extend`; once for each view."""
        return self.extend.requests

    @property
    def busy_seconds(self) -> float:
        """Wall time inside the model, of every kind."""
        return sum(work.seconds for work in self._works())

    def since(self, earlier: Counters) -> Counters:
        """What came after `earlier`; the largest batches stay those of the whole time."""
        return Counters(
            extend=self.extend.since(earlier.extend),
            read=self.read.since(earlier.read),
            score=self.score.since(earlier.score),
            draw=self.draw.since(earlier.draw),
            domain=self.domain.since(earlier.domain),
            prefix_hits=self.prefix_hits - earlier.prefix_hits,
            prefix_misses=self.prefix_misses - earlier.prefix_misses,
            tokens=self.tokens - earlier.tokens,
            recalled=self.recalled - earlier.recalled,
            cancelled=self.cancelled - earlier.cancelled,
            expired=self.expired - earlier.expired,
            out_of_memory=self.out_of_memory - earlier.out_of_memory,
            hung=self.hung - earlier.hung,
        )

    def _works(self) -> tuple[Work, ...]:
        return self.extend, self.read, self.score, self.draw, self.domain


_STEPS: dict[str, Work] = {}
_LOCK = threading.Lock()
# A forked process must not find it held by a thread that it does not have.
os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


def count_step(step: str, seconds: float) -> None:
    """Count one more step of a run in this process.

    Args:
        step: `decide`, `generate`, `reflect` or `answer`.
        seconds: Its wall time, waiting for the model included.
    """
    with _LOCK:
        _STEPS[step] = _STEPS.get(step, Work()).plus(1, seconds)


def steps_done() -> dict[str, Work]:
    """The steps of all runs of this process by their names, a step counted as a call of one request."""
    with _LOCK:
        return dict(_STEPS)


class Tally:
    """Counters that several threads add to."""

    def __init__(self) -> None:
        """Start from nothing."""
        self.counters = Counters()
        self._lock = threading.Lock()

    def add(self, **more: int) -> None:
        """Raise the plain counts of these names."""
        with self._lock:
            now = self.counters
            self.counters = replace(now, **{name: getattr(now, name) + number for name, number in more.items()})

    @contextmanager
    def call(
        self, kind: Literal["extend", "read", "score", "draw", "domain"], size: int, meters: Sequence[Meter]
    ) -> Iterator[None]:
        """Count what runs inside as one call of the model with `size` requests, also when it fails.

        Its time is shared equally among `meters`, those of the requests that it is made for.
        """
        began = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            with self._lock:
                self.counters = replace(self.counters, **{kind: getattr(self.counters, kind).plus(size, seconds)})
            for meter in meters:
                meter.add(Cost(seconds=seconds / len(meters)))
