"""Texts and numbers as scorers compare them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from ..errors import MissingExtraError

_NUMBER: Final = re.compile(r"[-+\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d+)?")
_MARKS: Final = " \t\n.,!?;:'\"`*_()[]{}"
"""What may stand around an answer without changing it."""


def plain(text: str) -> str:
    """A text without regard to case, to the form of its characters, and to marks and spaces around it or doubled."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(_MARKS)


def number_of(text: str) -> float | None:
    """The number that a text is: `12`, `12.0`, `1,200`, `12 %`, `$12` or, in English, `twelve`; `None` for others.

    A percentage is its number, as the answers of charts have it: `12 %` is 12.

    Raises:
        MissingExtraError: It is in words, and the extra `study`, which reads them, is not installed.
    """
    bare = plain(text).strip("%$\u20ac\u00a3 ").removesuffix(" percent")
    if bare and _NUMBER.fullmatch(bare):
        try:
            return float(bare.replace(",", "").replace("\u2212", "-"))
        except ValueError:  # a sign or a full stop alone
            return None
    if not bare or any(character.isdigit() for character in bare) or not re.fullmatch(r"[a-z -]+", bare):
        return None
    try:
        from text_to_num import text2num
    except ImportError as error:
        raise MissingExtraError("A number in words", "text2num", "study") from error
    try:
        return float(text2num(bare, "en"))
    except ValueError:
        return None
