"""What the MCP server offers, whatever it is spoken over."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from reprlib import repr as short
from typing import Any, Final

from pydantic import BaseModel, Field

from ...asking import aask, store_for
from ...edits.library import NONE, EditLibrary
from ...errors import SettingError, ToolCallError, UnknownNameError
from ...models.protocol import Edits
from ...pictures.decoding import MEDIA_TYPES
from ...pictures.references import ImageRef
from ...pictures.store import ImageStore
from ...state import Context, Stop
from ...traces.catalogue import NAME_OF_RUN, Catalogue, find_runs, summary_of
from ...traces.trace import FILE_NAME
from ...turns import Turns
from ..blocks import png_within, thought_of, words_about
from ..edits import draw_edit
from ..given import ABOUT_PICTURES, Given, enter_picture, named_pictures
from ..tool import context_of_tools
from .sdk import Json, Told

LARGEST: Final = 1024
"""Longest side of a picture that is sent back, in pixels; the resource of a picture has it whole."""
MOST_RUNS: Final = 200
"""Runs that the list of runs names."""

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

    picture: ImageData | str = Field(default="", description=_PICTURE)
    pictures: list[ImageData | str] = Field(default=[], description=ABOUT_PICTURES)
    question: str = Field(description="What to find out, in words, without the options.")
    options: list[str] = Field(default=[], description="The only answers there are, where that is known.")


class MakeEdit(Given):
    """Arguments of `edit`."""

    picture: ImageData | str = Field(description=_PICTURE)
    edit: str = Field(description="Name of an edit; the resource g2u://edits lists them with their arguments.")
    arguments: dict[str, str] = Field(default={}, description="Of the edit; those left out have their defaults.")
    question: str = Field(default="", description="What is to be found out, for edits that mark what is asked.")


_IMAGINING: Final = (
    "How the model draws: `native`, on the picture's own pixels; `reimagine`, anew from what it read of it, so that "
    "what it did not read is made up; `none`, not at all."
)


class ImagineResult(BaseModel):
    """Structured result of `imagine`."""

    answer: str = Field(description="With the visual thought, or the direct one where none was kept.")
    direct_answer: str = Field(description="From the original pictures alone.")
    probabilities: dict[str, float] = Field(description="Of each option, summing to one; empty for a free answer.")
    thought: str | None = Field(description="Reference of the visual thought that was kept, g2u:...; null for none.")
    edits: list[str] = Field(description="Name of the edit of each round; `none` where nothing was drawn.")
    imagining: Edits = Field(description=_IMAGINING)
    caveats: list[str] = Field(description="What to doubt about the answer and the thought, in sentences.")
    stopped: Stop | None = Field(description="Why nothing more was drawn, where a budget ended it.")
    run: str = Field(description="Name of the run.")
    trace: str = Field(description="Address of the resource that holds its trace.")


class EditResult(BaseModel):
    """Structured result of `edit`."""

    edit: str = Field(description="Its name.")
    instruction: str = Field(description="What the drawer was told.")
    picture: str = Field(description="Reference of the new picture, g2u:...")
    imagining: Edits = Field(description=_IMAGINING)


STAGES: Final = ("decide", "generate", "reflect")
"""Of a round."""
_DOING: Final = {
    "decide": "Round {round}: what to imagine",
    "generate": "Round {round}: drawing, step {done} of {total}",
    "reflect": "Round {round}: judging the drawing",
    "answer": "Answering",
}


class Progress:
    """How far a call is, as its client is told: in order, and always further.

    Args:
        told: Tells the client.
    """

    def __init__(self, told: Told) -> None:
        """Nothing is done."""
        self._told, self._done = told, -1.0
        self._sent = list[asyncio.Future[None]]()

    def note(self, done: float, total: float, message: str) -> None:
        """Tell how much is done, without waiting until the client knows; what is no further is not told."""
        if done > self._done:
            self._done = done
            self._sent.append(asyncio.ensure_future(self._told(done, total, message)))

    def note_step(self, event: Mapping[str, Any], rounds: int) -> None:
        """Tell of a step of a run: each stage of the rounds that may be drawn counts as one, and so does the answer."""
        step = event["step"]
        if step in _DOING:
            past = len(STAGES) * (rounds if step == "answer" else event["round"] - 1)
            past += 0 if step == "answer" else STAGES.index(step)
            self.note(past + event["done"] / event["total"], total_of(rounds), _DOING[step].format(**event))

    async def all_told(self) -> None:
        """Wait until the client knows."""
        await asyncio.gather(*self._sent)


def total_of(rounds: int) -> int:
    """What a run counts that draws all of its rounds; one that stops earlier skips the rest."""
    return len(STAGES) * rounds + 1


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
    images: bool = True
    """Send drawings as image content; without, they are told by their references alone."""

    @property
    def store(self) -> ImageStore:
        """Of the pictures."""
        return store_for(self.context, self.out)

    async def imagine(self, given: Imagine, told: Told) -> Json:
        """Ask one question."""
        progress, rounds = Progress(told), self.context.rounds
        named = named_pictures(given.picture, given.pictures)
        store, refs = await asyncio.to_thread(self._enter, named)
        async with self.turns.turn():
            run = await aask(
                refs,
                given.question,
                options=given.options,
                context=self.context,
                out=self.out,
                on_event=lambda event: progress.note_step(event, rounds),
            )
        progress.note(total_of(rounds), total_of(rounds), "Done")
        assert run.trace is not None, "a folder was given"
        thought, trace = thought_of(run), f"g2u://runs/{run.trace.name}"
        values = ImagineResult(
            answer=run.answer,
            direct_answer=run.direct_answer,
            probabilities=run.final.probabilities,
            thought=thought.uri if thought else None,
            edits=[turn.decision.edit for turn in run.rounds],
            imagining=run.edits,
            caveats=run.caveats,
            stopped=run.stopped,
            run=run.trace.name,
            trace=trace,
        )
        await progress.all_told()
        # No resource link: agents hand one to their chat model as a file, which no provider can open.
        return await self._result(f"{words_about(run)}\nTrace: {trace}", store, thought, values)

    async def edit(self, given: MakeEdit, told: Told) -> Json:
        """Make one edit."""
        progress, loop = Progress(told), asyncio.get_running_loop()

        def note(done: int, total: int) -> None:  # on the engine's thread
            loop.call_soon_threadsafe(progress.note, done, total, f"Drawing, step {done} of {total}")

        check_name(given.edit)
        store, (source,) = await asyncio.to_thread(self._enter, [given.picture])
        async with self.turns.turn():
            made = await draw_edit(store, source, given.edit, given.arguments, given.question, self.context, note)
        values = EditResult(
            edit=made.edit, instruction=made.instruction, picture=made.picture.uri, imagining=made.imagining
        )
        await progress.all_told()
        return await self._result(made.told, store, made.picture, values)

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

    async def _result(self, words: str, store: ImageStore, picture: ImageRef | None, values: BaseModel) -> Json:
        content: list[Json] = [{"type": "text", "text": words}]
        if picture and self.images:
            data = await asyncio.to_thread(png_within, store, picture, LARGEST)
            content.append({"type": "image", "data": base64.b64encode(data).decode(), "mimeType": "image/png"})
        return {"content": content, "structuredContent": values.model_dump(mode="json")}

    def _enter(self, pictures: Sequence[ImageData | str]) -> tuple[ImageStore, list[ImageRef]]:
        store = self.store

        def enter(picture: ImageData | str) -> ImageRef:
            if isinstance(picture, str):
                return enter_picture(store, picture, self.folder)
            return store.add_base64(picture.data, "The picture")

        return store, [enter(one) for one in pictures]


def check_name(edit: str) -> None:
    """Refuse a whole call where the name of an edit belongs, as chat models write it.

    Raises:
        SettingError: It is one; the hint has it as it should be sent.
    """
    if re.fullmatch(r"[\w-]+", edit.strip()):
        return
    name, _, rest = edit.strip().partition("(")
    # A comma ends a value where another name follows, so that an instruction may have commas.
    pairs = [pair.partition("=") for pair in re.split(r",(?=\s*\w+\s*=)", rest.removesuffix(")"))]
    arguments = {key.strip(): value.strip().strip("'\"") for key, equals, value in pairs if equals}
    with contextlib.suppress(ToolCallError):
        call = EditLibrary.load().parse(edit)
        name, arguments = call.edit, call.arguments
    sent = json.dumps({"edit": name.strip(), "arguments": arguments})
    hint = f"Send {sent}; the resource g2u://edits lists them."
    raise SettingError(f"`edit` is a name alone, not {short(edit)}: what it is told goes into `arguments`.", hint)


def service_of(
    context: Context | None = None,
    *,
    out: str | Path = Path("runs"),
    folder: str | Path | None = None,
    turns: Turns | None = None,
    images: bool = True,
    **settings: Any,
) -> Service:
    """What a server offers.

    Args:
        context: Settings of every run; `None` for the defaults.
        out: Folder of the runs' traces, with their pictures where no other store is set.
        folder: Clients may name picture files in it alone; `None` takes no paths.
        turns: Places for runs and edits, shared with whatever else starts some; `None` for its own.
        images: Send drawings as image content; without, they are told by their references alone.
        **settings: Fields of `Context`: `policy="score"`, ...

    Raises:
        SettingError: The context is none, or it pauses.
        UnknownNameError: There is no such setting.
    """
    settled = context_of_tools(context, settings)
    opened = None if folder is None else Path(folder)
    return Service(context=settled, out=Path(out), folder=opened, turns=turns or Turns(), images=images)
