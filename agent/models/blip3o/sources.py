"""Where the weights of BLIP3o come from, and the folder that a user named."""

from __future__ import annotations

from pathlib import Path

from ...errors import WeightsError
from ..entries import cached
from ..registry import MODELS


def download_command(key: str) -> str:
    """What a user types to get the weights of a registry key."""
    return f"hf download {MODELS[key].repositories[0]} --local-dir DIR"


def remedy(key: str) -> str:
    """What to do about a folder of a registry key that is not whole."""
    return f"Download all of it with `{download_command(key)}`."


def weights_folder(weights: str, key: str) -> Path:
    """The folder of weights that a user named, or else the one that `hf download` left in its cache.

    Raises:
        WeightsError: None was named and none is in the cache, and the error says where they are; or there is no such
            folder.
    """
    if not weights:
        if found := cached(MODELS[key].repositories[0]):
            return found
        hint = f"Download them with `{download_command(key)}`, and add `--weights DIR`."
        raise WeightsError(f"The model {key!r} comes without weights, and no folder of them was given.", hint)
    folder = Path(weights).expanduser()
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        hint = f"Name the folder of the weights; `{download_command(key)}` makes one."
        raise WeightsError(f"The folder of weights {str(folder)!r} {what}.", hint)
    return folder
