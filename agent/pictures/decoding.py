"""Untrusted bytes, and pictures that a caller holds in memory, to RGB pictures.

What comes from outside enters through `ImageStore.add_file`, `add_bytes`, `add_base64` and `add_held` alone. Here it is
refused with one sentence, or becomes an 8-bit RGB picture by one rule for each kind:

| the file has | it becomes |
|---|---|
| EXIF orientation | the picture as it was meant to be seen; all other metadata and colour profiles are dropped |
| grey, black and white, or a palette | the same colours in RGB |
| alpha or a transparent colour | the picture laid on white |
| CMYK | RGB by Pillow's plain formula, without a colour profile |
| 16 bits per channel | the high byte of each value |
| 16-bit grey with a transparent colour | refused |
| several frames | refused; a phone's JPEG with attached views (MPO) gives its first picture |

A picture of Pillow in memory follows the same rules, the orientation that it still carries among them. Its further
kinds become RGB as Pillow converts them (YCbCr, HSV, LAB, palettes with alpha, premultiplied alpha); those whose values
have no fixed range, 32-bit integers and floats, are refused.

Only local files of the formats in `FORMATS` are read, no addresses; see `g2u.pictures.intake` for what a server takes.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import LargePictureError, PictureError

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""File formats that are read; a short list, since every decoder is a way in (Pillow's EPS starts Ghostscript)."""

MEDIA_TYPES: Final = tuple(f"image/{name.lower()}" for name in FORMATS)
"""What others may send; what a file really is, its bytes say."""

_MODES: Final = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "LAB"}
_DEEP_MODES: Final = {"I;16": 1, "I;16L": 1, "I;16B": 0}
"""Of 16 bits, with the place of the high byte of each two."""
DECODER_ERRORS: Final = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow's decoders raise on hostile bytes, as found by flipping bits of files of each format."""
_WARNINGS_LOCK: Final = threading.Lock()
"""`warnings.catch_warnings` changes state of the whole process."""
DECODING: Final = threading.BoundedSemaphore(2)
"""Held while a picture that somebody sent or asked for is decoded: each may take up to a gigabyte."""
_FORKING: Final = threading.Lock()


def _hold_all() -> None:
    """Wait for those that decode: a forked process must not find a lock held by a thread that it does not have."""
    for lock in (_FORKING, DECODING, DECODING, _WARNINGS_LOCK):
        lock.acquire()


def _release_all() -> None:
    for lock in (_WARNINGS_LOCK, DECODING, DECODING, _FORKING):
        lock.release()


os.register_at_fork(before=_hold_all, after_in_parent=_release_all, after_in_child=_release_all)


def read_file(path: str | Path, name: str, max_bytes: int) -> bytes:
    """Bytes of a regular file that is neither empty nor too large.

    Args:
        path: Of the file; an address is refused.
        name: What errors call it.
        max_bytes: Largest file that is read.

    Raises:
        PictureError: The file is missing, unreadable, empty, too large or no regular file.
    """
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", str(path)):
        raise PictureError(f"{name} is an address; only local files are read.", "Download it first.")
    try:
        kind = Path(path).stat().st_mode
        if stat.S_ISDIR(kind):
            raise PictureError(f"{name} is a folder; expected a picture file.", "Name one file in it.")
        if not stat.S_ISREG(kind):  # reading a pipe would wait for ever
            raise PictureError(f"{name} is a pipe or a device; expected a picture file.")
        with open(path, "rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise PictureError(f"There is no picture at {name}.", "Check the path.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise PictureError(f"{name} cannot be read: {reason}.", "Check the path and its permissions.") from error
    return check_bytes(data, name, max_bytes)


def check_bytes(data: bytes, name: str, max_bytes: int) -> bytes:
    """The file, neither empty nor too large.

    Raises:
        PictureError: It is empty.
        LargePictureError: It is larger than `max_bytes`.
    """
    if not data:
        raise PictureError(f"{name} is empty (0 bytes).", "Copy or download it again.")
    if len(data) > max_bytes:
        raise too_many_bytes(name, max_bytes)
    return data


def too_many_bytes(name: str, max_bytes: int) -> LargePictureError:
    """The error for a file over the limit, also where it was not read to its end."""
    return LargePictureError(f"{name} is larger than {max_bytes / 2**20:g} MiB.", "Scale the picture down first.")


def decode(data: bytes, name: str, max_pixels: int) -> Image.Image:
    """RGB picture of untrusted bytes; sizes are checked on the header, before any pixel is decoded.

    Args:
        data: A file.
        name: What errors call it.
        max_pixels: Largest picture that is decoded.

    Raises:
        PictureError: It is damaged, outside the limits or of a kind that is refused.
    """
    hint = f"Formats that are read: {', '.join(FORMATS)}."
    try:
        # Pillow warns from 89 megapixels on and raises from 179 on; our own limit says the same in one sentence.
        with _WARNINGS_LOCK, warnings.catch_warnings(action="ignore"):
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise PictureError(
            f"{name} is no picture in a format that is read, or cut off near its start.", hint
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(name, "far too many pixels", max_pixels) from error
    except DECODER_ERRORS as error:
        raise _damaged(name, error) from error
    return convert(image, name, max_pixels)


def convert(image: Image.Image, name: str, max_pixels: int) -> Image.Image:
    """RGB picture of one that Pillow has opened or made, by the rules of this module.

    Args:
        image: As it is; it may be loaded, and is not changed otherwise.
        name: What errors call it.
        max_pixels: Largest picture that is decoded.

    Raises:
        PictureError: It is damaged, closed, outside the limits or of a kind that is refused.
    """
    check_size(image.size, name, max_pixels)
    try:
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise PictureError(f"{name} is animated; expected a single picture.", "Take one of its frames.")
        deep = image.mode in _DEEP_MODES and not image.has_transparency_data
        if not deep and image.mode not in _MODES:
            raise PictureError(f"{name} has pixels of a kind that is refused ({image.mode}).", "Make it 8-bit RGB.")
        image.load()
        return to_rgb(ImageOps.exif_transpose(image))
    except AssertionError as error:  # Pillow's, where it has let go of the file
        raise PictureError(f"{name} was closed before it was read.", "Give it while its file is open.") from error
    except DECODER_ERRORS as error:
        raise _damaged(name, error) from error


def check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    """Refuse a picture without pixels, or with too many.

    Args:
        size: Width and height.
        name: What errors call it.
        max_pixels: Of the largest picture that is taken.

    Raises:
        PictureError: It has none.
        LargePictureError: It has too many.
    """
    width, height = size
    if not width * height:
        raise PictureError(f"{name} has {width} x {height} pixels: there is nothing to see.")
    if width * height > max_pixels:
        raise _too_many_pixels(name, f"{width} x {height} pixels", max_pixels)


def _damaged(name: str, error: Exception) -> PictureError:
    return PictureError(f"{name} is cut off or damaged ({error}).", "Copy or download it again.")


def _too_many_pixels(name: str, what: str, max_pixels: int) -> LargePictureError:
    limit = f"{max_pixels / 1e6:g} megapixels"
    return LargePictureError(f"{name} has {what}; at most {limit} are decoded.", "Scale it down first.")


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB by the table at the top of this module."""
    if image.mode in _DEEP_MODES:
        return Image.frombytes("L", image.size, image.tobytes()[_DEEP_MODES[image.mode] :: 2]).convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")  # the only way out of it
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")
