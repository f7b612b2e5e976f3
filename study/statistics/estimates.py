"""Means and shares with their 95 % intervals."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

RESAMPLES = 10_000
"""Of each bootstrap; the bounds then differ by about a hundredth of the interval's width from one seed to another."""
CONFIDENCE = 0.95
_CELLS = 2_000_000
"""Counts that are drawn at a time, 16 MB of them."""
_FEW = 64
"""Distinct rows up to which it is quicker to draw how often each occurs."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    """Clusters, mostly items, that it rests on."""


def mean(
    values: ArrayLike, clusters: Sequence[Hashable] | None = None, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate | None:
    """Mean of some values, with the percentile interval of a clustered bootstrap (Efron and Tibshirani 1993, ch. 13).

    Args:
        values: One a row.
        clusters: What each value belongs to; `None`: each stands for itself. A cluster weighs as much as it has values.
        resamples: Times that as many clusters as there are are drawn, with replacement.
        seed: Of the draws.

    Returns:
        `None` where there are no values.
    """
    numbers = np.asarray(values, dtype=float)
    if not numbers.size:
        return None
    rows = by_cluster(np.column_stack([numbers, np.ones_like(numbers)]), clusters)
    sums = resampled_sums(rows, resamples=resamples, seed=seed)
    low, high = percentile_interval(sums[:, 0] / sums[:, 1])
    return Estimate(float(numbers.mean()), low, high, len(rows))


def proportion(
    values: ArrayLike, clusters: Sequence[Hashable] | None = None, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate | None:
    """Share of what is true, with its interval.

    The interval is Wilson's (1927) where each cluster has one value that is true or false. Otherwise it is that of the
    clustered bootstrap, widened as `leave_room` says, which for values that are all 0 or all 1 is Wilson's again, over
    the clusters.

    Args:
        values: Booleans, or shares between 0 and 1.
        clusters: As for `mean`, and so are the others.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        `None` where there are no values.
    """
    numbers = np.asarray(values, dtype=float)
    if not numbers.size:
        return None
    n = numbers.size if clusters is None else len(set(clusters))
    if n == numbers.size and bool(np.isin(numbers, (0.0, 1.0)).all()):
        share = float(numbers.mean())
        interval = stats.binomtest(round(share * n), n).proportion_ci(CONFIDENCE, method="wilson")
        return Estimate(share, float(interval.low), float(interval.high), n)
    found = mean(numbers, clusters, resamples=resamples, seed=seed)
    return found and leave_room(found, 0.0, 1.0)


def leave_room(found: Estimate, lowest: float, highest: float) -> Estimate:
    """Widen an interval until it holds what clusters that were not seen might make of the mean.

    A bootstrap draws only what was seen. Where few clusters differ from the others, or there are few at all, it is far
    too sure: of 25 items of which one in fifty changes its interval holds the true gain in 39 % of studies. Here at
    most the share that Wilson's bound allows for something of which none was seen is put at either end of the scale.
    In simulations with 3 to 100 items and rare or common changes the interval then holds the truth in 93 % of studies
    or more; with many items it is that of the bootstrap.

    Args:
        found: By a bootstrap.
        lowest: Of the values that there can be.
        highest: Of them.
    """
    unseen = float(stats.binomtest(0, found.n).proportion_ci(CONFIDENCE, method="wilson").high)
    return replace(
        found,
        low=min(found.low, found.value - unseen * (found.value - lowest)),
        high=max(found.high, found.value + unseen * (highest - found.value)),
    )


def by_cluster(rows: Numbers, clusters: Sequence[Hashable] | None) -> Numbers:
    """Sum the rows of each cluster, in the order in which clusters first appear: `[clusters, columns]`."""
    if clusters is None:
        return rows
    places: dict[Hashable, int] = {}
    where = [places.setdefault(cluster, len(places)) for cluster in clusters]
    if len(where) != len(rows):
        raise ValueError(f"{len(rows)} rows cannot belong to {len(where)} clusters")
    sums = np.zeros((len(places), rows.shape[1]))
    np.add.at(sums, where, rows)
    return sums


def resampled_sums(rows: Numbers, *, resamples: int = RESAMPLES, seed: int = 0) -> Numbers:
    """Sums over as many rows as there are, drawn with replacement, time and again: `[resamples, columns]`.

    Where few rows are distinct, as for scores of 0 and 1, it is drawn how often each of them occurs, which is
    multinomial: the same in distribution, and a matter of milliseconds for thousands of items.
    """
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    few, chance, n = len(distinct) <= _FEW, np.random.default_rng(seed), len(rows)
    parts, at_a_time = [], max(1, _CELLS // (len(distinct) if few else n))
    for start in range(0, resamples, at_a_time):
        size = min(at_a_time, resamples - start)
        if few:
            parts.append(chance.multinomial(n, counts / n, size=size).astype(float) @ distinct)
            continue
        places = chance.integers(n, size=(size, n)) + np.arange(size)[:, None] * n
        drawn = np.bincount(places.ravel(), minlength=size * n).reshape(size, n)
        parts.append(drawn.astype(float) @ rows)
    return np.concatenate(parts)


def percentile_interval(values: Numbers, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """What leaves out as much at either end; what is not a number is passed over."""
    tail = 100 * (1 - confidence) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return float(low), float(high)
