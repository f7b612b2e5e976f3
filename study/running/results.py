"""A study read back: its grid, its questions and its lines, in the shapes that tables need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean

from ..grid.arms import Arm
from ..grid.records import Header, ItemRecord, Line
from .jobs import jobs, parts_of


@dataclass(frozen=True)
class Results:
    """All that a study has found so far."""

    folder: Path
    """Of the study; its pictures are in `folder / "pictures"`, an `ImageStore`."""
    header: Header
    items: Mapping[str, ItemRecord]
    """By id, paraphrases among them."""
    lines: Sequence[Line]
    """In the order of arms, items and seeds, whatever the order in which they were written."""

    @property
    def arms(self) -> Sequence[Arm]:
        """Those that ran, in the study's order."""
        return [arm for arm in self.header.study.arms if arm.name not in self.header.skipped]

    @cached_property
    def by_arm(self) -> Mapping[str, Sequence[Line]]:
        """Arm to its lines about items of their own: without paraphrases and without what was left out."""
        found: dict[str, list[Line]] = {arm.name: [] for arm in self.arms}
        for line in self.lines:
            if not line.left_out and not self.items[line.item].paraphrase_of:
                found[line.arm].append(line)
        return found

    @cached_property
    def by_key(self) -> Mapping[tuple[str, str, int], Line]:
        """Arm, item and seed to the line."""
        return {line.key: line for line in self.lines}

    @cached_property
    def asked(self) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Arm to the items and seeds that it is to answer, arms that cannot be asked among them.

        A study that grew is not always one grid: an arm may have more seeds or items than another.
        """
        found: dict[str, list[tuple[str, int]]] = {arm.name: [] for arm in self.header.study.arms}
        items = list(self.items.values())
        for job in jobs(self.header.study.arms, items, parts_of(self.header, items)):
            found[job.arm.name].append((job.item.id, job.seed))
        return found

    @property
    def expected(self) -> int:
        """Answers that are asked of arms that can be."""
        return sum(len(self.asked[arm.name]) for arm in self.arms)

    @property
    def missing(self) -> int:
        """Those of them that are not there yet."""
        return sum((arm.name, *one) not in self.by_key for arm in self.arms for one in self.asked[arm.name])

    @property
    def unasked(self) -> Mapping[str, tuple[str, int]]:
        """Arms that the model cannot be asked: why, and of how many answers."""
        return {arm: (reason, len(self.asked[arm])) for arm, reason in self.header.skipped.items()}

    @cached_property
    def by_seed(self) -> Mapping[str, Mapping[str, Mapping[int, float]]]:
        """Arm to item to seed to what the answer is worth; a failure is worth nothing.

        Items that were left out or have no value yet are absent, and so are paraphrases.
        """
        found: dict[str, dict[str, dict[int, float]]] = {}
        for arm, lines in self.by_arm.items():
            values = found[arm] = {}
            for line in lines:
                if not line.unscored:
                    values.setdefault(line.item, {})[line.seed] = line.score
        return found

    def scores(self, arm: str) -> dict[str, float]:
        """Item to what the answers of an arm are worth, the mean over its seeds.

        A failure is worth nothing; items that were left out or have no value yet are absent.
        """
        return {item: fmean(scores.values()) for item, scores in self.by_seed[arm].items()}

    def cluster(self, item: str) -> str:
        """What an item belongs to, itself where it names nothing: the units that statistics resample."""
        return self.items[item].cluster or item

    @property
    def clustered(self) -> bool:
        """Whether any items belong together."""
        return any(item.cluster for item in self.items.values())
