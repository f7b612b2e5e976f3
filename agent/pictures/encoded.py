"""Pictures as text: base64 as programs write it, alone, behind `data:` or somewhere in a text.

| written as | read |
|---|---|
| in lines, as `base64 picture.png` does | yes |
| without the padding at its end | yes |
| in the alphabet of URLs, `-` and `_` | yes |
| behind `data:image/png;base64,` where data alone is expected; with `%2B` and the like in it | yes |
| cut off in the middle of a character, or with anything else in it | refused |
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from ..errors import PictureError
from .decoding import too_many_bytes

DATA_ADDRESS: Final = re.compile(r"\s*data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,", re.IGNORECASE)
"""The beginning of a picture that is its own address; the rest is base64."""

_URLS: Final = str.maketrans("-_", "+/")
_DIGITS: Final = r"[A-Za-z0-9+/_%=-]"
_IN_TEXT: Final = re.compile(
    rf"data:(?:[\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,{_DIGITS}{{40,}}(?:\r?\n{_DIGITS}+(?=\r?\n|$))*", re.IGNORECASE
)
"""A line goes on where the next one is nothing but digits, so that words after a picture stay words."""
_BARE: Final = re.compile(
    r"\s*(?:iVBORw0KGgo|[/_]9j[/_]|R0lGOD|UklGR[\w+/-]{7}RUJQ|Qk[\w+/-]{6}AAAA)"
    r"[A-Za-z0-9+/_-]{20,}(?:\r?\n[A-Za-z0-9+/_-]+)*={0,2}\s*",
    re.ASCII,
)
"""A file of one of the formats that are read, by how each begins, and nothing beside it."""


def decode_base64(data: str, name: str, max_bytes: int) -> bytes:
    """A file that came as base64, by the table of this module.

    Args:
        data: The file.
        name: What errors call it, as the subject of a sentence.
        max_bytes: Of the file.

    Raises:
        LargePictureError: It is larger.
        PictureError: It is no base64.
    """
    if found := DATA_ADDRESS.match(data):
        data = data[found.end() :]
    digits = "".join((unquote(data) if "%" in data else data).split()).rstrip("=")
    if len(digits) > (max_bytes * 4 + 2) // 3:  # before it is decoded
        raise too_many_bytes(name, max_bytes)
    try:
        return base64.b64decode(digits.translate(_URLS) + "=" * (-len(digits) % 4), validate=True)
    except ValueError as error:
        raise PictureError(f"{name} is no base64 ({error}).", "Encode the whole file again.") from error


def is_encoded(text: str) -> bool:
    """Whether a text is a picture and nothing else: its own address, or base64 that begins as pictures do."""
    return bool(DATA_ADDRESS.match(text) or _BARE.fullmatch(text))


def replace_encoded(text: str, replaced: Callable[[str], str]) -> str:
    """A text with something in the place of each picture that it holds, also of those within its words.

    Args:
        text: Any.
        replaced: Gets a picture as it is written, gives what stands in its place.
    """
    if _BARE.fullmatch(text):
        return replaced(text)
    return _IN_TEXT.sub(lambda found: replaced(found[0]), text) if ";base64," in text else text
