"""Pictures by reference: the only form in which they travel."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


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
