"""Pictures by reference: the only form in which they travel."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field

from ..errors import PictureError, UnknownPictureError

if TYPE_CHECKING:
    from PIL import Image

LARGEST: Final = 512
"""Longest side of a picture in the output of a notebook, in pixels; larger ones are scaled down."""


class Store(Protocol):
    """What can open a reference, as `ImageStore` does."""

    def open(self, ref: ImageRef) -> Image.Image:
        """The picture."""


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

    def open(self, store: Store | None = None) -> Image.Image:
        """The picture itself, RGB.

        A reference says what is in the file and not where that is: every store that has it has the same picture. So
        without a store it is looked for in all that this process has used, those of its runs among them, and in the
        default one.

        Args:
            store: That has it; `None` looks for it.

        Raises:
            UnknownPictureError: It is in none of them.
            PictureError: The file is damaged.
        """
        return store.open(self) if store else find_picture(self)

    def _repr_png_(self) -> bytes | None:
        """For a notebook, which shows the reference in words where the picture is not found."""
        try:
            image = self.open()
        except PictureError:
            return None
        image.thumbnail((LARGEST, LARGEST))
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()


def _nowhere(ref: ImageRef) -> Image.Image:
    hint = 'Name its store: `ref.open(g2u.ImageStore("runs/pictures"))`.'
    raise UnknownPictureError(f"No store was used in this process that could have the picture {ref.sha256[:12]}.", hint)


find_picture: Callable[[ImageRef], Image.Image] = _nowhere
"""Opens a reference wherever it is. `store` puts its own here: stores know references, which do not know them."""
