"""Pictures over HTTP: `GET pictures/HASH?size=256` and `POST pictures` with a file as its body.

A picture never changes under its hash, so that browsers keep it for good.
"""

from __future__ import annotations

import asyncio
import io
from functools import lru_cache
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import PictureError
from ..pictures.decoding import DECODING, MEDIA_TYPES, too_many_bytes
from ..pictures.links import picture_url
from ..pictures.store import ImageStore, get_store
from .problems import MediaTypeError

SIZES: Final = (64, 128, 256, 512, 1024)
"""Longest sides that a picture can be had in, in pixels; none makes it larger than it is."""
KEPT_VARIANTS: Final = 64
"""Scaled pictures that are kept in memory."""

_HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
_UPLOAD_HINT: Final = "Send the file itself: curl --data-binary @picture.png -H 'Content-Type: image/png' ..."


async def show(request: Request) -> Response:
    """A picture of the store, whole or scaled down; 304 for a client that has it."""
    sha256, size = request.path_params["sha256"], _size(request.query_params.get("size", ""))
    store = await asyncio.to_thread(get_store)
    tag = f'"{sha256}{f"-{size}" if size else ""}"'
    if tag in request.headers.get("if-none-match", "") and await asyncio.to_thread(store.path(sha256).is_file):
        return Response(status_code=304, headers={**_HEADERS, "ETag": tag})
    data = await asyncio.to_thread(_variant, store, sha256, size)
    return Response(data, media_type="image/png", headers={**_HEADERS, "ETag": tag})


async def take(request: Request) -> Response:
    """Keep an upload; replies with its reference and its address."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (*MEDIA_TYPES, "application/octet-stream"):
        known = ", ".join(MEDIA_TYPES)
        raise MediaTypeError(f"An upload of the kind {kind!r} is not taken; these are: {known}.", _UPLOAD_HINT)
    store = await asyncio.to_thread(get_store)
    data = await _body(request, store.max_bytes)
    ref = await asyncio.to_thread(store.add_bytes, data, "The upload")
    address = picture_url(ref)
    return JSONResponse({**ref.model_dump(), "url": address}, 201, headers={"Location": address})


async def _body(request: Request, most: int) -> bytes:
    """The body of a request, given up as soon as it is too long."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise too_many_bytes("The upload", most)
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > most:
            raise too_many_bytes("The upload", most)
    return bytes(data)


def _size(wanted: str) -> int:
    """The longest side; 0 for the picture as it is."""
    if not wanted:
        return 0
    if wanted not in map(str, SIZES):
        raise PictureError(f"A picture cannot be had in the size {wanted!r}.", f"Ask for one of {SIZES}.")
    return int(wanted)


@lru_cache(KEPT_VARIANTS)
def _scaled(store: ImageStore, sha256: str, size: int) -> bytes:
    with DECODING:
        image = store.open(sha256)
        image.thumbnail((size, size))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _variant(store: ImageStore, sha256: str, size: int) -> bytes:
    if size:
        return _scaled(store, sha256, size)
    store.find(sha256)
    return store.path(sha256).read_bytes()
