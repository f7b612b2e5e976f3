"""Two ways of answering the same items: their difference, whether chance explains it, and what would be found."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from .estimates import RESAMPLES, Estimate, by_cluster, leave_room, mean, percentile_interval, resampled_sums

ALPHA = 0.05
"""Corrected probabilities below it are told from chance."""
POWER = 0.8
_NOTHING = 1e-9
"""Mean scores over the same seeds that differ by less are alike."""


@dataclass(frozen=True)
class Difference:
    """How much better one way is than another, over the items of both."""

    value: float
    """Mean difference of scores."""
    low: float
    """Of its 95 % interval, see `paired_difference`."""
    high: float
    n: int
    """Items, or clusters of them."""
    fixed: int
    """Those with a higher score."""
    broken: int
    """Those with a lower one."""
    p: float
    """Of the exact test, see `exact_test`."""
    detectable: float | None
    """Smallest difference that would be found, see `detectable`."""


def paired_difference(
    scores: ArrayLike,
    baseline: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference | None:
    """Compare two sets of scores of the same items.

    The interval is that of a paired bootstrap over items, which where few items are or few change is widened as
    `estimates.leave_room` says.

    Args:
        scores: One for each item in [0, 1]: right or wrong, or the mean over its seeds.
        baseline: Those that they are compared with, in the same order.
        clusters: What each item belongs to; `None`: each stands for itself. Clusters are resampled whole, and fixed,
            broken, the test and what is detectable count clusters, by their mean difference.
        resamples: Times that items are drawn anew.
        seed: Of the draws.

    Returns:
        `None` where there are no items.
    """
    one, other = np.asarray(scores, dtype=float), np.asarray(baseline, dtype=float)
    if one.shape != other.shape:
        raise ValueError(f"{one.size} scores cannot be paired with {other.size}")
    differences = one - other
    differences[np.abs(differences) < _NOTHING] = 0.0
    gain = mean(differences, clusters, resamples=resamples, seed=seed)
    if gain is None:
        return None
    gain = leave_room(gain, -1.0, 1.0)
    sums = by_cluster(np.column_stack([differences, np.ones_like(differences)]), clusters)
    differences = sums[:, 0] / sums[:, 1]
    differences[np.abs(differences) < _NOTHING] = 0.0
    fixed, broken = int((differences > 0).sum()), int((differences < 0).sum())
    p = exact_test(fixed, broken)
    return Difference(gain.value, gain.low, gain.high, gain.n, fixed, broken, p, detectable(differences))


def share_of_gain(
    scores: ArrayLike,
    best: ArrayLike,
    baseline: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate | None:
    """The gain of one way over a baseline as a share of the gain of another, over the same items.

    The interval is that of a bootstrap over items of the ratio of both gains, widened by what items that were not seen
    might make of the difference of the two ways, as `estimates.leave_room` says.

    Args:
        scores: One for each item in [0, 1].
        best: Those of the other way, in the same order.
        baseline: Those that both are compared with.
        clusters: As for `paired_difference`, and so are the others.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        `None` where the other way is not surely better than the baseline, so that there is nothing to have a share of.
    """
    one, top, base = (np.asarray(values, dtype=float) for values in (scores, best, baseline))
    whole = paired_difference(top, base, clusters, resamples=resamples, seed=seed)
    if whole is None or whole.low <= 0:
        return None
    rows = by_cluster(np.column_stack([one - base, top - base]), clusters)
    sums = resampled_sums(rows, resamples=resamples, seed=seed)
    low, high = percentile_interval(sums[sums[:, 1] > 0, 0] / sums[sums[:, 1] > 0, 1])
    behind = float((one - top).mean())
    short = leave_room(Estimate(behind, behind, behind, whole.n), -1.0, 1.0)
    value = float((one - base).mean()) / whole.value
    room = (short.value - short.low) / whole.value, (short.high - short.value) / whole.value
    return Estimate(value, min(low, value - room[0]), max(high, value + room[1]), whole.n)


def exact_test(fixed: int, broken: int) -> float:
    """Probability of a split at least as uneven if either direction were as likely, two-sided.

    With one seed, where an item is right or wrong, this is McNemar's exact test (McNemar 1947; Edwards 1948). With
    several seeds an item counts as fixed when its mean score is higher and as broken when it is lower, whatever the
    size; then it is the exact sign test over items (Conover 1999, section 3.4).
    """
    return float(stats.binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0


def detectable(differences: ArrayLike, *, power: float = POWER, alpha: float = ALPHA) -> float | None:
    """Smallest mean difference that so many items find with this power, two-sided.

    By the normal approximation of the paired comparison (Miettinen 1968; Connor 1987): the difference `d` for which
    `sqrt(n) d = z(1 - alpha / 2) sqrt(m) + z(power) sqrt(m - d ** 2)`, where `m` is the mean of squared differences:
    for right and wrong answers the share of items that change. `m` is taken as observed, but at least `d`, since no
    difference can be greater than the share that changes; so there is an answer where nothing changed as well. The
    exact test finds a little less than this in small studies.

    Args:
        differences: Of the scores of each item, in [-1, 1].
        power: Probability that it is found.
        alpha: Probability that something is found where nothing is.

    Returns:
        `None` where the items are too few to find any difference.
    """
    values = np.asarray(differences, dtype=float)
    found, certain = float(stats.norm.ppf(1 - alpha / 2)), float(stats.norm.ppf(power))
    changes = float(np.mean(values**2)) if values.size else 0.0

    def surplus(size: float) -> float:
        spread = max(changes, size)
        return sqrt(values.size) * size - found * sqrt(spread) - certain * sqrt(max(spread - size**2, 0.0))

    return float(optimize.brentq(surplus, 1e-12, 1.0)) if surplus(1.0) > 0 else None


def holm(probabilities: Sequence[float]) -> list[float]:
    """Probabilities corrected for there being several tests (Holm 1979), in the order given.

    Whoever rejects those below 0.05 rejects anything wrongly with a probability of 0.05 at most.
    """
    corrected, highest = [0.0] * len(probabilities), 0.0
    for rank, place in enumerate(sorted(range(len(probabilities)), key=probabilities.__getitem__)):
        highest = max(highest, min(1.0, (len(probabilities) - rank) * probabilities[place]))
        corrected[place] = highest
    return corrected
