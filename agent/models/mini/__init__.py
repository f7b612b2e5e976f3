"""The embedded model: a small unified transformer trained in the picture world, for any laptop."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from g2u.models.mini.model import MiniModel

WEIGHTS = Path(__file__).parent / "weights"
"""The shipped weights."""


def load(weights: str = "", device: str = "") -> MiniModel:
    """Load mini.

    Args:
        weights: A folder of weights; empty for the shipped ones.
        device: `cpu`, `cuda`, ...; empty for $G2U_DEVICE, or else the GPU if there is one.

    Raises:
        WeightsError: The folder is not what its index says.
        CapabilityError: There is no such device.
    """
    import torch

    from g2u.errors import CapabilityError
    from g2u.models.mini.model import MiniModel
    from g2u.models.mini.weights import load_weights
    from g2u.models.protocol import Identity

    name = device or os.environ.get("G2U_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch raises either, by what it was built with
        hint = "Set G2U_DEVICE to `cpu`, or leave it out."
        raise CapabilityError(f"This machine's torch has no device {name!r}.", hint) from error
    loaded = load_weights(Path(weights) if weights else WEIGHTS, place)
    identity = Identity(model="mini", weights=loaded.sha256, code=importlib.metadata.version("g2u"))
    return MiniModel(loaded.network, loaded.tokenizer, identity, loaded.domain)
