"""Texts and numbers as scorers compare them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from ..errors import MissingExtraError

_NUMBER: Final = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d+)?")
_BEFORE: Final = re.compile(r"^(?:[\s,!?;:'\"`*_()\[\]{}\u3002]|\.(?!\d))+")
_AFTER: Final = re.compile(r"[\s.,!?;:'\"`*_()\[\]{}\u3002]+$")
"""What may stand around an answer without changing it; not the point of `.5`."""


def plain(text: str) -> str:
    """A text without regard to case, to the form of its characters, and to marks and spaces around it or doubled.

    A text of marks alone stays as it is.
    """
    told = " ".join(unicodedata.normalize("NFC", text).replace("\u2212", "-").casefold().split())
    return _AFTER.sub("", _BEFORE.sub("", told)) or told


def number_of(text: str) -> float | None:
    """The number that a text is: `12`, `12.0`, `1,200`, `12 %`, `$12` or, in English, `twelve`; `None` for others.

    A percentage is its number, as the answers of charts have it: `12 %` is 12.

    Raises:
        MissingExtraError: It is in words, and the extra `study`, which reads them, is not installed.
    """
    bare = plain(text).strip("%$\u20ac\u00a3 ").removesuffix(" percent")
    if bare and bare.isascii() and _NUMBER.fullmatch(bare):
        try:
            return float(bare.replace(",", ""))
        except ValueError:  # a sign alone
            return None
    if not re.fullmatch(r"[a-z -]+", bare):
        return None
    try:
        from text_to_num import text2num
    except ImportError as error:
        raise MissingExtraError("A number in words", "text2num", "study") from error
    try:
        return float(text2num(bare, "en"))
    except ValueError:
        return None
