"""What a word is to mini: the one rule by which its training lists the words it knows and a question is checked."""

from __future__ import annotations

import unicodedata
from itertools import groupby


def words_of(text: str) -> list[str]:
    """Words and numbers of a text in order, in lower case: `It's 12px.` has `it`, `s`, `12` and `px`."""
    runs = groupby(unicodedata.normalize("NFC", text), key=_kind)
    return ["".join(run).lower() for kind, run in runs if kind]


def _kind(character: str) -> str:
    """`L` for letters and the marks on them, `N` for digits, nothing for all that parts words."""
    return {"L": "L", "M": "L", "N": "N"}.get(unicodedata.category(character)[0], "")
