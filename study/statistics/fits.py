"""Lines through points: how a gain grows with fidelity."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from .estimates import CONFIDENCE, RESAMPLES, Estimate, Numbers, by_cluster, percentile_interval, resampled_sums

FEWEST = 3
"""Points, and clusters, that a line needs at least."""


@dataclass(frozen=True)
class Fit:
    """A least-squares line."""

    slope: Estimate
    """What `y` gains for each unit of `x`."""
    r2: Estimate
    """Share of the variance of `y` that the line explains. A resample has some by chance, so that the interval never
    reaches down to 0: whether there is a relation at all, the interval of the slope says."""
    n: int
    """Points."""


@dataclass(frozen=True)
class Monotone:
    """Whether something never falls."""

    holds: bool
    """No step down is beyond chance."""
    fall: float
    """Largest mean step down from any level to a later one; 0 where there is none."""


def fit_line(
    x: ArrayLike,
    y: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Fit | None:
    """Fit a line to points, with percentile intervals of a bootstrap that draws whole clusters.

    Args:
        x: One value a point.
        y: The other.
        clusters: What each point belongs to, such as an item; `None`: each stands for itself.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        `None` where points or clusters are fewer than `FEWEST`, or all `x` are alike.
    """
    one, other = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(one) < FEWEST or np.ptp(one) == 0:
        return None
    found = stats.linregress(one, other)
    one, other = one - one.mean(), other - other.mean()
    moments = np.column_stack([np.ones_like(one), one, other, one * one, one * other, other * other])
    rows = by_cluster(moments, clusters)
    if len(rows) < FEWEST:
        return None
    n, sum_x, sum_y, sum_xx, sum_xy, sum_yy = resampled_sums(rows, resamples=resamples, seed=seed).T
    xx, xy, yy = sum_xx - sum_x**2 / n, sum_xy - sum_x * sum_y / n, sum_yy - sum_y**2 / n
    r2 = 0.0 if np.ptp(other) == 0 else float(found.rvalue**2)
    return _fit(float(found.slope), r2, xx, xy, yy, len(one), len(rows))


def fit_levels(x: ArrayLike, y: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Fit | None:
    """Fit a line to the means of levels that were all tried on the same items; the bootstrap draws items.

    Args:
        x: `[items, levels]`.
        y: `[items, levels]`.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        `None` where items or levels are fewer than `FEWEST`, or all levels have one mean `x`.
    """
    one, other = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    items, levels = one.shape
    if items < FEWEST or levels < FEWEST or np.ptp(one.mean(axis=0)) == 0:
        return None
    found = stats.linregress(one.mean(axis=0), other.mean(axis=0))
    means = resampled_sums(np.hstack([one, other]), resamples=resamples, seed=seed) / items
    along, up = (part - part.mean(axis=1, keepdims=True) for part in (means[:, :levels], means[:, levels:]))
    xx, xy, yy = (along**2).sum(axis=1), (along * up).sum(axis=1), (up**2).sum(axis=1)
    r2 = 0.0 if np.ptp(other.mean(axis=0)) == 0 else float(found.rvalue**2)
    return _fit(float(found.slope), r2, xx, xy, yy, levels, items)


def monotone(y: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Monotone:
    """Whether means never fall from a level to any later one, within their intervals.

    It does not hold where a paired difference of two levels lies below zero with its whole interval; over all pairs
    together chance does that in 5 % of studies at most (Bonferroni).

    Args:
        y: `[items, levels]`, the levels in the order in which their means should rise.
        resamples: Of the bootstrap over items.
        seed: Of the bootstrap.
    """
    values = np.asarray(y, dtype=float)
    pairs = list(combinations(range(values.shape[1]), 2))
    if not pairs or not len(values):
        return Monotone(True, 0.0)
    steps = np.column_stack([values[:, later] - values[:, earlier] for earlier, later in pairs])
    means = resampled_sums(steps, resamples=resamples, seed=seed) / len(values)
    level = 1 - (1 - CONFIDENCE) / len(pairs)
    highs = [percentile_interval(column, level)[1] for column in means.T]
    return Monotone(all(high >= 0 for high in highs), max(0.0, float(-steps.mean(axis=0).min())))


def _fit(slope: float, r2: float, xx: Numbers, xy: Numbers, yy: Numbers, points: int, clusters: int) -> Fit:
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(xx > 1e-12, np.where(np.abs(xy) > 1e-12, xy, 0.0) / xx, np.nan)
        shares = np.where(yy > 1e-12, xy**2 / (xx * yy), 0.0)
    shares = np.where(np.isnan(slopes), np.nan, shares)
    return Fit(
        Estimate(slope, *percentile_interval(slopes), clusters),
        Estimate(r2, *percentile_interval(shares), clusters),
        points,
    )
