"""Which files a folder of a BAGEL has, looked at before any of them is opened."""

from __future__ import annotations

from pathlib import Path

from ....errors import WeightsError
from ..inference.text import TOKENIZER_FILES
from ..network.config import GOLDEN_FILE, OFFICIAL_FILES
from ..sources import download_command
from .weights import AUTOENCODER, model_files


def missing_files(folder: Path) -> list[str]:
    """Names of the files that a BAGEL needs and a folder has not, shards that its index names among them.

    Raises:
        WeightsError: The index is damaged.
    """
    settings = (GOLDEN_FILE,) if (folder / GOLDEN_FILE).is_file() else OFFICIAL_FILES
    names = (*settings, *(file.name for file in model_files(folder)), AUTOENCODER, *TOKENIZER_FILES)
    return [name for name in names if not (folder / name).is_file()]


def check_files(folder: Path, key: str) -> None:
    """Refuse a folder that is not whole.

    Args:
        folder: Of the weights of a registry key.
        key: That key.

    Raises:
        WeightsError: Files are missing; all are named.
    """
    if missing := missing_files(folder):
        raise WeightsError(f"{folder} is not a whole folder of BAGEL: it has no {', '.join(missing)}.", remedy(key))


def remedy(key: str) -> str:
    """What to do about a folder of a registry key that is not whole."""
    return f"Download all of it with `{download_command(key)}`."
