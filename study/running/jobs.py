"""The answers that a study is to have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..grid.arms import Arm, Study
from ..grid.records import Header, ItemRecord, Part


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


def jobs(arms: Sequence[Arm], items: Sequence[ItemRecord], parts: Sequence[Part]) -> Iterator[Job]:
    """Every answer of a study once, item by item, so that arms share what is computed of a picture.

    A question in other words is asked once, of the arms that choose: it shows whether they choose alike.

    Args:
        arms: Those to ask, a part of those of the study.
        items: All of the study's; one in other words comes after its item.
        parts: What is asked, in any order; they may overlap.
    """
    number = -1
    for item in items:
        number += not item.paraphrase_of
        for arm in arms:
            if item.paraphrase_of and not arm.chooses:
                continue
            seeds = max((part.seeds for part in parts if number < part.items and arm.name in part.arms), default=0)
            once = item.paraphrase_of or arm.seeds == "first"
            yield from (Job(arm, item, seed) for seed in range(min(seeds, 1) if once else seeds))


def parts_of(header: Header, items: Sequence[ItemRecord]) -> list[Part]:
    """The parts of a study, also where it is one whole grid."""
    return list(header.asked) or [whole(header.study, items)]


def whole(study: Study, items: Sequence[ItemRecord]) -> Part:
    """Every arm on every item with every seed."""
    return Part(arms=[arm.name for arm in study.arms], items=count_own(items), seeds=study.seeds)


def count_own(items: Sequence[ItemRecord]) -> int:
    """Items of their own, not asked in other words."""
    return sum(not item.paraphrase_of for item in items)
