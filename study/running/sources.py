"""Which code made a drawing: a digest of the model's source files, since a version stays the same while one edits."""

from __future__ import annotations

import functools
import hashlib
import sys
from pathlib import Path

from g2u.models import protocol


@functools.cache
def code_of(model: type) -> str:
    """SHA-256 of the Python files of a model's package and of what all models share; computed once.

    Args:
        model: Its class. One outside of a package counts by its own file alone.
    """
    module = sys.modules[model.__module__]
    files = set(Path(protocol.__file__).parent.glob("*.py"))
    if place := getattr(module, "__file__", None):
        files |= set(Path(place).parent.rglob("*.py")) if module.__package__ else {Path(place)}
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda one: (one.name, str(one))):
        digest.update(f"{file.name}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
