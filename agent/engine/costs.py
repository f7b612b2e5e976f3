"""What a piece of work cost the model, whoever else it worked for at the same time.

The time of a batch is shared among its requests, and a result that was had before counts as what it cost then. So the
cost of an answer is what it takes to have it alone, however long it waited, and whatever it shared with others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the model did."""

    drawings: int = 0
    tokens: int = 0
    """That it wrote, end tokens counted."""
    seconds: float = 0.0
    """Wall time inside the model: of each batch the share of one request."""

    def plus(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(
            drawings=self.drawings + other.drawings,
            tokens=self.tokens + other.tokens,
            seconds=self.seconds + other.seconds,
        )


class Answered(NamedTuple):
    """What came of a request, and what it cost."""

    result: object
    cost: Cost


class Meter:
    """Adds up costs, from any number of tasks and threads."""

    def __init__(self) -> None:
        """Start from nothing."""
        self.cost = Cost()
        self._lock = threading.Lock()

    def add(self, cost: Cost) -> None:
        """Count so much more."""
        with self._lock:
            self.cost = self.cost.plus(cost)


_METER: ContextVar[Meter | None] = ContextVar("g2u_meter", default=None)


@contextmanager
def metered() -> Iterator[Meter]:
    """Count what is asked of any engine inside, also in tasks that are begun there; a meter around it stands still."""
    meter = Meter()
    token = _METER.set(meter)
    try:
        yield meter
    finally:
        _METER.reset(token)


def charge(cost: Cost) -> None:
    """Count a cost for whoever is metered here."""
    if (meter := _METER.get()) is not None:
        meter.add(cost)
