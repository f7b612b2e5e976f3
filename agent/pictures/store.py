"""`ImageStore` keeps pictures on disk under their hash; `ImageRef` stands for them everywhere else."""

from __future__ import annotations

import hashlib
import io
import os
import re
import threading
from pathlib import Path
from typing import Final

from PIL import Image

from ..errors import PictureError, UnknownPictureError
from ..files import write_atomic
from . import references
from .decoding import DECODER_ERRORS, DECODING, check_bytes, convert, decode, read_file, to_rgb
from .encoded import decode_base64
from .references import ImageRef

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_HELD: Final = threading.Lock()
"""Pillow reads a file that it has opened when the pixels are wanted, and two threads that ask about the same picture
would read it at once. Taken under `DECODING` alone, so that no fork finds it held."""


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

    def add_file(self, path: str | Path, name: str = "") -> ImageRef:
        """Check a user's file, convert it by the rules of `decoding` and keep it.

        Args:
            path: Of the file.
            name: What errors call it, as the subject of a sentence; empty for its path.

        Raises:
            PictureError: The file is missing, unreadable, damaged, outside the limits or of a kind that is refused.
            OutputError: The store cannot be written to.
        """
        name = name or repr(str(path))
        return self._add(read_file(path, name, self.max_bytes), name)

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
            data: The file, as the table of `encoded` says.
            name: As for `add_bytes`.

        Raises:
            PictureError: It is no base64, or as `add_bytes`.
            OutputError: The store cannot be written to.
        """
        return self.add_bytes(decode_base64(data, name, self.max_bytes), name)

    def add_held(self, image: Image.Image, name: str) -> ImageRef:
        """Do the same with a picture that a caller holds in memory, such as one that was opened with Pillow.

        Args:
            image: Of any kind; it is not changed.
            name: As for `add_bytes`.

        Raises:
            PictureError: It is damaged, closed, outside the limits or of a kind that is refused.
            OutputError: The store cannot be written to.
        """
        with DECODING, _HELD:
            rgb = convert(image, name, self.max_pixels)
        return self.add_image(rgb)

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
        bare.paste(to_rgb(image))
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
            hint = "Set $G2U_PICTURES or the `store` setting to the folder that it was added to, or add it again."
            raise UnknownPictureError(f"The picture {path.stem[:12]} is not in the store.", hint) from error
        # Clients of a server read this too, so it does not say where the store is.
        hint = f"Delete {path.parent.name}/{path.name} in the store and add it again."
        damaged = PictureError(f"The stored picture {path.stem[:12]} is damaged.", hint)
        if hashlib.sha256(data).hexdigest() != path.stem:
            raise damaged
        try:
            image = Image.open(io.BytesIO(data), formats=["PNG"])
            image.load()
        except DECODER_ERRORS as error:
            raise damaged from error
        if image.mode != "RGB" or (isinstance(ref, ImageRef) and image.size != (ref.width, ref.height)):
            raise damaged
        return image

    def _add(self, data: bytes, name: str) -> ImageRef:
        with DECODING:
            return self.add_image(decode(data, name, self.max_pixels))


_STORES: dict[Path, ImageStore] = {}


def get_store(folder: str | Path = "") -> ImageStore:
    """The store of a folder, the same object for the same folder.

    Args:
        folder: Empty for `$G2U_PICTURES`, or `runs/pictures` in the current folder where that is not set.
    """
    root = Path(folder or os.environ.get("G2U_PICTURES") or "runs/pictures").expanduser().resolve()
    return _STORES.setdefault(root, ImageStore(root))


def find_picture(ref: ImageRef) -> Image.Image:
    """Open a picture wherever it is: in the default store, or in another one that this process has used.

    Raises:
        UnknownPictureError: It is in none of them.
        PictureError: The only file of it is damaged.
    """
    told: PictureError | None = None
    for store in list(dict.fromkeys([get_store(), *_STORES.values()])):
        try:
            return store.open(ref)
        except UnknownPictureError:
            continue
        except PictureError as error:
            told = error
    folders = ", ".join(str(root) for root in _STORES)
    message = f"The picture {ref.sha256[:12]} is in no store that this process has used."
    unknown = UnknownPictureError(message, 'Name the one that has it: `ref.open(g2u.ImageStore("runs/pictures"))`.')
    unknown.add_note(f"(It was looked for in {folders}.)")
    raise told or unknown


references.find_picture = find_picture


def _holds(path: Path, data: bytes) -> bool:
    """Whether a file is there and whole; by its bytes, so that adding a picture again mends a damaged copy."""
    try:
        return path.read_bytes() == data
    except OSError:
        return False
