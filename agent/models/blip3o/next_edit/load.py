"""How a BLIP3o-NEXT-edit is loaded: from an official folder, on one device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....version import __version__
from ..sources import weights_folder

if TYPE_CHECKING:
    from ..network.network import Precision
    from .model import NextEditModel

KEY = "blip3o-next-edit"


def load(weights: str = "", device: str = "", precision: Precision = "bfloat16") -> NextEditModel:
    """Load a BLIP3o-NEXT-edit from a folder in the official layout.

    Args:
        weights: The folder; there are no weights of its own.
        device: `cpu`, `cuda`, ...; empty for $G2U_DEVICE, or else the GPU if there is one.
        precision: Of all weights.

    Raises:
        WeightsError: No folder is given, or it is not that of a BLIP3o-NEXT-edit.
        CapabilityError: There is no such device, or there are several.
        BudgetError: The GPU has too little free memory.
    """
    from ...device import find_only_device
    from ...protocol import Identity
    from .files import check_files, digest_folder
    from .model import NextEditModel
    from .text import Words
    from .weights import load_network

    place = find_only_device(KEY, device)
    folder = weights_folder(weights, KEY)
    check_files(folder, KEY)
    network = load_network(folder, KEY, precision, place)
    reader = network.config.reader
    words = Words.from_folder(folder, reader.vocab_size, reader.image_start_tag_id)
    identity = Identity(model=KEY, weights=digest_folder(folder, KEY), code=__version__, settings=(precision,))
    return NextEditModel(network, words, identity)
