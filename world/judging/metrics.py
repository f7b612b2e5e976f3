"""Measures of torchmetrics that the evaluations report; it comes with the extra `study`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from g2u.errors import MissingExtraError

BINS = 10
"""Bins of confidence, all of one width."""


def torchmetrics() -> Any:
    """The functions of torchmetrics.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module("torchmetrics.functional")
    except ImportError as error:
        raise MissingExtraError("This evaluation", "torchmetrics", "study") from error


def ssim(pictures: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) of each picture of bytes `[batch, 3, height, width]`: `[batch]`."""
    measure = torchmetrics().image.structural_similarity_index_measure
    values: Tensor = measure(pictures / 255, truth / 255, data_range=1.0, reduction="none")
    return values.reshape(-1)  # that of a single picture has no axis


def auroc(confidence: Sequence[float], good: Sequence[bool]) -> float | None:
    """How often something good is given more confidence than something else; `None` where all are alike."""
    if len(set(good)) < 2:
        return None
    return float(torchmetrics().classification.binary_auroc(torch.tensor(confidence), torch.tensor(good).int()))


def calibration_error(confidence: Sequence[float], good: Sequence[bool]) -> float:
    """Expected calibration error: the mean distance of confidence and share of good ones, over `BINS` bins."""
    sure = torch.tensor(confidence).clamp(max=1 - 2**-20)  # one would be a bin of its own
    measure = torchmetrics().classification.binary_calibration_error
    return float(measure(sure, torch.tensor(good).int(), n_bins=BINS, norm="l1"))


def reliability(confidence: Sequence[float], good: Sequence[bool]) -> list[dict[str, float | None]]:
    """What the calibration error is made of.

    Returns:
        Per bin `low` and `high`, its edges; `n`; mean `confidence` and share of `good` ones, `None` in an empty bin.
    """
    rows: list[dict[str, float | None]] = []
    for number in range(BINS):
        here = [index for index, sure in enumerate(confidence) if min(int(sure * BINS), BINS - 1) == number]
        rows.append(
            {
                "low": number / BINS,
                "high": (number + 1) / BINS,
                "n": len(here),
                "confidence": sum(confidence[index] for index in here) / len(here) if here else None,
                "good": sum(good[index] for index in here) / len(here) if here else None,
            }
        )
    return rows
