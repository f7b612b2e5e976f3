"""Cards: the answers of a study one by one, each beside the direct one, and what they can be found by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from g2u.state import Answer

from ..grid.arms import DIRECT
from ..grid.records import ItemRecord, Line
from ..running.results import Results
from ..tables.choices import shown_drawing

OUTCOMES: Final = (
    "fixed",
    "broken",
    "both right",
    "both partly right",
    "both wrong",
    "failed",
    "not scored",
    "not compared",
    "left out",
)
"""Of an answer against the direct one to the same item, in the order of the filters."""
VERDICTS: Final = ("keep", "retry", "discard", "not judged", "nothing drawn")
"""On the thought that a card shows, in the order of the filters."""
RESERVED: Final = ("outcome", "edit", "arm", "seed", "verdict", "wording", "text")
"""Filters of every gallery; a group of the items with such a name is written `group.NAME` in addresses."""


@dataclass(frozen=True)
class Side:
    """One answer of a card, with the answer that it is compared with."""

    title: str
    line: Line
    outcome: str
    before: Answer | None
    before_right: bool


@dataclass(frozen=True)
class Card:
    """What the gallery shows of one item: an answer, or the two of a comparison."""

    item: ItemRecord
    sides: Sequence[Side]
    outcome: str

    @property
    def facets(self) -> Mapping[str, Sequence[str]]:
        """What it is found by: the values of each filter."""
        lines = [side.line for side in self.sides]
        rounds = [turn for line in lines for turn in line.rounds]
        found = {"outcome": [self.outcome]}
        found |= {f"group.{name}" if name in RESERVED else name: [value] for name, value in self.item.groups.items()}
        found["edit"] = _unique([turn.decision.edit for turn in rounds] or ["none"])
        found["arm"] = _unique(line.arm for line in lines)
        found["seed"] = _unique(str(line.seed) for line in lines)
        found["verdict"] = _unique(map(_verdict, lines))
        found["wording"] = ["other words" if self.item.paraphrase_of else "own words"]
        return found


def cards_of(results: Results) -> list[Card]:
    """A card for each answer of a study; direct ones are on the cards of the other arms, where there are any."""
    others = any(arm.name != DIRECT for arm in results.arms)
    lines = [line for line in results.lines if line.arm != DIRECT or not others]
    sides = [side_of(results, line, f"{line.arm}, seed {line.seed}") for line in lines]
    return [Card(results.items[side.line.item], [side], side.outcome) for side in sides]


def side_of(results: Results, line: Line, title: str) -> Side:
    """An answer beside the direct one: that of the arm `direct`, or of the line itself where there is no such arm."""
    other = results.by_key.get((DIRECT, line.item, line.seed)) or results.by_key.get((DIRECT, line.item, 0))
    before, was = line.direct, line.direct_score
    if other is not None:
        before, was = other.answer, None if other.error or other.unscored else other.score
    if line.left_out:
        outcome = "left out"
    elif line.error or line.answer is None:
        outcome = "failed"
    elif line.unscored:
        outcome = "not scored"
    elif was is None:  # its direct answer failed: counted as wrong, it would make gains of failures
        outcome = "not compared"
    elif line.score != was:
        outcome = "fixed" if line.score > was else "broken"
    else:
        outcome = "both right" if line.right else "both partly right" if line.score else "both wrong"
    return Side(title, line, outcome, before, was is not None and was >= 1.0)


def _verdict(line: Line) -> str:
    if (shown := shown_drawing(line)) is None:
        return "nothing drawn"
    return shown.verdict.action if shown.verdict else "not judged"


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def pairs_of(a: Results, b: Results) -> tuple[list[Card], int]:
    """A card for each answer that is right in one of two studies alone, and how many answers are in both."""
    cards, paired = [], 0
    for line in a.lines:
        other = b.by_key.get(line.key)
        if other is None or not a.items[line.item].asks_the_same(b.items[line.item]):
            continue
        if any(one.left_out or one.unscored for one in (line, other)):
            continue
        paired += 1
        if line.score != other.score:
            sides = [
                side_of(a, line, f"A: {line.arm}, seed {line.seed}"),
                side_of(b, other, f"B: {line.arm}, seed {line.seed}"),
            ]
            cards.append(Card(a.items[line.item], sides, f"{'A' if line.score > other.score else 'B'} better"))
    return cards, paired
