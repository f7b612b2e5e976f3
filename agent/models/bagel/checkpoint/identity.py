"""What names the weights of a folder without reading all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ...tensor_files import sample
from ..inference.text import TOKENIZER_FILES
from ..network.config import GOLDEN_FILE, OFFICIAL_FILES, read_config
from .files import home
from .weights import check_folder


def digest_folder(place: Path) -> str:
    """SHA-256 that names the weights in a folder, or of a file of the model and what lies beside it, hexadecimal.

    It is not taken over all 29 GB, which would cost a minute at each start, but over the files of configuration and
    tokenizer, over the name, size and header of each safetensors file, and over 256 bytes from the middle of each
    tensor. Two folders share it only where weights were changed and none of those bytes.

    Raises:
        WeightsError: The folder is none of a BAGEL.
    """
    folder = home(place)
    files = sorted({tensor.file for tensor in check_folder(place, read_config(folder)).values()})
    digest = hashlib.sha256()
    for part in (*_settings(folder), *(part for file in files for part in sample(file))):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _settings(folder: Path) -> Iterator[bytes]:
    for name in (*OFFICIAL_FILES, GOLDEN_FILE, *TOKENIZER_FILES):
        if (folder / name).is_file():
            yield name.encode()
            yield (folder / name).read_bytes()
