"""What a batch of requests shows, as prefixes of the model."""

from __future__ import annotations

from typing import cast

from ..models.contract import check_result, check_results
from ..models.protocol import Prefix, ReadingModel, Segment, UnifiedModel
from .counters import Tally
from .prefix_cache import PrefixCache, PrefixKey
from .requests import Request, fail


def encode(model: UnifiedModel, batch: list[Request], cache: PrefixCache, tally: Tally) -> dict[PrefixKey, Prefix]:
    """Prefixes of all requests, from the cache or by extending what it has, all of one length together.

    Args:
        model: Encodes what is missing.
        batch: Requests with equally many segments and one view.
        cache: Is asked, and given what was made.
        tally: Counts hits, misses and calls.
    """
    prefixes: dict[PrefixKey, Prefix] = {}
    known: dict[PrefixKey, int] = {}
    for request in batch:
        beginning, prefix = cache.longest(request.key)
        known[request.key] = len(beginning)
        if prefix is not None:
            prefixes[beginning] = prefix
    misses = sum(length < len(key) for key, length in known.items())
    tally.add(prefix_hits=len(batch) - misses, prefix_misses=misses)
    for length in range(1, len(batch[0].segments) + 1):
        missing = {key[:length]: None for key, start in known.items() if start < length}
        opened = {key: _open(key, batch) for key in missing}
        segments = {key: segment for key, segment in opened.items() if segment is not None}
        if segments:
            pasts = [prefixes.get(key[:-1]) for key in segments]
            meters = [request.meter for request in batch if request.key[:length] in segments]
            with tally.call("extend", len(segments), meters):
                if reading := dict(batch[0].reading):
                    reader = cast(ReadingModel, model)
                    made = reader.extend(pasts, list(segments.values()), batch[0].view, reading)
                else:
                    made = model.extend(pasts, list(segments.values()), batch[0].view)
            check_results(model.key, "extend", made, len(segments))
            for key, prefix in zip(segments, made, strict=True):
                check_result(model.key, "extend", prefix)
                prefixes[key] = prefix
                cache.put(key, prefix)
    return prefixes


def _open(key: PrefixKey, batch: list[Request]) -> Segment | None:
    """The last segment of `key` for those requests that still need it; who named a store that fails is told so."""
    for request in batch:
        if request.key[: len(key)] == key and request.wanted():
            segment = request.segments[len(key) - 1]
            if isinstance(segment, str):
                return segment
            try:
                return request.store.open(segment)
            except Exception as error:  # whatever a damaged file raises is told to its one caller
                fail(request.future, error)
    return None
