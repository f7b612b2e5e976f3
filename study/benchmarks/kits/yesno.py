"""How VLMEvalKit reads a yes or a no out of a reply; quirks and all."""

from __future__ import annotations

import re
from typing import Final

_MARKS: Final = ';/[]"{}()=+\\_-><@`,?!'
_THOUSANDS: Final = re.compile(r"\d,\d")
_STOP: Final = re.compile(r"(?<!\d)\.(?!\d)")
_STOPS: Final = 32
"""Full stops that go; the kit hands a flag over in the place of a number, and this is its value."""


def read_yes_or_no(reply: object) -> str | None:
    """`Yes` or `No`; `None` where the kit reads neither, or both."""
    words = _plain(str(reply).lower()).split()
    said = [word for word in ("yes", "no") if word in words]
    return said[0].capitalize() if len(said) == 1 else None


def _plain(text: str) -> str:
    """A text without marks: one beside a blank is deleted wherever it stands, others become blanks."""
    numbers = _THOUSANDS.search(text) is not None
    told = text
    for mark in _MARKS:
        beside = f"{mark} " in text or f" {mark}" in text
        told = told.replace(mark, "" if beside or numbers else " ")
    return _STOP.sub("", told, count=_STOPS)
