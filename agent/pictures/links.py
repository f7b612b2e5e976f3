"""Where a picture can be seen: its address on the server that keeps it, and its forms in messages and in words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Final

from .references import ImageRef

REFERENCE: Final = re.compile(
    r"(?:g2u:(?://pictures/)?|(?:https?://[^/?#]+(?:/[^?#]*)?)?/g2u/pictures/)([0-9a-f]{64})(?:\?[^#]*)?"
)
"""A picture of a store, by reference, as a resource of MCP, or by its address on a server, whatever that is called."""

_OWN: Final = (
    r"(?:g2u:(?://pictures/)?|(?:https?://[^\s()<>\[\]\"']{1,300}?)?/g2u/pictures/)[0-9a-f]{64}(?![0-9a-f])"
    r"(?:\?[\w=&%-]+)?"
)
_NAMED: Final = re.compile(
    rf"!\[[^\[\]\n]{{0,500}}\]\(\s*<?(?P<image>[^\s()<>]+)>?(?:\s+[\"'][^\"'\n]{{0,500}}[\"'])?\s*\)"
    rf"|\[[^\[\]\n]{{0,500}}\]\(\s*(?P<link>{_OWN})\s*\)"
    rf"|<?(?P<bare>{_OWN})>?"
)
"""A picture in words: a Markdown image of any address, a link to a picture of ours, or its bare reference."""
_GOES_ON: Final = re.compile(r"(?<!\bpicture)(?<!\bimage)(?<!\bphoto)(?<=[\w,])\s+$", re.IGNORECASE)
"""Before a reference that is a word of its sentence, as in `What is in g2u:... now?`."""


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


def named_in(text: str, word: Callable[[str], str] = lambda address: "the picture") -> tuple[list[str], str]:
    """The pictures that a text names, and what it says beside them.

    Args:
        text: Words of a person, in which a picture is named by `g2u:` and its hash, by its address on a server of ours,
            or by a Markdown image.
        word: What stands in the place of the address of a picture, where the sentence needs one.

    Returns:
        Their addresses in order, and the text without them; a line that only announces one is left out where
        there are others.
    """
    found, lines, announced = list[str](), list[str](), list[str]()
    for line in text.splitlines():
        names = [named[named.lastgroup or 0] for named in _NAMED.finditer(line)]
        found += names
        said = _without_names(line, word) if names else line
        if names and re.fullmatch(r"[^.?!]*:", said) and re.search(r"\w", said):
            announced.append(said.removesuffix(":"))
        elif not names or re.search(r"\w", said):
            lines.append(said)
    # What seems to announce a picture may be all that is said: "What colour is the exit in this picture: g2u:..."
    return found, ("\n".join(lines).strip() or "\n".join(announced))


def _without_names(line: str, word: Callable[[str], str]) -> str:
    """A line whose pictures are gone, or where the sentence needs it, the word for them."""

    def said_of(named: re.Match[str]) -> str:
        begin = named.start()
        return word(named["bare"]) if named["bare"] and _GOES_ON.search(line, max(0, begin - 100), begin) else ""

    said = " ".join(_NAMED.sub(said_of, line).split())
    said = re.sub(r"\(\s*\)|\[\s*\]|`\s*`", "", said)
    return " ".join(re.sub(r"\s+(?=[,.;:?!])", "", said).split())
