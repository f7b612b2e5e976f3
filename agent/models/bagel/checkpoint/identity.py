"""What names the weights of a folder without reading all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from ..inference.text import TOKENIZER_FILES
from ..network.config import GOLDEN_FILE, OFFICIAL_FILES, read_config
from .files import home
from .weights import check_folder

SAMPLE = 256
"""Bytes of each tensor that count, from its middle."""


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
    for part in (*_settings(folder), *(part for file in files for part in _weights(file))):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _settings(folder: Path) -> Iterator[bytes]:
    for name in (*OFFICIAL_FILES, GOLDEN_FILE, *TOKENIZER_FILES):
        if (folder / name).is_file():
            yield name.encode()
            yield (folder / name).read_bytes()


def _weights(file: Path) -> Iterator[bytes]:
    yield f"{file.name} {file.stat().st_size}".encode()
    with file.open("rb") as stream:
        # The format: eight bytes of length, a header of JSON, then the tensors, to whose start the offsets count.
        header = stream.read(int.from_bytes(stream.read(8), "little"))
        yield header
        start, entries = stream.tell(), json.loads(header)
        spans = sorted(entry["data_offsets"] for name, entry in entries.items() if name != "__metadata__")
        for first, last in spans:
            stream.seek(start + max(first, (first + last - SAMPLE) // 2))
            yield stream.read(min(SAMPLE, last - first))
