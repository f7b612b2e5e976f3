"""What the MCP server offers, whatever it is spoken over."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mcp import types
from pydantic import AnyUrl, BaseModel, Field

from ...asking import aask, context_with, store_for
from ...edits.library import NONE, EditLibrary
from ...errors import UnknownNameError
from ...pictures.decoding import MEDIA_TYPES
from ...pictures.references import ImageRef
from ...pictures.store import ImageStore
from ...state import Context
from ...traces.catalogue import NAME_OF_RUN, Catalogue, find_runs, summary_of
from ...traces.trace import FILE_NAME
from ...turns import Turns
from ..blocks import png_within, thought_of, words_about
from ..edits import draw_edit
from ..given import Given, enter_for

LARGEST: Final = 1024
"""Longest side of a picture that is sent back, in pixels; the resource of a picture has it whole."""
MOST_RUNS: Final = 200
"""Runs that the list of runs names."""

Told = Callable[[int], Awaitable[None]]
"""Tells the client how many steps are done."""

_PICTURE: Final = (
    "The picture: an object of base64 `data` and `mimeType`, a data address, the reference (g2u:...) of a picture in "
    "an earlier result, or a path in the folder that the server was given."
)


class ImageData(BaseModel):
    """A picture as MCP sends it."""

    data: str = Field(description="The file in base64.")
    mimeType: str = Field(description=f"One of {', '.join(MEDIA_TYPES)}.")  # noqa: N815  # as MCP calls it


class Imagine(Given):
    """Arguments of `imagine`."""

    picture: ImageData | str = Field(description=_PICTURE)
    question: str = Field(description="What to find out, in words, without the options.")
    options: list[str] = Field(default=[], description="The only answers there are, where that is known.")


class MakeEdit(Given):
    """Arguments of `edit`."""

    picture: ImageData | str = Field(description=_PICTURE)
    edit: str = Field(description="Name of an edit; the resource g2u://edits lists them with their arguments.")
    arguments: dict[str, str] = Field(default={}, description="Of the edit; those left out have their defaults.")
    question: str = Field(default="", description="What is to be found out, for edits that mark what is asked.")


@dataclass(kw_only=True)
class Service:
    """The tools and resources."""

    context: Context = field(default_factory=Context)
    out: Path = Path("runs")
    """Folder of the runs' traces."""
    folder: Path | None = None
    """Clients may name picture files in it alone; `None` takes no paths."""
    turns: Turns = field(default_factory=Turns)
    """Places for runs and edits, shared with whatever else starts some."""

    @property
    def store(self) -> ImageStore:
        """Of the pictures."""
        return store_for(self.context, self.out)

    async def imagine(self, given: Imagine, told: Told) -> types.CallToolResult:
        """Ask one question."""
        notes = list[asyncio.Future[None]]()

        def note(event: Mapping[str, Any]) -> None:
            if "done" in event:
                notes.append(asyncio.ensure_future(told(len(notes) + 1)))

        store, ref = await asyncio.to_thread(self._enter, given.picture)
        async with self.turns.turn():
            run = await aask(
                ref, given.question, options=given.options, context=self.context, out=self.out, on_event=note
            )
        await asyncio.gather(*notes)
        assert run.trace is not None, "a folder was given"
        content: list[types.ContentBlock] = [types.TextContent(type="text", text=words_about(run))]
        if thought := thought_of(run):
            content.append(await asyncio.to_thread(_image, store, thought))
        uri = AnyUrl(f"g2u://runs/{run.trace.name}")
        content.append(types.ResourceLink(type="resource_link", uri=uri, name=f"Trace of the run {run.trace.name}"))
        values = {
            "answer": run.answer,
            "direct_answer": run.direct_answer,
            "probabilities": run.final.probabilities,
            "thought": thought.uri if thought else None,
            "edits": [turn.decision.edit for turn in run.rounds],
            "stopped": run.stopped.model_dump() if run.stopped else None,
            "run": run.trace.name,
        }
        return types.CallToolResult(content=content, structuredContent=values)

    async def edit(self, given: MakeEdit, told: Told) -> types.CallToolResult:
        """Make one edit."""
        store, source = await asyncio.to_thread(self._enter, given.picture)
        async with self.turns.turn():
            made = await draw_edit(store, source, given.edit, given.arguments, given.question, self.context)
        await told(1)
        text = types.TextContent(type="text", text=f"{made.instruction} The new picture is {made.picture.uri}")
        values = {"edit": made.edit, "instruction": made.instruction, "picture": made.picture.uri}
        shown = await asyncio.to_thread(_image, store, made.picture)
        return types.CallToolResult(content=[text, shown], structuredContent=values)

    def read(self, uri: str) -> tuple[str | bytes, str]:
        """What a resource holds, and its media type.

        Raises:
            UnknownNameError: There is no such resource.
            PictureError: There is no such picture.
        """
        kind, _, name = uri.removeprefix("g2u://").partition("/")
        if uri == "g2u://edits":
            edits = [edit.model_dump(exclude={"version"}) for edit in EditLibrary.load() if edit.name != NONE]
            return json.dumps(edits, indent=1), "application/json"
        if uri == "g2u://runs":
            runs = [summary_of(trace).model_dump(mode="json") for trace in self.runs().traces]
            return json.dumps(runs, indent=1), "application/json"
        if kind == "runs" and NAME_OF_RUN.fullmatch(name) and (path := self.out / name / FILE_NAME).is_file():
            return path.read_text("utf-8"), "application/jsonl"
        if kind == "pictures" and re.fullmatch(r"[0-9a-f]{64}", name):
            store = self.store
            store.open(name)
            return store.path(name).read_bytes(), "image/png"
        known = ["g2u://edits", "g2u://runs", "g2u://runs/RUN", "g2u://pictures/SHA256"]
        raise UnknownNameError("resource", uri, known)

    def runs(self) -> Catalogue:
        """The newest runs."""
        return find_runs(self.out, MOST_RUNS)

    def _enter(self, picture: ImageData | str) -> tuple[ImageStore, ImageRef]:
        if isinstance(picture, str):
            return enter_for(self.context, self.out, picture, self.folder)
        store = self.store
        return store, store.add_base64(picture.data, "The picture")


def service_of(
    context: Context | None = None,
    *,
    out: str | Path = Path("runs"),
    folder: str | Path | None = None,
    turns: Turns | None = None,
    **settings: Any,
) -> Service:
    """What a server offers.

    Args:
        context: Settings of every run; `None` for the defaults.
        out: Folder of the runs' traces, with their pictures where no other store is set.
        folder: Clients may name picture files in it alone; `None` takes no paths.
        turns: Places for runs and edits, shared with whatever else starts some; `None` for its own.
        **settings: Fields of `Context`: `policy="score"`, ...

    Raises:
        SettingError: The context is none.
        UnknownNameError: There is no such setting.
    """
    settled = context_with(context, settings)
    opened = None if folder is None else Path(folder)
    return Service(context=settled, out=Path(out), folder=opened, turns=turns or Turns())


def _image(store: ImageStore, ref: ImageRef) -> types.ImageContent:
    data = base64.b64encode(png_within(store, ref, LARGEST)).decode()
    return types.ImageContent(type="image", data=data, mimeType="image/png")
