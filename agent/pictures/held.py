"""A picture as a person holds it in Python becomes a reference; what clients of a server send comes through `intake`.

| held | what is done |
|---|---|
| a path, as text or as a `Path` | the file is read |
| `bytes` of a file | the same |
| a `PIL.Image.Image` of any kind | converted as `decoding` says, and kept; an orientation that it carries is applied |
| a numpy array of `uint8`: height x width, grey; x 3, RGB; x 4, with alpha | the same; arrays of OpenCV have BGR |
| an `ImageRef`, also as JSON, `g2u:` and a hash, an address ending in `/g2u/pictures/HASH` | looked up in the store |
| `data:image/png;base64,...`, or base64 alone | read like a file |
| an `http` or `https` address | fetched where `$G2U_FETCH_HOSTS` names its host, never a private one, see `fetching` |
| anything else | refused |
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from reprlib import repr as short
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from PIL import Image

from ..errors import PictureError
from .decoding import check_size
from .encoded import is_encoded
from .fetching import fetch_picture
from .intake import Fetch, take_picture
from .links import REFERENCE
from .references import ImageRef
from .store import ImageStore

if TYPE_CHECKING:
    import numpy

PictureLike: TypeAlias = (
    "str | Path | bytes | bytearray | memoryview | Image.Image | numpy.typing.NDArray[numpy.uint8] | ImageRef"
)
"""What is taken for a picture, by the table of this module."""

HINT: Final = "Give a path, bytes of a file, a PIL.Image, a numpy array, an address or a g2u.ImageRef."
FETCH: Final = partial(fetch_picture, hint="Name the host in $G2U_FETCH_HOSTS, or download it and give its path.")

_NAMED: Final = re.compile(r"\s*(g2u:|data:|https?://)", re.IGNORECASE)
_MODES: Final = {(): "L", (3,): "RGB", (4,): "RGBA"}
"""Of arrays, by their shape after height and width."""


def take_held(given: object, store: ImageStore, fetch: Fetch = FETCH, name: str = "The picture") -> ImageRef:
    """The reference to a picture, which is in the store afterwards. It blocks; async code calls it in a thread.

    Args:
        given: What the table above lists.
        store: Where it is kept.
        fetch: Gets what is elsewhere.
        name: What errors call a picture that has no name of its own, as the subject of a sentence.

    Raises:
        PictureError: It is nothing that is taken, or damaged, outside the limits or of a kind that is refused.
        UnknownPictureError: The store does not have it.
        AddressError: It is at an address that must not be opened, or could not be got from there.
        OutputError: The store cannot be written to.
    """
    check_held(given, name)
    if isinstance(given, Image.Image):
        return store.add_held(given, name)
    if isinstance(given, (bytes, bytearray, memoryview)):
        return store.add_bytes(bytes(given), name)
    if _is_array(given):
        return store.add_held(_from_array(given, name, store.max_pixels), name)
    if isinstance(given, Path) or (isinstance(given, str) and not _is_named(given)):
        return store.add_file(given)
    return take_picture(given, store, fetch, HINT)


def check_held(given: object, name: str = "The picture") -> None:
    """Refuse what is of no type that is taken, and an array of another kind, before anything is read.

    Args:
        given: What may be a picture.
        name: What errors call an array.

    Raises:
        PictureError: It says what came and what was expected.
    """
    if _is_array(given):
        _check_array(given, name)
    elif not isinstance(given, (str, Path, bytes, bytearray, memoryview, Image.Image, ImageRef, Mapping)):
        kind = f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
        raise PictureError(f"A picture cannot be {short(given)} ({kind}).", HINT)


def _is_named(given: str) -> bool:
    """Whether a text names a picture that is no file of this machine."""
    return bool(_NAMED.match(given) or REFERENCE.fullmatch(given.strip()) or is_encoded(given))


def _is_array(given: object) -> bool:
    """Whether it is an array of numpy, which is not imported for that: who holds one has imported it."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(given, numpy.ndarray)


def _check_array(array: Any, name: str) -> None:
    kind, shape = str(array.dtype), tuple(array.shape)
    if kind == "uint8" and array.ndim >= 2 and shape[2:] in _MODES:
        return
    first = array.ndim == 3 and shape[0] in (1, 3, 4) and shape[2:] not in _MODES
    hints = (
        (shape[2:] == (1,), "Leave the last axis out: `array[:, :, 0]`."),
        (first, "Put the channels last: `array.transpose(1, 2, 0)`."),
        (array.ndim == 4, "Take one of the batch: `array[0]`."),
        (array.dtype.kind == "f", 'Of values from 0 to 1: `(array * 255).round().astype("uint8")`.'),
    )
    hint = next((hint for fits, hint in hints if fits), "")
    message = f"{name} is an array of {kind} in the shape {shape}; uint8 of height x width x 3 was expected"
    raise PictureError(f"{message}, or x 4 with alpha, or height x width in grey.", hint)


def _from_array(array: Any, name: str, max_pixels: int) -> Image.Image:
    height, width = array.shape[:2]
    check_size((width, height), name, max_pixels)
    return Image.frombytes(_MODES[array.shape[2:]], (width, height), array.tobytes())
