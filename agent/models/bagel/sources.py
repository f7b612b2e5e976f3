"""Where the weights of BAGEL and its kin come from, and the folder that a user named."""

from __future__ import annotations

from pathlib import Path

from ...errors import WeightsError
from ..entries import cached
from ..registry import MODELS

ENDINGS = (".safetensors", ".safetensors.index.json")
"""Of files that can be named in the place of their folder."""


def download_command(key: str) -> str:
    """What a user types to get the weights of a registry key."""
    return f"hf download {MODELS[key].repositories[0]} --local-dir DIR"


def weights_place(weights: str, key: str) -> Path:
    """The folder or file of weights that a user named, or else the folder that `hf download` left in its cache.

    Raises:
        WeightsError: None was named and none is in the cache, and the error says where they are; or there is no such
            folder or file.
    """
    if not weights:
        if found := cached(MODELS[key].repositories[0]):
            return found
        hint = f"Download them, 29 GB, with `{download_command(key)}`, and add `--weights DIR`."
        raise WeightsError(f"The model {key!r} comes without weights, and no folder of them was given.", hint)
    place = Path(weights).expanduser()
    if place.is_dir() or (place.is_file() and place.name.endswith(ENDINGS)):
        return place
    what = f"is a file, and none of weights (*{', *'.join(ENDINGS)})" if place.exists() else "does not exist"
    hint = f"Name the folder of the weights; `{download_command(key)}` makes one."
    raise WeightsError(f"The folder of weights {str(place)!r} {what}.", hint)
