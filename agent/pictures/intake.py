"""What a caller calls a picture becomes a reference: addresses, data and blocks of messages.

| given | what is done |
|---|---|
| an `ImageRef`, `g2u:` and a hash, an address ending in `/g2u/pictures/HASH` | looked up in the store, not fetched |
| data in base64, in any of the shapes that chat clients send | checked like an upload and kept |
| another `http` or `https` address | fetched where `$G2U_FETCH_HOSTS` names its host, see `g2u.pictures.fetching` |
| anything else, a path or a `file:` address among it | refused |

Only references are left, in a message (`take_content`) or wherever else in JSON (`take_all`), so that neither state nor
checkpoints ever hold pixels.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from reprlib import repr as short
from typing import Any, Final

from pydantic import ValidationError

from ..errors import PictureError, UnknownPictureError
from .fetching import fetch_picture
from .links import picture_block
from .references import ImageRef
from .store import ImageStore

HINT: Final = "Upload it with POST /g2u/pictures and give the `uri` of the reply, such as g2u:0123abcd..."
DATA_ADDRESS: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,", re.IGNORECASE)
"""The beginning of a picture that is its own address; the rest is base64."""

MOST_PICTURES: Final = 32
"""In what one client sends at once; each may be decoded."""

_REFERENCE: Final = re.compile(r"(?:g2u:|https?://[^/?#]+(?:/[^?#]*)?/g2u/pictures/)([0-9a-f]{64})(?:\?[^#]*)?")
_WEB: Final = re.compile(r"https?://", re.IGNORECASE)

Fetch = Callable[[str, int], bytes]
"""Gets the file behind an address, of so many bytes at most."""


def take_picture(given: object, store: ImageStore, fetch: Fetch = fetch_picture) -> ImageRef:
    """The reference to a picture, which is in the store afterwards. It blocks; async code calls it in a thread.

    Args:
        given: What the table above lists.
        store: Where it is kept.
        fetch: Gets what is elsewhere.

    Raises:
        UnknownPictureError: The store does not have it.
        AddressError: It is at an address that must not be opened, or could not be got from there.
        LargePictureError: It has too many bytes or pixels.
        PictureError: It is nothing that is taken.
        OutputError: The store cannot be written to.
    """
    if isinstance(given, Mapping):
        given = _reference(given)
    if isinstance(given, ImageRef):
        found = store.find(given.sha256)
        if (found.width, found.height) != (given.width, given.height):
            size = f"{found.width} x {found.height} pixels, not {given.width} x {given.height}"
            raise PictureError(f"The picture {given.sha256[:12]} has {size}.", "Give the reference as it was had.")
        return found
    if not isinstance(given, str):
        raise PictureError(f"A picture cannot be {short(given)}: a reference or an address was expected.", HINT)
    local = _REFERENCE.fullmatch(given)
    if local and (given.startswith("g2u:") or store.path(local[1]).is_file()):
        return store.find(local[1])
    if data := DATA_ADDRESS.match(given):
        return store.add_base64(given[data.end() :], "The picture in the message")
    if local:
        raise UnknownPictureError(f"This server does not have the picture {local[1][:12]}.", HINT)
    if _WEB.match(given):
        return store.add_bytes(fetch(given, store.max_bytes), f"What {short(given)} gives")
    raise PictureError(f"A picture cannot be {short(given)}: a reference or an address was expected.", HINT)


def take_content(
    content: Sequence[Any], store: ImageStore, fetch: Fetch = fetch_picture
) -> tuple[list[Any], list[ImageRef], str]:
    """Take the pictures out of a message.

    Args:
        content: Its blocks, in the shapes of LangChain, OpenAI, Anthropic or of JavaScript clients.
        store: Where pictures are kept.
        fetch: Gets what is elsewhere.

    Returns:
        The blocks with references in the place of pictures, the pictures in order, and the text.

    Raises:
        PictureError: As `take_picture`.
    """
    blocks: list[Any] = []
    refs: list[ImageRef] = []
    texts: list[str] = []
    for block in content:
        source = source_of(block) if isinstance(block, Mapping) else None
        if source is not None:
            refs.append(take_picture(source, store, fetch))
            blocks.append(picture_block(refs[-1]))
            continue
        blocks.append(block)
        text = block if isinstance(block, str) else block.get("text") if isinstance(block, Mapping) else None
        if isinstance(text, str):
            texts.append(text)
    return blocks, refs, "\n".join(texts).strip()


def take_all(value: Any, store: ImageStore, fetch: Fetch = fetch_picture) -> Any:
    """Take the pictures out of anything that came as JSON, however it holds them.

    Args:
        value: Such as the input of a graph, an update of its state or a command.
        store: Where pictures are kept.
        fetch: Gets what is elsewhere.

    Returns:
        The same with a reference in the place of each field `picture` and of data in base64, and with a block by
        address in the place of each block of a picture.

    Raises:
        PictureError: As `take_picture`, or there are too many.
    """
    taken = itertools.count(1)

    def take(given: object) -> ImageRef:
        if next(taken) > MOST_PICTURES:
            raise PictureError(f"At most {MOST_PICTURES} pictures are taken at once.", "Send fewer.")
        return take_picture(given, store, fetch)

    return _with_references(value, take)


def _with_references(value: Any, take: Callable[[object], ImageRef]) -> Any:
    if isinstance(value, str):
        return take(value).uri if DATA_ADDRESS.match(value) else value
    if isinstance(value, Mapping):
        if (source := source_of(value)) is not None:
            return picture_block(take(source))
        return {
            name: take(inner).model_dump() if name == "picture" and inner is not None else _with_references(inner, take)
            for name, inner in value.items()
        }
    return [_with_references(inner, take) for inner in value] if isinstance(value, list) else value


def source_of(block: Mapping[str, Any]) -> str | None:
    """Where the picture of a block is: an address, or its data as a `data:` address; `None` for no picture.

    Raises:
        PictureError: It is a block of a picture, and no picture can be found in it.
    """
    kind, mime = block.get("type"), str(block.get("mime_type") or block.get("mimeType") or "")
    if kind == "image_url":
        inner = block.get("image_url")
        found = inner.get("url") if isinstance(inner, Mapping) else inner
    elif kind == "image" or (kind == "file" and mime.startswith("image/")):
        source = block.get("source")
        inside = source if isinstance(source, Mapping) else block
        data = inside.get("base64") or inside.get("data")
        mime = str(inside.get("media_type") or mime or "image/png")
        found = f"data:{mime};base64,{data}" if isinstance(data, str) else inside.get("url")
    else:
        return None
    if not isinstance(found, str):
        raise PictureError("A block of a message is of a picture, and has neither `url` nor `base64`.", HINT)
    return found


def _reference(given: Mapping[Any, Any]) -> object:
    """A reference that came as JSON, or the address in a block of a picture."""
    if source := source_of(given):
        return source
    try:
        return ImageRef.model_validate(dict(given))
    except ValidationError as error:
        raise PictureError(f"A picture cannot be {short(dict(given))}: it is no reference.", HINT) from error
