"""What names the weights of a folder without reading all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ...tensor_files import sample
from ..inference.text import TOKENIZER_FILES
from .files import CONFIG, DECODER_CONFIGS, weight_files


def digest_folder(folder: Path, key: str) -> str:
    """SHA-256 that names the weights in a folder, hexadecimal.

    It is taken over the files of configuration and tokenizer, those of the pixel decoder among them, and over name,
    size, header and 256 bytes from the middle of each tensor of each file of weights: all 25 GB would cost a minute at
    each start. Two folders share it only where weights were changed and none of those bytes.

    Args:
        folder: A whole one.
        key: Registry key, for errors.
    """
    digest = hashlib.sha256()
    for part in _parts(folder, key):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _parts(folder: Path, key: str) -> Iterator[bytes]:
    for name in (CONFIG, *TOKENIZER_FILES, *DECODER_CONFIGS):
        if (folder / name).is_file():
            yield name.encode()
            yield (folder / name).read_bytes()
    for beginning, files in weight_files(folder, key).items():
        for file in files:
            yield beginning.encode()
            yield from sample(file)
