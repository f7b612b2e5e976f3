"""What `g2u doctor` looks at, one thing at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    good: bool
    found: str


Examiner = Callable[[str, str], Iterator[Check]]
"""Called as `examine(key, weights)`, with a registry key and a folder or nothing: looks whether a model can run here,
without loading it."""
