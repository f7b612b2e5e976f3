"""What names weights without reading all of them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from .tensor_files import sample

_SETTINGS: Final = (".json", ".txt", ".jinja", ".model")
"""Endings of files of configurations and tokenizers."""


def digest_tree(folder: Path) -> str:
    """SHA-256 that names the weights in a folder and in those within it, hexadecimal.

    Files of configurations and tokenizers count whole, weights as `tensor_files.sample` has them.
    """
    digest = hashlib.sha256()
    known = (*_SETTINGS, ".safetensors")
    for file in sorted(path for path in folder.rglob("*") if path.suffix in known and path.is_file()):
        parts = sample(file) if file.suffix == ".safetensors" else iter([file.read_bytes()])
        for part in (file.relative_to(folder).as_posix().encode(), *parts):
            digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()
