"""The shapes in which others put pictures and words into messages, as tables: a new one is a new row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..errors import PictureError
from .encoded import DATA_ADDRESS


class Shape(NamedTuple):
    """Where a part of a message has what it holds. Keys are compared as if written `like_this`."""

    kind: str
    """Its `type`; empty for a part that has none."""
    place: str
    """Keys, with dots between, that lead to the address, the data or the words."""
    media: str = ""
    """Keys that lead to the media type; empty for a part that is a picture in any case."""


PICTURES: Final = (
    # LangChain of both languages and both versions, MCP
    Shape("image", "url"),
    Shape("image", "base64"),
    Shape("image", "data"),
    # AI SDK, Transformers
    Shape("image", "image"),
    # Anthropic
    Shape("image", "source.data"),
    Shape("image", "source.url"),
    # AG-UI
    Shape("image", "source.value"),
    Shape("binary", "data", "mime_type"),
    Shape("binary", "url", "mime_type"),
    # Bedrock, also as LangChain writes it
    Shape("", "image.source.bytes"),
    Shape("image", "image.source.bytes"),
    Shape("image", "source.bytes"),
    # OpenAI: Chat Completions, Responses, and what its tools give
    Shape("image_url", "image_url.url"),
    Shape("image_url", "image_url"),
    Shape("input_image", "image_url"),
    Shape("input_image", "image_url.url"),
    Shape("file", "file.file_data", "file.mime_type"),
    Shape("file", "file_data", "mime_type"),
    Shape("input_file", "file_data", "mime_type"),
    Shape("input_file", "file_url", "mime_type"),
    Shape("computer_screenshot", "image_url"),
    Shape("image_generation_call", "result"),
    # Google, also as LangChain writes it
    Shape("media", "data", "mime_type"),
    Shape("media", "file_uri", "mime_type"),
    Shape("file_data", "file_uri", "mime_type"),
    Shape("", "inline_data.data", "inline_data.mime_type"),
    Shape("", "file_data.file_uri", "file_data.mime_type"),
    # MCP
    Shape("resource", "resource.blob", "resource.mime_type"),
    Shape("resource_link", "uri", "mime_type"),
    # A2A
    Shape("", "file.bytes", "file.mime_type"),
    Shape("", "file.uri", "file.mime_type"),
    Shape("", "raw", "mime_type"),
    # Files of any kind: LangChain, AI SDK, Anthropic
    Shape("file", "url", "mime_type"),
    Shape("file", "base64", "mime_type"),
    Shape("file", "data", "mime_type"),
    Shape("document", "source.data", "source.mime_type"),
    Shape("document", "source.url", "source.mime_type"),
    # Of these none is a picture, and none may be kept
    Shape("audio", "base64", "mime_type"),
    Shape("audio", "data", "mime_type"),
    Shape("video", "base64", "mime_type"),
    Shape("video", "data", "mime_type"),
    Shape("input_audio", "input_audio.data", "input_audio.format"),
    Shape("text_plain", "base64", "mime_type"),
    Shape("", "document.source.bytes", "document.format"),
    Shape("", "video.source.bytes", "video.format"),
)
"""Parts with pictures; of one that could hold anything, its media type decides, and without one the file itself."""

WORDS: Final = (
    Shape("text", "text"),
    Shape("input_text", "text"),
    Shape("output_text", "text"),
    Shape("text_delta", "text"),
    Shape("text_plain", "text"),
    Shape("resource", "resource.text"),
    Shape("", "text"),
)
"""Parts with words."""

_DATA: Final = {"base64", "data", "bytes", "blob", "image", "value", "result", "file_data", "raw"}
"""Last keys of places where a picture itself may stand; elsewhere there are addresses alone."""
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
"""Of an address; base64 has no colon."""
_UNTOLD: Final = ("", "application/octet-stream", "binary/octet-stream")
"""Media types that say nothing."""


def source_of(part: Mapping[str, Any]) -> str | bytes | None:
    """Where the picture of a part is: an address, its data as a `data:` address, or its bytes; `None` for no picture.

    Raises:
        PictureError: It holds a file of another kind.
    """
    part = _unwrapped(part)
    kind = kind_of(part)
    for shape in PICTURES:
        found = _at(part, shape.place) if shape.kind == kind else None
        if not isinstance(found, (str, bytes)) or not found:
            continue
        if isinstance(found, str) and _is_data(shape, found):
            found = f"data:;base64,{found}"
        data = DATA_ADDRESS.match(found) if isinstance(found, str) else None
        media = str((data and data[1]) or _at(part, shape.media) or "").lower() if shape.media else ""
        if media.startswith("image/") or media in _UNTOLD:
            return found
        if (data or isinstance(found, bytes)) and not media.startswith("text/"):
            hint = "Send pictures and text alone."
            raise PictureError(f"A part of a message is a file of the kind {media!r}, which is no picture.", hint)
    return None


def words_of(part: object) -> str | None:
    """The words of a part of a message; `None` where it holds none."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        return None
    part = _unwrapped(part)
    found = (_at(part, shape.place) for shape in WORDS if shape.kind == kind_of(part))
    return next((words for words in found if isinstance(words, str)), None)


def kind_of(part: Mapping[str, Any]) -> str:
    """The `type` of a part, written `like_this`; empty where it has none."""
    kind = part.get("type")
    return _snake(kind) if isinstance(kind, str) else ""


def _unwrapped(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What LangChain wraps, since it does not know it, as it was."""
    inner = part.get("value") if part.get("type") == "non_standard" else None
    return inner if isinstance(inner, Mapping) else part


def _is_data(shape: Shape, found: str) -> bool:
    return shape.place.rpartition(".")[2] in _DATA and not _SCHEME.match(found.lstrip())


def _at(part: object, place: str) -> object:
    """What is at a place, whichever way its keys are written; `None` where there is nothing."""
    for wanted in place.split(".") if place else ():
        if not isinstance(part, Mapping):
            return None
        part = next((value for key, value in part.items() if isinstance(key, str) and _snake(key) == wanted), None)
    return part if place else None


def _snake(name: str) -> str:
    """`mediaType` as `mime_type`: one way of writing for all, and one word for the media type."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()
    return "mime_type" if snake == "media_type" else snake
