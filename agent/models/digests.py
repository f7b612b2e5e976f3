"""What names weights without reading all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SAMPLE: Final = 256
"""Bytes of each tensor that count, from its middle."""
_SETTINGS: Final = (".json", ".txt", ".jinja", ".model")
"""Endings of files of configurations and tokenizers."""


def tensor_parts(file: Path) -> Iterator[bytes]:
    """Of a safetensors file its name and size, its header, and `SAMPLE` bytes from the middle of each tensor."""
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


def digest_tree(folder: Path) -> str:
    """SHA-256 that names the weights in a folder and in those within it, hexadecimal.

    Files of configurations and tokenizers count whole, weights as `tensor_parts` has them.
    """
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        place = file.relative_to(folder).as_posix().encode()
        parts = tensor_parts(file) if file.suffix == ".safetensors" else iter([file.read_bytes()])
        for part in (place, *parts) if file.suffix in (*_SETTINGS, ".safetensors") else ():
            digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()
