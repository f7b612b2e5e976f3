"""How `mini` is loaded: from the shipped weights, or from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...version import __version__

if TYPE_CHECKING:
    from .model import MiniModel

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
    from ..device import find_device
    from ..protocol import Identity
    from .model import MiniModel
    from .weights import load_weights

    place = find_device(device)
    loaded = load_weights(Path(weights) if weights else WEIGHTS, place)
    identity = Identity(model="mini", weights=loaded.sha256, code=__version__)
    return MiniModel(loaded.network, loaded.text, identity, loaded.domain)
