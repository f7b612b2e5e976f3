"""The embedded model: a small unified transformer trained in the picture world, for any laptop."""

from __future__ import annotations

import importlib.metadata
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
    from g2u.models.device import find_device
    from g2u.models.mini.model import MiniModel
    from g2u.models.mini.weights import load_weights
    from g2u.models.protocol import Identity

    place = find_device(device)
    loaded = load_weights(Path(weights) if weights else WEIGHTS, place)
    identity = Identity(model="mini", weights=loaded.sha256, code=importlib.metadata.version("g2u"))
    return MiniModel(loaded.network, loaded.tokenizer, identity, loaded.domain)
