"""Answers of a deterministic model that were had before, so that a study asks each question once.

Arms of a study share most of what they ask: the direct answer, the first decision, the verdict on the same thought.
A result is kept from the moment its request is queued, so that callers who ask the same at the same time share one
request.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Recall(Generic[T]):
    """Results by what was asked, the least recently used ones forgotten first.

    Args:
        entries: Results kept at most; 0 keeps none.
    """

    def __init__(self, entries: int = 0) -> None:
        """Nothing is kept yet."""
        self.entries = entries
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything, also whoever holds the lock: in a forked process nobody finishes what is asked."""
        self._known: OrderedDict[Hashable, Future[T]] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def keeping(self, entries: int) -> Iterator[None]:
        """Keep as many results at least for a while; afterwards as many as before, and no others."""
        before, self.entries = self.entries, max(entries, self.entries)
        try:
            yield
        finally:
            self.entries = before
            with self._lock:
                while len(self._known) > before:
                    self._known.popitem(last=False)

    async def get(self, key: Hashable, ask: Callable[[], Future[T]], recalled: Callable[[], None]) -> T:
        """The result for `key`.

        Args:
            key: What is asked.
            ask: Queues the request; called only where nobody has asked yet.
            recalled: Called where somebody has.
        """
        while True:
            with self._lock:
                shared = self._known.get(key)
                own = shared is None
                if shared is None:
                    shared = self._known[key] = ask()
                    while len(self._known) > self.entries:
                        self._known.popitem(last=False)
                else:
                    self._known.move_to_end(key)
            try:
                # The request of another caller must not end with this one.
                result = await (asyncio.wrap_future(shared) if own else asyncio.shield(asyncio.wrap_future(shared)))
            except BaseException:  # an end is forgotten like an error: who asks next asks anew
                with self._lock:
                    if self._known.get(key) is shared:
                        del self._known[key]
                task = asyncio.current_task()
                if own or not shared.done() or (task and task.cancelling()):
                    raise  # its own error, or its own end
                continue  # the other caller's deadline or end: ask anew
            if not own:
                recalled()
            return result
