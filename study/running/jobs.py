"""The answers that a study is to have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..grid.arms import Arm
from ..grid.records import ItemRecord


@dataclass(frozen=True)
class Job:
    """One answer to be had."""

    arm: Arm
    item: ItemRecord
    seed: int

    @property
    def key(self) -> tuple[str, str, int]:
        """As that of its line."""
        return self.arm.name, self.item.id, self.seed


def jobs(arms: Sequence[Arm], items: Sequence[ItemRecord], seeds: int) -> Iterator[Job]:
    """Every answer of a study, item by item, so that arms share what is computed of a picture.

    A question in other words is asked once, of the arms that choose: it shows whether they choose alike.
    """
    for item in items:
        for arm in arms:
            if item.paraphrase_of and not arm.chooses:
                continue
            once = item.paraphrase_of or arm.seeds == "first"
            yield from (Job(arm, item, seed) for seed in range(1 if once else seeds))
