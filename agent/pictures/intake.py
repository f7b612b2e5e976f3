"""What a caller calls a picture becomes a reference: addresses, data and parts of messages.

| given | what is done |
|---|---|
| an `ImageRef`, `g2u:` and a hash, an address ending in `/g2u/pictures/HASH` | looked up in the store, not fetched |
| data in base64, in any of the shapes of `shapes` and however `encoded` reads it | checked like an upload and kept |
| another `http` or `https` address | fetched where `$G2U_FETCH_HOSTS` names its host, see `fetching` |
| anything else, a path or a `file:` address among it | refused |

Only references are left, in what a person says (`take_content`) and wherever else in JSON (`take_all`), so that neither
state nor checkpoints ever hold pixels. What others than a person say, answers and results of tools, is no question:
pictures in it are kept by reference, and their addresses are left alone.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from reprlib import repr as short
from typing import Any, Final

from pydantic import ValidationError

from ..errors import PictureError, UnknownPictureError
from .encoded import is_encoded, replace_encoded
from .fetching import fetch_picture
from .links import REFERENCE, named_in, picture_block
from .references import ImageRef
from .shapes import kind_of, source_of, words_of
from .store import ImageStore

HINT: Final = "Upload it with POST /g2u/pictures and give the `uri` of the reply, such as g2u:0123abcd..."

LEFT_OUT: Final = "(a file that is no picture, or none that can be read, was left out)"
"""Stands in the place of what others sent and nobody can look at."""
MOST_PICTURES: Final = 32
"""In what one client sends at once; each may be decoded."""

_WEB: Final = re.compile(r"https?://", re.IGNORECASE)
_PERSONS: Final = ("human", "user")
_NOT_SAID: Final = ("tool_result",)
"""Kinds of parts in a message of a person that no person said: Anthropic's results of tools."""

Fetch = Callable[[str, int], bytes]
"""Gets the file behind an address, of so many bytes at most."""


@dataclass(frozen=True)
class Said:
    """What a person said in a message."""

    content: Sequence[Any] | str
    """The message's own, with references in the place of pictures; the same object where it held none."""
    pictures: list[ImageRef]
    """Each once, in order."""
    text: str
    """Without the pictures that it names."""


def take_picture(given: object, store: ImageStore, fetch: Fetch = fetch_picture, hint: str = HINT) -> ImageRef:
    """The reference to a picture, which is in the store afterwards. It blocks; async code calls it in a thread.

    Args:
        given: What the table above lists.
        store: Where it is kept.
        fetch: Gets what is elsewhere.
        hint: What to give in the place of what is not taken.

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
    if isinstance(given, bytes):
        return store.add_bytes(given, "The picture in the message")
    if not isinstance(given, str):
        raise PictureError(f"A picture cannot be {short(given)}: a reference or an address was expected.", hint)
    given = given.strip()
    local = REFERENCE.fullmatch(given)
    if local and (given.startswith("g2u:") or store.path(local[1]).is_file()):
        return store.find(local[1])
    if is_encoded(given):
        return store.add_base64(given, "The picture in the message")
    if local:
        raise UnknownPictureError(f"The picture {local[1][:12]} is not in the store.", hint)
    if _WEB.match(given):
        return store.add_bytes(fetch(given, store.max_bytes), f"What {short(given)} gives")
    raise PictureError(f"A picture cannot be {short(given)}: a reference or an address was expected.", hint)


def take_content(
    content: Sequence[Any] | str, store: ImageStore, fetch: Fetch = fetch_picture, *, whole: bool = True
) -> Said:
    """Take the pictures out of what a person says: parts, and what the words name.

    Args:
        content: Of the message: a text, or texts and parts in the shapes of `shapes`.
        store: Where pictures are kept.
        fetch: Gets what is elsewhere.
        whole: Whether each part must be text or a picture, so that nothing of a question is lost.

    Raises:
        PictureError: As `take_picture`; there are too many; or a part is neither text nor a picture.
    """
    taken = itertools.count(1)

    def take(given: object) -> ImageRef:
        return _counted(taken, given, store, fetch)

    parts = [content] if isinstance(content, str) else content
    kept, refs, texts, names = list[Any](), list[ImageRef](), list[str](), dict[str, ImageRef]()
    for part in parts:
        source = source_of(part) if isinstance(part, Mapping) else None
        if source is not None:
            refs.append(take(source))
            block = picture_block(refs[-1])
            kept.append(part if part == block else block)
            continue
        kept.append(_Intake(take).referenced(part))
        words = words_of(kept[-1])
        if words is not None:
            for address in named_in(words)[0]:
                names[address] = take(address)
                refs.append(names[address])
            texts.append(words)
        elif whole and not (isinstance(part, Mapping) and kind_of(part) in _NOT_SAID):
            raise _unknown(part)
    same = all(one is other for one, other in zip(kept, parts, strict=True))
    changed, pictures = kept[0] if isinstance(content, str) else kept, list(dict.fromkeys(refs))

    def word(address: str) -> str:
        return "the picture" if len(pictures) == 1 else f"picture {pictures.index(names[address]) + 1}"

    said = [named_in(text, word)[1] for text in texts]
    return Said(content if same else changed, pictures, "\n".join(filter(None, said)).strip())


def take_all(value: Any, store: ImageStore, fetch: Fetch = fetch_picture) -> Any:
    """Take the pictures out of anything that came as JSON, however it holds them.

    Args:
        value: Such as the input of a graph, an update of its state or a command.
        store: Where pictures are kept.
        fetch: Gets what is elsewhere.

    Returns:
        The same with references in the place of the fields `picture` and `pictures` and of data in base64, and with a
        block by address in the place of each part with a picture.

    Raises:
        PictureError: As `take_picture`, or there are too many.
    """
    taken = itertools.count(1)
    return _Intake(lambda given: _counted(taken, given, store, fetch), fields=True).referenced(value)


def take_data(value: Any, store: ImageStore, *, lenient: bool = False) -> Any:
    """Take the pictures themselves out of what others than a person say, and leave addresses alone.

    Args:
        value: Such as the content of an answer or the result of a tool.
        store: Where pictures are kept.
        lenient: Put words in the place of what is no picture, or none that can be read, where others sent it.

    Returns:
        The same object where it holds none.

    Raises:
        PictureError: One is damaged or outside the limits, or a file is none, and that is not taken leniently.
    """
    return _Intake(lambda given: take_picture(given, store), addresses=False, lenient=lenient).referenced(value)


@dataclass(frozen=True)
class _Intake:
    """How something is searched: what becomes of a picture, and what counts as one."""

    take: Callable[[object], ImageRef]
    fields: bool = False
    """Whether a field `picture` holds one, and `pictures` several: so in the state, and not in messages, where they are
    arguments of a tool."""
    addresses: bool = True
    """Whether those of parts are looked up, or left alone."""
    lenient: bool = False
    """Whether words stand in the place of a file that cannot be taken; else it is refused."""

    def referenced(self, value: Any) -> Any:
        """A value with references in the place of pictures; the same object where it holds none."""
        if isinstance(value, str):
            return replace_encoded(value, self._address)
        if isinstance(value, Mapping):
            try:
                return self._part(value)
            except PictureError:
                if not self.lenient:
                    raise
                return {"type": "text", "text": LEFT_OUT}
        if isinstance(value, (list, tuple)):
            inner = [self.referenced(one) for one in value]
            same = all(one is other for one, other in zip(inner, value, strict=True))
            return value if same else inner
        return value

    def _address(self, data: str) -> str:
        try:
            return self.take(data).uri
        except PictureError:
            if not self.lenient:
                raise
            return LEFT_OUT

    def _part(self, value: Mapping[Any, Any]) -> Mapping[Any, Any]:
        source = source_of(value)
        if source is not None and (self.addresses or isinstance(source, bytes) or is_encoded(source)):
            return picture_block(self.take(source))
        within = replace(self, addresses=False) if _is_of_others(value) else self
        inner = {name: within._field(name, one) for name, one in value.items()}
        return value if all(inner[name] is value[name] for name in value) else inner

    def _field(self, name: object, value: Any) -> Any:
        if name == "picture" and self.fields:
            return value if value is None else self.take(value).model_dump()
        if name == "pictures" and self.fields and isinstance(value, (list, tuple)):
            return [self._field("picture", one) for one in value]
        return (replace(self, fields=False) if name == "messages" else self).referenced(value)


def _counted(taken: itertools.count[int], given: object, store: ImageStore, fetch: Fetch) -> ImageRef:
    if next(taken) > MOST_PICTURES:
        raise PictureError(f"At most {MOST_PICTURES} pictures are taken at once.", "Send fewer.")
    return take_picture(given, store, fetch)


def _is_of_others(value: Mapping[Any, Any]) -> bool:
    """Whether it is a message, or a part of one, that no person said."""
    role = value.get("role") or value.get("type")
    return "content" in value and isinstance(role, str) and role.lower() not in _PERSONS


def _unknown(part: object) -> PictureError:
    kind = kind_of(part) if isinstance(part, Mapping) else ""
    keys = ", ".join(map(str, part)) if isinstance(part, Mapping) else short(part)
    named = f"of the type {kind!r}" if kind else f"with {keys}"
    hint = "Send a picture by its address or in base64, and what is asked as text."
    return PictureError(f"A part of a message {named} is neither text nor a picture that can be read here.", hint)


def _reference(given: Mapping[Any, Any]) -> object:
    """A reference that came as JSON, or the address in a part with a picture."""
    if source := source_of(given):
        return source
    if kind_of(given):
        raise _unknown(given)
    try:
        return ImageRef.model_validate(dict(given))
    except ValidationError as error:
        raise PictureError(f"A picture cannot be {short(dict(given))}: it is no reference.", HINT) from error
