"""What others get back: a picture as the content block that LangChain knows, and a run in words."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any, Final

from ..asking import Run
from ..loop.rounds import last_kept
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from ..state import Answer

Address = Callable[[ImageRef], str]
"""Where a picture can be fetched, such as the route of a server: `lambda ref: f"https://host/g2u/pictures/{ref.sha256}"`."""

LARGEST: Final = 512
"""Longest side of a picture in a block, in pixels: a conversation keeps every picture that is put into it."""


def png_within(store: ImageStore, ref: ImageRef, largest: int = LARGEST) -> bytes:
    """The PNG file of a picture, scaled down where a side is longer than `largest`.

    Raises:
        PictureError: It is not in the store.
    """
    if max(ref.width, ref.height) <= largest:
        store.open(ref)  # checks it
        return store.path(ref).read_bytes()
    image, buffer = store.open(ref), io.BytesIO()
    image.thumbnail((largest, largest))
    image.save(buffer, "PNG")
    return buffer.getvalue()


def picture_block(
    store: ImageStore, ref: ImageRef, address: Address | None = None, largest: int = LARGEST
) -> dict[str, Any]:
    """A picture as LangChain's standard image block.

    Args:
        store: That holds it.
        ref: The picture.
        address: Names where it can be fetched; `None` puts the picture itself into the block.
        largest: Longest side of a picture that is put into a block; larger ones are scaled down.
    """
    if address:
        return {"type": "image", "url": address(ref), "mime_type": ref.mime}
    data = base64.b64encode(png_within(store, ref, largest)).decode()
    return {"type": "image", "base64": data, "mime_type": "image/png"}


def thought_of(run: Run) -> ImageRef | None:
    """The visual thought that the answer of a run rests on; `None` where the direct answer stands."""
    return last_kept(run.rounds)


def words_about(run: Run) -> str:
    """A run in words, for a chat model that goes on from it: answers, what was drawn, and what to doubt."""
    originals = "picture" if len(run.direct.pictures) == 1 else "pictures"
    lines = [f"Answer: {_sure(run.final)}.", f"From the original {originals} alone: {_sure(run.direct)}."]
    for turn in run.rounds:
        if turn.thought:
            verdict = turn.verdict.action if turn.verdict else "not judged"
            of = f" of picture {turn.decision.on}" if turn.decision.on else ""
            lines.append(
                f"Visual thought {turn.number}{of}: {turn.decision.instruction} ({turn.decision.edit}; {verdict}; "
                f"{turn.thought.uri})"
            )
    if thought_of(run) is None:
        lines.append("No visual thought was kept.")
    if run.stopped and run.stopped.cause != "rounds":  # the rounds above are as many as were wanted
        lines.append(run.stopped.message)
    return "\n".join([*lines, *run.caveats])


def _sure(answer: Answer) -> str:
    share = answer.probabilities.get(answer.text)
    return (answer.text or answer.missing) if share is None else f"{answer.text} ({share:.0%})"
