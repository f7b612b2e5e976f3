"""Pictures of a page: each once, small, as an address that holds the picture itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from PIL import Image

from g2u.errors import PictureError
from g2u.pictures.store import ImageStore

LARGEST: Final = 160
"""Longest side in pixels; larger pictures are scaled down, smaller ones are shown as they are."""
QUALITY: Final = 80
"""Of pictures with loss, from 0 to 100."""
MISSING: Final = -1
"""Number of a picture that cannot be read."""


class Thumbnails:
    """Pictures by number, each of them once.

    Args:
        stores: Where the pictures are; the first that has one gives it.
    """

    def __init__(self, stores: Sequence[ImageStore]) -> None:
        """Nothing is read yet."""
        self.addresses: list[str] = []
        """`data:` address of each number."""
        self.bytes = 0
        """Of all addresses together."""
        self.missing = 0
        """Pictures that could not be read."""
        self._stores = stores
        self._numbers: dict[str, int] = {}

    def add(self, hashes: Iterable[str]) -> None:
        """Read and shrink those that are new, several at a time."""
        new = [sha256 for sha256 in dict.fromkeys(hashes) if sha256 not in self._numbers]
        with ThreadPoolExecutor() as pool:
            for sha256, address in zip(new, pool.map(self._address, new), strict=True):
                if address is None:
                    self.missing += 1
                    self._numbers[sha256] = MISSING
                    continue
                self._numbers[sha256] = len(self.addresses)
                self.addresses.append(address)
                self.bytes += len(address) + 3

    def number(self, sha256: str) -> int:
        """Number of a picture that was added, or `MISSING`."""
        return self._numbers[sha256]

    def _address(self, sha256: str) -> str | None:
        for store in self._stores:
            try:
                image = store.open(sha256)
            except PictureError:
                continue
            return _data_uri(image)
        return None


def _data_uri(image: Image.Image) -> str:
    """WebP, without loss where that is no larger."""
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    files = []
    for options in ({"quality": QUALITY, "method": 3}, {"lossless": True, "quality": 20, "method": 1}):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", **options)
        files.append(buffer.getvalue())
    return f"data:image/webp;base64,{base64.b64encode(min(files, key=len)).decode()}"
