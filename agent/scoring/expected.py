"""What is expected of an answer, and what an answer is worth against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What an answer is held against."""

    answers: tuple[str, ...]
    """Accepted ones, at least one; the first is the one that is shown."""
    options: tuple[str, ...] = ()
    """What could be answered, in the order shown; empty for a free answer."""
    scorer: str = ""
    """`NAME` or `NAME:ARGUMENT`, see `scorers.SCORERS`; empty for the one that fits the answers."""


@dataclass(frozen=True)
class Score:
    """What an answer is worth."""

    value: float
    """From 0, wrong, to 1, right."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """What it is made of, by name, where a scorer tells that."""

    @property
    def right(self) -> bool:
        """Whether it is worth all that it can be."""
        return self.value >= 1.0
