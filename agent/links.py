"""Where a picture can be seen: its address on the server that keeps it, and its forms in messages."""

from __future__ import annotations

import os
from collections.abc import Sequence

from langchain_core.messages import AIMessage

from g2u.pictures import ImageRef
from g2u.state import Answer, Round

MARKDOWN_SIZE = 512
"""Longest side of the pictures that the text of an answer links to, in pixels."""


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


def answer_message(answer: Answer, kept: Sequence[Round]) -> AIMessage:
    """An answer for people: its text and, where a server shows pictures, the thoughts that it rests on.

    They come twice, as links in the text and as blocks, since chat clients show one or the other. Without a server the
    message is the text alone, which every chat model takes back.

    Args:
        answer: The final one.
        kept: Rounds whose thoughts count for it.
    """
    thoughts = [(turn.decision.edit, turn.thought) for turn in kept if turn.thought]
    if not server_url() or not thoughts:
        return AIMessage(answer.text)
    shown = [f"![{edit}]({picture_url(ref)}?size={MARKDOWN_SIZE})" for edit, ref in thoughts]
    text = {"type": "text", "text": "\n\n".join([answer.text, *shown])}
    return AIMessage([text, *(picture_block(ref) for _, ref in thoughts)])
