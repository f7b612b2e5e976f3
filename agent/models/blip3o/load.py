"""How a BLIP3o is loaded: from an official folder, on one device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...version import __version__
from .sources import weights_folder

if TYPE_CHECKING:
    from .model import Blip3oModel
    from .network.network import Precision


def load(weights: str = "", device: str = "", precision: Precision = "bfloat16", key: str = "blip3o-8b") -> Blip3oModel:
    """Load a BLIP3o from a folder in the official layout.

    Args:
        weights: The folder; there are no weights of its own.
        device: `cpu`, `cuda`, ...; empty for $G2U_DEVICE, or else the GPU if there is one.
        precision: Of all weights.
        key: Registry key; the code of all is the same, and the sizes are those of the folder.

    Raises:
        WeightsError: No folder is given, or it is not that of a BLIP3o.
        CapabilityError: There is no such device, or there are several.
        BudgetError: The GPU has too little free memory.
    """
    from ..device import find_only_device
    from ..protocol import Identity
    from .checkpoint.files import check_files
    from .checkpoint.identity import digest_folder
    from .checkpoint.weights import load_network
    from .inference.text import Words
    from .memory import PREFIX_BYTES, free_bytes, kept_bytes, run_bytes
    from .model import CAPABILITIES, Blip3oModel

    place = find_only_device(key, device)
    folder = weights_folder(weights, key)
    check_files(folder, key)
    network = load_network(folder, key, precision, place)
    words = Words.from_folder(folder, network.config.reader.vocab_size)
    identity = Identity(model=key, weights=digest_folder(folder, key), code=__version__, settings=(precision,))
    kept = PREFIX_BYTES
    if place.type == "cuda":
        run = run_bytes(network.config, CAPABILITIES.max_drawings or 1, network.dtype.itemsize)
        kept = kept_bytes(run, free_bytes(place))
    return Blip3oModel(network, words, identity, kept)


def load_4b(weights: str = "", device: str = "", precision: Precision = "bfloat16") -> Blip3oModel:
    """Load the smaller one; see `load`."""
    return load(weights, device, precision, "blip3o-4b")
