"""What a word is to mini: the one rule by which its training lists the words it knows and a question is checked.

Words are known whatever their case, but each was taught in one spelling or a few: `star`, `Which`, `CAFE`. What is read
is therefore spelt as it was taught.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from itertools import groupby


def words_of(text: str) -> list[str]:
    """Words and numbers of a text in order, in lower case: `It's 12px.` has `it`, `s`, `12` and `px`."""
    runs = groupby(unicodedata.normalize("NFC", text), key=_kind)
    return ["".join(run).lower() for kind, run in runs if kind]


def respell(text: str, spell: Callable[[str], str]) -> str:
    """A text with each of its words and numbers as `spell` gives it, and all between them as it is."""
    runs = ((kind, "".join(run)) for kind, run in groupby(text, key=_kind))
    return "".join(spell(run) if kind else run for kind, run in runs)


def _kind(character: str) -> str:
    """`L` for letters and the marks on them, `N` for digits, nothing for all that parts words."""
    return {"L": "L", "M": "L", "N": "N"}.get(unicodedata.category(character)[0], "")
