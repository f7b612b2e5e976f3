"""Pictures by reference: `ImageRef` travels through state and traces, `ImageStore` keeps the pixels on disk.

What comes from outside enters through `ImageStore.add_file`, `add_bytes` and `add_base64` alone. There it is refused
with one sentence, or becomes an 8-bit RGB picture by one rule for each kind:

| the file has | it becomes |
|---|---|
| EXIF orientation | the picture as it was meant to be seen; all other metadata and colour profiles are dropped |
| grey, black and white, or a palette | the same colours in RGB |
| alpha or a transparent colour | the picture laid on white |
| CMYK | RGB by Pillow's plain formula, without a colour profile |
| 16 bits per channel | the high byte of each value |
| 16-bit grey with a transparent colour | refused |
| several frames | refused; a phone's JPEG with attached views (MPO) gives its first picture |

Only local files of the formats in `FORMATS` are read, no addresses; see `g2u.pictures.intake` for what a server takes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import stat
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict, Field

from ..errors import LargePictureError, PictureError, UnknownPictureError
from ..files import write_atomic

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""File formats that are read; a short list, since every decoder is a way in (Pillow's EPS starts Ghostscript)."""

MEDIA_TYPES: Final = tuple(f"image/{name.lower()}" for name in FORMATS)
"""What others may send; what a file really is, its bytes say."""

_PLAIN_MODES: Final = {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK"}
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_DECODER_ERRORS: Final = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow's decoders raise on hostile bytes, as found by flipping bits of files of each format."""
_WARNINGS_LOCK: Final = threading.Lock()
"""`warnings.catch_warnings` changes state of the whole process."""
DECODING: Final = threading.BoundedSemaphore(2)
"""Held while a picture that somebody sent or asked for is decoded: each may take up to a gigabyte."""


def _uri(data: dict[str, Any]) -> str:
    return f"g2u:{data['sha256']}"


class ImageRef(BaseModel):
    """A picture by reference: the only form in which pictures enter state, traces and tools."""

    model_config = ConfigDict(frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the PNG file that the store keeps, hexadecimal; equal pixels, equal reference (for one release of Pillow)."""
    width: int = Field(ge=1)
    """In pixels."""
    height: int = Field(ge=1)
    """In pixels."""
    mime: str = "image/png"
    """Media type of the stored file."""
    uri: str = Field(default_factory=_uri)
    """`g2u:` and the hash; a store resolves it."""


class ImageStore:
    """Content-addressed folder of RGB PNG files: `ab/abcd....png`, named by the SHA-256 of their bytes.

    Files are written whole or not at all and never change, so threads and processes may share a folder.

    Args:
        root: The folder; made by the first write.
        max_bytes: Largest file that `add_file` reads.
        max_pixels: Largest picture that `add_file` decodes; taken from the header, before decoding.
    """

    def __init__(self, root: str | Path, *, max_bytes: int = 64 * 2**20, max_pixels: int = 64_000_000) -> None:
        """Touch nothing yet."""
        self.root = Path(root)
        self.max_bytes = max_bytes
        self.max_pixels = max_pixels

    def add_file(self, path: str | Path) -> ImageRef:
        """Check a user's file, convert it by the rules at the top of this module and keep it.

        Raises:
            PictureError: The file is missing, unreadable, damaged, outside the limits or of a kind that is refused.
            OutputError: The store cannot be written to.
        """
        name = repr(str(path))
        return self._add(_read(path, name, self.max_bytes), name)

    def add_bytes(self, data: bytes, name: str) -> ImageRef:
        """Do the same with what is in a file, such as an upload.

        Args:
            data: The file.
            name: What errors call it, as the subject of a sentence: `"The upload"`.

        Raises:
            PictureError: As `add_file`.
            OutputError: The store cannot be written to.
        """
        return self._add(check_bytes(data, name, self.max_bytes), name)

    def add_base64(self, data: str, name: str) -> ImageRef:
        """Do the same with a file that came as base64.

        Args:
            data: The file.
            name: As for `add_bytes`.

        Raises:
            PictureError: It is no base64, or as `add_bytes`.
            OutputError: The store cannot be written to.
        """
        if len(data) > (self.max_bytes + 2) // 3 * 4:  # before it is decoded
            raise too_many_bytes(name, self.max_bytes)
        try:
            decoded = base64.b64decode(data, validate=True)
        except ValueError as error:
            raise PictureError(f"{name} is no base64 ({error}).", "Encode the whole file again.") from error
        return self.add_bytes(decoded, name)

    def find(self, sha256: str) -> ImageRef:
        """The reference to a picture of which the hash alone is known.

        Raises:
            PictureError: It is no hash, or the file is damaged.
            UnknownPictureError: There is no such picture.
        """
        with DECODING:
            image = self.open(sha256)
        return ImageRef(sha256=sha256, width=image.width, height=image.height)

    def add_image(self, image: Image.Image) -> ImageRef:
        """Keep a picture that we made, such as a drawing of a model.

        Raises:
            OutputError: The store cannot be written to.
        """
        buffer = io.BytesIO()
        # A bare copy of the pixels: metadata in `info` would change the file and so the reference. Level 1 takes a
        # millisecond for 128 x 128 pixels; higher ones save a few per cent of space for twice the time.
        bare = Image.new("RGB", image.size)
        bare.paste(_to_rgb(image))
        bare.save(buffer, "PNG", compress_level=1)
        data = buffer.getvalue()
        ref = ImageRef(sha256=hashlib.sha256(data).hexdigest(), width=image.width, height=image.height)
        path = self.path(ref)
        if not _holds(path, data):
            write_atomic(path, data)
        return ref

    def path(self, ref: ImageRef | str) -> Path:
        """Where the file of a reference (or of its hash) is kept, whether or not it is there.

        Raises:
            PictureError: It is no SHA-256 in hexadecimal, so that no path can leave the folder.
        """
        sha256 = ref.sha256 if isinstance(ref, ImageRef) else ref
        if not _SHA256.fullmatch(sha256):
            raise PictureError(f"{sha256!r} is no reference to a picture; expected 64 hexadecimal digits.")
        return self.root / sha256[:2] / f"{sha256}.png"

    def open(self, ref: ImageRef | str) -> Image.Image:
        """The picture of a reference (or of its hash): RGB, decoded, checked against its hash and size.

        Raises:
            UnknownPictureError: The file is not there.
            PictureError: It is not what the reference says.
        """
        path = self.path(ref)
        try:
            data = path.read_bytes()
        except OSError as error:
            hint = "Set $G2U_PICTURES or the `pictures` setting to the store that it was added to, or add it again."
            raise UnknownPictureError(f"The picture {path.stem[:12]} is not in the store.", hint) from error
        # Clients of a server read this too, so it does not say where the store is.
        hint = f"Delete {path.parent.name}/{path.name} in the store and add it again."
        damaged = PictureError(f"The stored picture {path.stem[:12]} is damaged.", hint)
        if hashlib.sha256(data).hexdigest() != path.stem:
            raise damaged
        try:
            image = Image.open(io.BytesIO(data), formats=["PNG"])
            image.load()
        except _DECODER_ERRORS as error:
            raise damaged from error
        if image.mode != "RGB" or (isinstance(ref, ImageRef) and image.size != (ref.width, ref.height)):
            raise damaged
        return image

    def _add(self, data: bytes, name: str) -> ImageRef:
        with DECODING:
            return self.add_image(_decode(data, name, self.max_pixels))


_STORES: dict[Path, ImageStore] = {}


def get_store(folder: str | Path = "") -> ImageStore:
    """The store of a folder, the same object for the same folder.

    Args:
        folder: Empty for `$G2U_PICTURES`, or `runs/pictures` in the current folder where that is not set.
    """
    root = Path(folder or os.environ.get("G2U_PICTURES") or "runs/pictures").expanduser().resolve()
    return _STORES.setdefault(root, ImageStore(root))


def _holds(path: Path, data: bytes) -> bool:
    """Whether a file is there and whole; by its bytes, so that adding a picture again mends a damaged copy."""
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _read(path: str | Path, name: str, max_bytes: int) -> bytes:
    """Bytes of a regular file that is neither empty nor too large."""
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


def _decode(data: bytes, name: str, max_pixels: int) -> Image.Image:
    """RGB picture of untrusted bytes; sizes are checked on the header, before any pixel is decoded."""
    hint = f"Formats that are read: {', '.join(FORMATS)}."
    try:
        # Pillow warns from 89 megapixels on and raises from 179 on; our own limit says the same in one sentence.
        with _WARNINGS_LOCK, warnings.catch_warnings(action="ignore"):
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > max_pixels:
            raise _too_many_pixels(name, f"{image.width} x {image.height} pixels", max_pixels)
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise PictureError(f"{name} is animated; expected a single picture.", "Save one of its frames.")
        deep = image.mode == "I;16" and not image.has_transparency_data
        if not deep and image.mode not in _PLAIN_MODES:
            raise PictureError(f"{name} has pixels of a kind that is refused ({image.mode}).", "Save as 8-bit RGB.")
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise PictureError(
            f"{name} is no picture in a format that is read, or cut off near its start.", hint
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(name, "far too many pixels", max_pixels) from error
    except _DECODER_ERRORS as error:
        raise PictureError(f"{name} is cut off or damaged ({error}).", "Copy or download it again.") from error


def _too_many_pixels(name: str, what: str, max_pixels: int) -> LargePictureError:
    limit = f"{max_pixels / 1e6:g} megapixels"
    return LargePictureError(f"{name} has {what}; at most {limit} are decoded.", "Scale it down first.")


def _to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB by the table at the top of this module."""
    if image.mode == "I;16":
        return Image.frombytes("L", image.size, image.tobytes()[1::2]).convert("RGB")  # little-endian: low byte first
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")
