"""Pictures that others name: what a chat model or a client of a server writes in the place of a picture.

| it writes | it gets |
|---|---|
| `g2u:` and the hash, the hash alone, an address that ends in `/g2u/pictures/HASH` | that picture, out of the store |
| base64, also behind `data:image/png;base64,` | the picture itself, kept in the store |
| a path | the file, where it lies in the folder that was opened for that |

Whatever enters is checked as `ImageStore` checks a user's file; nothing is fetched from an address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from reprlib import repr as short
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator

from ..asking import store_for
from ..errors import PictureError
from ..loop.asked import parsed
from ..pictures.encoded import is_encoded
from ..pictures.links import REFERENCE
from ..pictures.references import ImageRef
from ..pictures.several import given_pictures
from ..pictures.store import ImageStore
from ..state import Context

ABOUT_PICTURE: Final = "Path of a picture file, or the reference of a picture (g2u:...) that an earlier result named."
"""Told to those who fill in the argument."""
ABOUT_PICTURES: Final = "In the place of `picture`, where the question is about several: each of them, in order."
"""The same, of an argument for several."""

_HASH: Final = re.compile(r"([0-9a-f]{64})")


class Given(BaseModel):
    """Arguments as a chat model or a client fills them in.

    What is `null` is left out, and a list or an object may come as JSON text: some have forms that know texts alone.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        texts = [name for name, field in cls.model_fields.items() if field.annotation is str]
        return {
            name: value if name in texts else _without_nulls(parsed(value))
            for name, value in given.items()
            if value is not None
        }


def enter_picture(store: ImageStore, picture: str, folder: Path | None) -> ImageRef:
    """Find or keep the picture that somebody named.

    Args:
        store: Where it is kept.
        picture: As the table of this module says.
        folder: Paths are read in it alone, links followed; `None` reads none.

    Raises:
        PictureError: It is not in the store, not in the folder, no picture, or outside the limits.
    """
    picture = picture.strip()
    if found := _HASH.fullmatch(picture) or REFERENCE.fullmatch(picture):
        return store.find(found[1])
    if picture.startswith("g2u:"):
        raise PictureError(f"{short(picture)} is no reference to a picture.", "Copy one of an earlier result in full.")
    if is_encoded(picture):
        return store.add_base64(picture, "The picture")
    if picture.startswith("data:"):
        raise PictureError("A data address of a picture begins with data:image/png;base64, or the like.")
    return store.add_file(_inside(picture, folder), short(picture))


def enter_for(
    context: Context, out: Path | None, pictures: Sequence[str], folder: Path | None
) -> tuple[ImageStore, list[ImageRef]]:
    """The store of a run and the pictures that somebody named, kept in it; blocks, so async code calls it in a thread.

    Args:
        context: Settings of the run.
        out: Folder of runs, as for `store_for`.
        pictures: Each as the table of this module says.
        folder: Paths are read in it alone; `None` reads none.

    Raises:
        PictureError: As `enter_picture`.
    """
    store = store_for(context, out)
    return store, [enter_picture(store, picture, folder) for picture in pictures]


def named_pictures(picture: object, pictures: object) -> list[Any]:
    """What somebody named in the two arguments for pictures, one of which is to be filled in.

    Raises:
        PictureError: Neither is, or as `given_pictures`.
    """
    found = given_pictures({"picture": picture or None, "pictures": pictures or None})
    if found is None:
        raise PictureError("There is no picture to ask about.", "Give one as `picture`, or several as `pictures`.")
    return found


def _without_nulls(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return {name: inner for name, inner in value.items() if inner is not None}


def _inside(path: str, folder: Path | None) -> Path:
    """A path that does not leave the folder; what lies outside is not even looked at."""
    if folder is None:
        raise PictureError("No paths are read here.", "Send the picture itself, or the reference of an earlier result.")
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+:", path):
        raise PictureError(f"{short(path)} is an address; only local files are read.", "Download it first.")
    try:
        root = folder.expanduser().resolve()
        resolved = (root / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise PictureError(f"{short(path)} is no path of a file.", "Name a picture file.") from error
    if not resolved.is_relative_to(root):
        raise PictureError(f"{short(path)} is outside of the folder that may be read.", "Name a file in that folder.")
    return resolved
