"""What verdicts are worth: those of a model on its own visual thoughts, against what the thoughts really are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from g2u.world.judging.metrics import auroc, calibration_error

from .estimates import Estimate, proportion


@dataclass(frozen=True)
class Judgement:
    """Verdicts against the truth."""

    n: int
    """Thoughts."""
    good: Estimate
    """Share of good ones."""
    precision: Estimate | None
    """Share of good ones among those kept; `None` where nothing was kept."""
    recall: Estimate | None
    """Share of those kept among the good ones; `None` where none is good."""
    auroc: float | None
    """How often a good thought has the higher confidence of the two; `None` where all are alike."""
    calibration_error: float
    """Expected calibration error of the confidence, over ten bins (Naeini et al. 2015)."""


def judge_verdicts(
    kept: Sequence[bool],
    confidence: Sequence[float],
    good: Sequence[bool],
    clusters: Sequence[Hashable] | None = None,
) -> Judgement | None:
    """Compare verdicts with the truth.

    Args:
        kept: Whether each thought was kept.
        confidence: Probability of keeping that the model gave it.
        good: Whether it should have been kept.
        clusters: What each thought is about, such as an item; `None`: each stands for itself.

    Returns:
        `None` where there are no thoughts.

    Raises:
        MissingExtraError: torchmetrics is not installed.
    """
    own = list(clusters) if clusters is not None else list(range(len(kept)))
    share = proportion(good, own)
    if share is None:
        return None

    def among(values: Sequence[bool], chosen: Sequence[bool]) -> Estimate | None:
        rows = [place for place, flag in enumerate(chosen) if flag]
        return proportion([values[row] for row in rows], [own[row] for row in rows])

    return Judgement(
        n=len(kept),
        good=share,
        precision=among(good, kept),
        recall=among(kept, good),
        auroc=auroc(confidence, good),
        calibration_error=calibration_error(confidence, good),
    )
