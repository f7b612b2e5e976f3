"""One picture or several: `picture` is the short form of `pictures` wherever a question is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as short
from typing import Any, Final

from ..errors import PictureError
from .references import ImageRef

MOST_ASKED: Final = 32
"""Pictures of one question at most, whatever the model takes; each may have to be fetched and decoded."""


def given_pictures(found: Mapping[str, Any]) -> list[Any] | None:
    """The pictures of what somebody gave, whatever they are called by; `None` where there are none.

    Args:
        found: With the key `pictures`, a list, or of one picture alone `picture`; what is `None` or empty is not given.

    Raises:
        PictureError: It has both and they differ, `pictures` is no list, or there are too many.
    """
    one, several = found.get("picture"), found.get("pictures")
    if several is None or (isinstance(several, (list, tuple)) and not several):
        return None if one is None else [one]
    if not isinstance(several, (list, tuple)):
        raise PictureError(f"pictures cannot be {short(several)}: a list was expected.", "Give one as `picture`.")
    if one is not None and not (len(several) == 1 and _same(one, several[0])):
        raise PictureError("`picture` and `pictures` are both given, and differ.", "Give `pictures` alone.")
    if len(several) > MOST_ASKED:
        raise PictureError(f"A question is about at most {MOST_ASKED} pictures, not {len(several)}.", "Give fewer.")
    return list(several)


def _same(one: object, other: object) -> bool:
    """Whether two are the same picture for certain; of arrays that is not asked."""
    return one is other or (isinstance(one, (str, Path, bytes, ImageRef, Mapping)) and bool(one == other))
