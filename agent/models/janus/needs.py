"""What a Janus needs of a folder and of a machine, looked at without loading it."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import G2UError
from ..checks import Check
from ..device import find_device
from .load import find_folder


def examine(key: str, weights: str) -> Iterator[Check]:
    """Files and their sizes, and the device; see `checks.Examiner`."""
    try:
        folder = find_folder(weights)
    except G2UError as error:
        yield Check(name="weights", good=False, found=error.in_full)
        return
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    yield Check(name="weights", good=size > 0, found=f"{size:,} bytes of safetensors in {folder}")
    try:
        yield Check(name="device", good=True, found=str(find_device()))
    except G2UError as error:
        yield Check(name="device", good=False, found=str(error))
