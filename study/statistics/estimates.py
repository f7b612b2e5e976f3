"""Means and shares with their 95 % intervals."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

RESAMPLES = 10_000
"""Of each bootstrap; the bounds then differ by about a hundredth of the interval's width from one seed to another."""
CONFIDENCE = 0.95
_CELLS = 10_000_000
"""Counts that are drawn at a time, 80 MB of them."""

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
    clustered bootstrap; but where all values are 0 or all are 1, of which a bootstrap makes an interval without width,
    again Wilson's over the clusters.

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
    alike = bool(np.all(numbers == numbers[0])) and numbers[0] in (0.0, 1.0)
    if alike or (n == numbers.size and bool(np.isin(numbers, (0.0, 1.0)).all())):
        share = float(numbers.mean())
        interval = stats.binomtest(round(share * n), n).proportion_ci(CONFIDENCE, method="wilson")
        return Estimate(share, float(interval.low), float(interval.high), n)
    return mean(numbers, clusters, resamples=resamples, seed=seed)


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

    Rows that are alike are counted together: how often each distinct row is drawn is multinomial, which for scores of
    0 and 1 makes a bootstrap of thousands of items a matter of milliseconds, and is the same in distribution.
    """
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    chance, n, parts = np.random.default_rng(seed), len(rows), []
    at_a_time = max(1, _CELLS // len(distinct))
    for start in range(0, resamples, at_a_time):
        draws = chance.multinomial(n, counts / n, size=min(at_a_time, resamples - start))
        parts.append(draws.astype(float) @ distinct)
    return np.concatenate(parts)


def percentile_interval(values: Numbers, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """What leaves out as much at either end; what is not a number is passed over."""
    tail = 100 * (1 - confidence) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return float(low), float(high)
