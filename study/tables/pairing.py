"""Every arm against the direct answer, item by item."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import fmean

from ..grid.arms import DIRECT
from ..grid.records import Line
from ..running.answering import is_right
from ..running.results import Results
from ..statistics import Difference, paired_difference
from .cells import counted

Pairs = Mapping[str, tuple[float, float]]
"""Item to two scores: that of an arm and that of what it is compared with."""


@dataclass(frozen=True)
class Pairing:
    """The direct answers of a study, and every arm beside them."""

    results: Results
    direct: Mapping[str, float]
    """Item to the score of the direct answer; items without one are absent."""
    own: bool
    """There is no arm `direct`: each arm is compared with the direct answers in its own lines."""
    about: str
    """What was compared with what, in a sentence or two."""

    @staticmethod
    def of(results: Results) -> Pairing:
        """The pairing of a study.

        Items whose direct answer failed are in no comparison: counted as wrong they would make gains of failures.
        """
        if DIRECT not in results.by_arm:
            about = (
                f"There is no arm {DIRECT!r}; each arm is compared with the answers from the original alone that its "
                "own lines hold."
            )
            return Pairing(results, own_direct(results, results.lines), own=True, about=about)
        failed = {line.item for line in results.by_arm[DIRECT] if line.error}
        direct = {item: score for item, score in results.scores(DIRECT).items() if item not in failed}
        about = f"Gains are over the arm {DIRECT!r}, on the items that both have."
        if failed:
            about += f" {counted(len(failed), 'item')} whose direct answer failed: in no gain."
        return Pairing(results, direct, own=False, about=about)

    def pairs(self, arm: str) -> Pairs:
        """The scores of an arm beside the direct ones, on the items of both; means over seeds."""
        direct = self.direct
        if self.own:  # an arm that thinks has other direct answers than one that does not
            direct = {**direct, **own_direct(self.results, self.results.by_arm[arm])}
        scores = self.results.scores(arm)
        return {item: (score, direct[item]) for item, score in scores.items() if item in direct}

    def gain(self, arm: str, items: Collection[str] | None = None) -> Difference | None:
        """Gain of an arm over the direct answer.

        Args:
            arm: Its name.
            items: Ids to look at; `None`: all.
        """
        return difference(self.pairs(arm), items)


def difference(pairs: Pairs, items: Collection[str] | None = None) -> Difference | None:
    """Compare the two scores of each item, of some or of all."""
    chosen = [pair for item, pair in pairs.items() if items is None or item in items]
    return paired_difference([one for one, _ in chosen], [other for _, other in chosen])


def arm_pairs(results: Results, arm: str, other: str) -> Pairs:
    """The scores of two arms on the items of both."""
    scores, others = results.scores(arm), results.scores(other)
    return {item: (score, others[item]) for item, score in scores.items() if item in others}


def directly_right(results: Results, line: Line) -> bool | None:
    """Whether the direct answer in a line is the right one, by the rule of all answers; `None` where there is none."""
    return None if line.direct is None else is_right(line.direct, results.items[line.item])


def own_direct(results: Results, lines: Collection[Line]) -> dict[str, float]:
    """Item to the share of right direct answers in some lines."""
    rights: dict[str, list[bool]] = {}
    for line in lines:
        right = directly_right(results, line)
        if right is not None and not results.items[line.item].paraphrase_of:
            rights.setdefault(line.item, []).append(right)
    return {item: fmean(values) for item, values in rights.items()}
