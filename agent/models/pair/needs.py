"""What a pair needs, looked at without loading it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from ...errors import G2UError
from ..checks import Check
from ..device import find_device
from .load import check_needs
from .settings import read_settings


def examine(key: str, weights: str) -> Iterator[Check]:
    """The file, the folders, their sizes, packages of the extra `pair`, and devices; see `checks.Examiner`."""
    try:
        settings = read_settings(weights)
        check_needs(settings)
    except G2UError as error:
        yield Check(name="settings", good=False, found=str(error))
        return
    yield Check(name="settings", good=True, found=weights)
    if settings.reader is None:
        yield Check(name="reader", good=True, found="that of the pipeline: reader and conditioner are the same weights")
    for what, part in (("reader", settings.reader), ("editor", settings.editor)):
        if part is None:
            continue
        size = sum(file.stat().st_size for file in Path(part.folder).rglob("*.safetensors"))
        yield Check(name=f"weights of the {what}", good=size > 0, found=f"{size:,} bytes of safetensors")
        try:
            place = part.device_map or str(find_device(part.device))
            yield Check(name=f"device of the {what}", good=True, found=place)
        except G2UError as error:
            yield Check(name=f"device of the {what}", good=False, found=str(error))
    for package, for_what in (
        ("torchvision", "processors of Qwen-VL and kin"),
        ("accelerate", "offload, quantisation"),
    ):
        there = importlib.util.find_spec(package) is not None
        yield Check(name=package, good=True, found="installed" if there else f"not installed; for {for_what}")
