"""How many choices are really made, and how much they tell about something else."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

PERMUTATIONS = 2000
_CELLS = 2_000_000
"""Labels that are dealt at a time, 16 MB of them."""


@dataclass(frozen=True)
class MutualInformation:
    """What two things tell about each other."""

    bits: float
    """As counted. Small samples make it too high, even where neither tells anything: hence the baseline."""
    baseline: float
    """Its mean when the labels are dealt out anew; what `bits` has above it is information."""
    p: float
    """Share of these deals that reach `bits`, the true one among them."""


def entropy(choices: Sequence[Hashable]) -> float:
    """Shannon entropy in bits, from counts as they are (no correction for small samples); 0 for no choices."""
    if not choices:
        return 0.0
    counts = np.bincount(_codes(choices))
    nats: float = special.entr(counts / counts.sum()).sum()
    return float(nats / np.log(2))


def effective_number(bits: float) -> float:
    """Number of choices that, all as frequent, would have this entropy: `2 ** bits` (Hill 1973)."""
    return math.exp2(bits)


def mutual_information(
    choices: Sequence[Hashable],
    labels: Sequence[Hashable],
    clusters: Sequence[Hashable] | None = None,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> MutualInformation | None:
    """Mutual information of choices and labels, beside a permutation baseline.

    Plain counts overrate it by about `(choices - 1) (labels - 1) / (2 n ln 2)` bits (Miller 1955). Dealing the labels
    out anew shows what is left of it by chance; it needs no approximation and comes with a test.

    Args:
        choices: One a row.
        labels: The other thing, in the same order.
        clusters: Rows of one cluster have one label and keep it together, such as the seeds of an item; `None`: each
            row stands for itself.
        permutations: Deals.
        seed: Of the deals.

    Returns:
        `None` where there is nothing to count.
    """
    if not choices:
        return None
    chosen, label = _codes(choices), _codes(labels)
    cluster = _codes(clusters) if clusters is not None else np.arange(len(chosen))
    if not len(chosen) == len(label) == len(cluster):
        raise ValueError(f"{len(chosen)} choices cannot be paired with {len(label)} labels")
    of_cluster = np.zeros(cluster.max() + 1, dtype=np.int64)
    of_cluster[cluster] = label
    if not np.array_equal(of_cluster[cluster], label):
        raise ValueError("a cluster has two labels")
    observed = float(_bits(chosen, label[None])[0])
    chance, parts = np.random.default_rng(seed), []
    at_a_time = max(1, _CELLS // len(chosen))
    for start in range(0, permutations, at_a_time):
        deals = np.tile(of_cluster, (min(at_a_time, permutations - start), 1))
        parts.append(_bits(chosen, chance.permuted(deals, axis=1)[:, cluster]))
    dealt = np.concatenate(parts)
    reached = int((dealt >= observed - 1e-12).sum())
    return MutualInformation(observed, float(dealt.mean()), (reached + 1) / (permutations + 1))


def _codes(values: Sequence[Hashable]) -> NDArray[np.int64]:
    places: dict[Hashable, int] = {}
    return np.array([places.setdefault(value, len(places)) for value in values], dtype=np.int64)


def _bits(chosen: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mutual information with each row of labels, `[deals, rows]`: `[deals]`."""
    wide = int(labels.max()) + 1
    counts = _tally(chosen * wide + labels, (int(chosen.max()) + 1) * wide)
    joint = counts.reshape(len(labels), -1, wide) / len(chosen)
    information = (
        special.entr(joint.sum(axis=1)).sum(axis=1)
        + special.entr(joint.sum(axis=2)).sum(axis=1)
        - special.entr(joint).sum(axis=(1, 2))
    )
    bits: NDArray[np.float64] = np.maximum(information, 0.0) / np.log(2)
    return bits


def _tally(codes: NDArray[np.int64], kinds: int) -> NDArray[np.int64]:
    """How often each of `kinds` codes is in each row: `[rows, kinds]`."""
    rows = np.arange(len(codes))[:, None] * kinds
    return np.bincount((codes + rows).ravel(), minlength=len(codes) * kinds).reshape(len(codes), kinds)
