"""Every arm against the direct answer, item by item."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from ..grid.arms import DIRECT
from ..grid.records import Line
from ..running.results import Results
from ..statistics import Difference, Estimate, paired_difference, proportion, share_of_gain
from .table import counted

BySeed = Mapping[str, Mapping[int, float]]
"""Item to seed to score."""
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
        pairing = Pairing(results, direct, own=False, about=about)
        if alone := [told for arm in results.arms if (told := pairing._alone(arm.name))]:
            about += f" An answer is compared where both have its seed: {'; '.join(alone)}."
        return replace(pairing, about=about)

    def pairs(self, arm: str) -> Pairs:
        """The scores of an arm beside the direct ones, on the items of both; means over the seeds of both."""
        if not self.own:
            found = arm_pairs(self.results, arm, DIRECT)
            return {item: pair for item, pair in found.items() if item in self.direct}
        # An arm that thinks has other direct answers than one that does not.
        direct = {**self.direct, **own_direct(self.results, self.results.by_arm[arm])}
        scores = self.results.scores(arm)
        return {item: (score, direct[item]) for item, score in scores.items() if item in direct}

    def _alone(self, arm: str) -> str:
        """How many answers of an arm have a direct one with their seed, on the items of both; empty where all have."""
        own, direct = self.results.by_seed[arm], self.results.by_seed[DIRECT]
        if without_chance(self.results, arm, DIRECT):
            return ""
        both = [item for item in own if item in self.direct]
        had = sum(len(own[item]) for item in both)
        used = sum(len(own[item].keys() & direct[item].keys()) for item in both)
        return f"{used:,} of {had:,} of {arm!r}" if used < had else ""

    def gain(self, arm: str, items: Collection[str] | None = None) -> Difference | None:
        """Gain of an arm over the direct answer.

        Args:
            arm: Its name.
            items: Ids to look at; `None`: all.
        """
        return difference(self.results, self.pairs(arm), items)

    def share_of(self, arm: str, best: str) -> Estimate | None:
        """Gain of an arm as a share of the gain of another, on the items of both and of the direct answer."""
        if self.own:  # each arm has direct answers of its own, and both gains are to be over the same ones
            pairs, others = self.pairs(arm), self.pairs(best)
            items = [item for item in pairs if item in others and pairs[item][1] == others[item][1]]
            found = {item: (pairs[item][0], others[item][0], pairs[item][1]) for item in items}
        else:
            found = {item: row for item, row in _three(self.results, arm, best).items() if item in self.direct}
        scores, tops, direct = ([row[place] for row in found.values()] for place in range(3))
        return share_of_gain(scores, tops, direct, [self.results.cluster(item) for item in found])


def difference(results: Results, pairs: Pairs, items: Collection[str] | None = None) -> Difference | None:
    """Compare the two scores of each item, of some or of all."""
    chosen = {item: pair for item, pair in pairs.items() if items is None or item in items}
    scores, baseline = [one for one, _ in chosen.values()], [other for _, other in chosen.values()]
    return paired_difference(scores, baseline, [results.cluster(item) for item in chosen])


def share(results: Results, scores: Mapping[str, float]) -> Estimate | None:
    """The mean of scores by item, with its interval."""
    return proportion(list(scores.values()), [results.cluster(item) for item in scores])


def arm_pairs(results: Results, arm: str, other: str) -> Pairs:
    """The scores of two arms on the items of both, means over the seeds of both."""
    return pairs(results.by_seed[arm], results.by_seed[other], without_chance(results, arm, other))


def _three(results: Results, arm: str, best: str) -> dict[str, tuple[float, float, float]]:
    """Scores of two arms and of `direct` on the items of all, means over the seeds of all of them that have chance."""
    names = (arm, best, DIRECT)
    chance = [name for name in names if not without_chance(results, name)]
    found: dict[str, tuple[float, float, float]] = {}
    for item in results.by_seed[arm]:
        rows = {name: results.by_seed[name].get(item, {}) for name in names}
        seeds = set.intersection(*(set(rows[name]) for name in chance or names))
        scores, tops, direct = (
            [score for seed, score in rows[name].items() if seed in seeds or name not in chance] for name in names
        )
        if scores and tops and direct:
            found[item] = fmean(scores), fmean(tops), fmean(direct)
    return found


def without_chance(results: Results, *names: str) -> bool:
    """Whether one of some arms has no chance, so that its one answer stands for all seeds."""
    return any(arm.seeds == "first" for arm in results.arms if arm.name in names)


def pairs(one: BySeed, other: BySeed, whatever_seed: bool = False) -> Pairs:
    """Two scores of each item that both have.

    Args:
        one: Item to seed to score.
        other: The same of what it is compared with.
        whatever_seed: Take the mean over all seeds of each; else over those that both have, as a study that grew may
            have more seeds of one arm.
    """
    found = {}
    for item in (item for item in one if item in other):
        own, others = one[item], other[item]
        if not whatever_seed:
            seeds = own.keys() & others.keys()
            own, others = ({seed: scores[seed] for seed in seeds} for scores in (own, others))
        if own and others:
            found[item] = fmean(own.values()), fmean(others.values())
    return found


def own_direct(results: Results, lines: Collection[Line]) -> dict[str, float]:
    """Item to what the direct answers in some lines are worth."""
    values: dict[str, list[float]] = {}
    for line in lines:
        if line.direct_score is not None and not results.items[line.item].paraphrase_of:
            values.setdefault(line.item, []).append(line.direct_score)
    return {item: fmean(scores) for item, scores in values.items()}
