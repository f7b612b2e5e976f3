"""What a kit makes of the answers to a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Metrics = dict[str, dict[str, float]]
"""Split or category to name to value, in the kit's own units; where the kit knows no splits, the one of `NO_SPLIT`."""
NO_SPLIT = "none"
"""As VLMEvalKit calls the one split of a file without any."""


@dataclass(frozen=True)
class Case:
    """A row and what was answered to it, as a kit sees them."""

    index: str
    cells: Mapping[str, Any]
    """By column, without those that the kit takes for empty; text, or a number where the kit reads one."""
    answer: Any
    """The right one; `None` where there is none."""
    prediction: Any
    """Text, or a number where the kit reads one."""

    def cell(self, name: str) -> str:
        """A cell as text; empty where the kit sees none."""
        return str(self.cells.get(name, ""))


@dataclass(frozen=True)
class Reading:
    """What was found in an answer."""

    label: str | None
    """What the answer says; `None`: nothing could be read."""
    hit: float
    """What it is worth, 0 to 1."""
    prefetched: bool = True
    """Whether no judge was needed for it."""


@dataclass(frozen=True)
class Item:
    """One row, scored."""

    index: str
    extracted: str | None
    """The label that was read; `None`: nothing could be read, and nothing is put in its place."""
    hit: float
    """0 to 1; of an item that waits for a judge 0, see `unjudged`."""
    unparsed: bool
    """Whether nothing could be read."""
    unjudged: str = ""
    """Why it has no value yet: a judge that could not be reached; empty where it has one."""


@dataclass(frozen=True)
class Scored:
    """The scores of a benchmark by one rule."""

    rule: str
    """The kit's name and its rule, such as `vlmevalkit-2026-08: choices`; with a judge, its name as well."""
    metrics: Metrics
    """As the kit prints them; empty where it prints none, see `problem`."""
    main: Mapping[str, float]
    """The few that are quoted, by name: percentages, of MME points."""
    items: Sequence[Item]
    """In the order of the rows; of those that have a prediction."""
    groups: Mapping[str, bool] = field(default_factory=dict)
    """Where several rows count as one: the first one's index to whether all are right."""
    problem: str = ""
    """Why the kit gives no figure for these answers, as a sentence; empty where it does."""
    missing: Sequence[str] = ()
    """Indices of rows without a prediction; they are not counted."""
    strange: Sequence[str] = ()
    """Indices of predictions for no row of the benchmark; no kit counts them."""

    @property
    def unparsed(self) -> int:
        """Answers in which nothing could be read."""
        return sum(item.unparsed for item in self.items)

    @property
    def unjudged(self) -> int:
        """Answers that have no value yet, and are in no figure."""
        return sum(bool(item.unjudged) for item in self.items)
