"""Every arm against the direct answer, item by item."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import fmean

from ..grid.arms import DIRECT
from ..grid.records import Line
from ..running.results import Results
from ..statistics import Difference, Estimate, paired_difference, proportion, share_of_gain
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
        return difference(self.results, self.pairs(arm), items)

    def share_of(self, arm: str, best: str) -> Estimate | None:
        """Gain of an arm as a share of the gain of another, on the items of both and of the direct answer."""
        pairs, others = self.pairs(arm), self.pairs(best)
        items = [item for item in pairs if item in others and pairs[item][1] == others[item][1]]
        return share_of_gain(
            [pairs[item][0] for item in items],
            [others[item][0] for item in items],
            [pairs[item][1] for item in items],
            [self.results.cluster(item) for item in items],
        )


def difference(results: Results, pairs: Pairs, items: Collection[str] | None = None) -> Difference | None:
    """Compare the two scores of each item, of some or of all."""
    chosen = {item: pair for item, pair in pairs.items() if items is None or item in items}
    scores, baseline = [one for one, _ in chosen.values()], [other for _, other in chosen.values()]
    return paired_difference(scores, baseline, [results.cluster(item) for item in chosen])


def share(results: Results, scores: Mapping[str, float]) -> Estimate | None:
    """The mean of scores by item, with its interval."""
    return proportion(list(scores.values()), [results.cluster(item) for item in scores])


def arm_pairs(results: Results, arm: str, other: str) -> Pairs:
    """The scores of two arms on the items of both."""
    scores, others = results.scores(arm), results.scores(other)
    return {item: (score, others[item]) for item, score in scores.items() if item in others}


def own_direct(results: Results, lines: Collection[Line]) -> dict[str, float]:
    """Item to what the direct answers in some lines are worth."""
    values: dict[str, list[float]] = {}
    for line in lines:
        if line.direct_score is not None and not results.items[line.item].paraphrase_of:
            values.setdefault(line.item, []).append(line.direct_score)
    return {item: fmean(scores) for item, scores in values.items()}
