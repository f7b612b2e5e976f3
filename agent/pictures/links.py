"""Where a picture can be seen: its address on the server that keeps it, and its forms in messages."""

from __future__ import annotations

import os

from .references import ImageRef


def server_url() -> str:
    """Address of the server that shows the pictures, `$G2U_PUBLIC_URL`; empty where none does."""
    return os.environ.get("G2U_PUBLIC_URL", "").rstrip("/")


def in_address(host: str) -> str:
    """A host as addresses have it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def picture_url(ref: ImageRef) -> str:
    """Where a browser finds a picture; its reference, `g2u:...`, where no server shows it."""
    base = server_url()
    return f"{base}/g2u/pictures/{ref.sha256}" if base else ref.uri


def picture_block(ref: ImageRef) -> dict[str, str]:
    """A picture as a standard block of a message, by address."""
    return {"type": "image", "url": picture_url(ref), "mime_type": ref.mime}
