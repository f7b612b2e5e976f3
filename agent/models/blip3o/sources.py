"""Where the weights of BLIP3o come from, and the folder that a user named."""

from __future__ import annotations

from pathlib import Path

from ...errors import WeightsError

REPOSITORIES = {
    "blip3o-8b": "BLIP3o/BLIP3o-Model-8B",
    "blip3o-4b": "BLIP3o/BLIP3o-Model-4B",
}
"""Where the weights of each registry key are, on the Hugging Face hub."""

LICENCE = "Apache-2.0, as the page of the weights says; the official repository of the code names none"
"""Of the weights."""
COMPARED = (
    "all quantities of a tiny checkpoint in float32 (`python -m g2u.models.blip3o.check_golden`); not the weights"
    " themselves, and not a drawing after an instruction, which it has none of"
)
"""What was compared, and how."""


def download_command(key: str) -> str:
    """What a user types to get the weights of a registry key."""
    return f"hf download {REPOSITORIES[key]} --local-dir DIR"


def remedy(key: str) -> str:
    """What to do about a folder of a registry key that is not whole."""
    return f"Download all of it with `{download_command(key)}`."


def weights_folder(weights: str, key: str) -> Path:
    """The folder of weights that a user named.

    Raises:
        WeightsError: None was named, and the error says where they are; or there is no such folder.
    """
    if not weights:
        hint = f"Download them with `{download_command(key)}`, and add `--weights DIR`."
        raise WeightsError(f"The model {key!r} comes without weights, and no folder of them was given.", hint)
    folder = Path(weights).expanduser()
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        hint = f"Name the folder of the weights; `{download_command(key)}` makes one."
        raise WeightsError(f"The folder of weights {str(folder)!r} {what}.", hint)
    return folder
