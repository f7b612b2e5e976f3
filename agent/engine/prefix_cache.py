"""Keeps what a model computed about pictures and texts, so that the steps of a run share it.

Keys are tuples of views and hashes in the order the model sees them: `(("read", "a"),)` is a picture as it is read,
`(("read", "a"), ("read", "b"))` that picture followed by its visual thought. The second was made by extending the
first, and keeps it alive.
"""

from __future__ import annotations

from collections import OrderedDict

from ..models.protocol import Prefix

PrefixKey = tuple[tuple[str, str], ...]
"""Of each segment in order how it is seen, the view and what values of reading were given, and its SHA-256."""


class PrefixCache:
    """Least-recently-used prefixes within a budget of bytes; for one thread.

    A prefix is kept only together with all its ancestors, and an ancestor always counts as used later than its
    descendants. So eviction takes leaves first, and the sum of the sizes is what the cache really keeps alive.

    Args:
        limit: Bytes that may be kept; 0 keeps nothing.
    """

    def __init__(self, limit: int) -> None:
        """Start empty."""
        self.limit = limit
        self.nbytes = 0
        self._prefixes: OrderedDict[PrefixKey, Prefix] = OrderedDict()

    def __len__(self) -> int:
        """How many prefixes are kept."""
        return len(self._prefixes)

    def longest(self, key: PrefixKey) -> tuple[PrefixKey, Prefix | None]:
        """The longest kept beginning of `key`, which may be all of it; `((), None)` when there is none."""
        for length in range(len(key), 0, -1):
            if key[:length] in self._prefixes:
                self._touch(key[:length])
                return key[:length], self._prefixes[key[:length]]
        return (), None

    def put(self, key: PrefixKey, prefix: Prefix) -> None:
        """Keep `prefix`, evicting what was not used for longest; skipped when it can never fit beside its ancestors."""
        ancestors = [key[:length] for length in range(1, len(key))]
        if not self.limit or key in self._prefixes or any(ancestor not in self._prefixes for ancestor in ancestors):
            return
        if prefix.nbytes + sum(self._prefixes[ancestor].nbytes for ancestor in ancestors) > self.limit:
            return
        self._prefixes[key] = prefix
        self.nbytes += prefix.nbytes
        self._touch(key)
        while self.nbytes > self.limit:
            _, evicted = self._prefixes.popitem(last=False)
            self.nbytes -= evicted.nbytes

    def clear(self) -> None:
        """Drop everything."""
        self._prefixes.clear()
        self.nbytes = 0

    def _touch(self, key: PrefixKey) -> None:
        """Mark `key` as just used, and after it each of its ancestors."""
        for length in range(len(key), 0, -1):
            self._prefixes.move_to_end(key[:length])
