"""Each edit of the library as a tool of its own: picture in, picture out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, Field, create_model

from ..edits.library import NONE, Edit, EditLibrary
from ..edits.menu import Menu
from ..engine.registry import get_engine
from ..engine.requests import ProgressCallback
from ..engine.waiting import wait_for
from ..errors import CapabilityError, G2UError
from ..loop.admission import check_ranges, sampler_of
from ..loop.drawing import Drawing, draw_with_model
from ..loop.rounds import draw_seed
from ..models.protocol import Edits
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from ..state import Context
from ..traces.caveats import caveats
from .blocks import LARGEST, Address, picture_block
from .given import ABOUT_PICTURE, Given, enter_for
from .tool import Content, context_of_tools


@dataclass(frozen=True, kw_only=True)
class Edited:
    """An edit that was made."""

    edit: str
    instruction: str
    """What the drawer was told."""
    source: ImageRef
    picture: ImageRef
    """The drawing."""
    model: str
    """Key of the model that made it."""
    imagining: Edits
    """How it came about."""

    @property
    def told(self) -> str:
        """All that in words, for a chat model that goes on from it."""
        doubts = caveats(self.model, [], None, self.imagining)
        return "\n".join([f"{self.instruction} The new picture is {self.picture.uri}", *doubts])


async def draw_edit(
    store: ImageStore,
    source: ImageRef,
    edit: str,
    arguments: Mapping[str, object],
    question: str,
    context: Context,
    on_progress: ProgressCallback | None = None,
) -> Edited:
    """Let the model make one edit, as the loop makes that of its first round.

    Args:
        store: Of the pictures.
        source: The picture to be edited.
        edit: Name of an edit of the library.
        arguments: Its arguments; those left out have their defaults.
        question: For edits whose instruction carries it.
        context: Model, sampler, seconds and seed.
        on_progress: Called after each step, on the engine's thread.

    Raises:
        UnknownNameError: There is no such edit or model.
        ToolCallError: An argument is unknown or not one of its choices.
        CapabilityError: The model cannot draw it, or the edit is `none`.
        DeadlineError: The seconds were over first.
    """
    check_ranges(context)
    library = EditLibrary.load()
    call = library.call(edit, arguments)
    if edit == NONE:
        raise CapabilityError("The edit 'none' draws nothing.", "`g2u edits` lists those that draw.")
    engine = get_engine(context.model, context.weights)
    model = await engine.ready()
    able = model.capabilities
    if not Menu(library=library, instructions=able.instructions, skills=able.skills).drawable(call):
        hint = "`g2u models` lists the models; one that draws whatever it is told can."
        raise CapabilityError(f"The model {context.model!r} was not taught to draw the edit {call.text}.", hint)
    drawing = Drawing(
        engine=engine,
        store=store,
        pictures=[source],
        question=question,
        segments=[source],
        call=call,
        instruction=library.instruction(call, question),
        sampler=sampler_of(context, model),
        seed=draw_seed(context.seed, 1),
        deadline=time.monotonic() + context.seconds,
        on_progress=on_progress,
    )
    return Edited(
        edit=edit,
        instruction=drawing.instruction,
        source=source,
        picture=await draw_with_model(drawing),
        model=model.key,
        imagining=able.edits,
    )


def edit_tools(
    context: Context | None = None,
    *,
    names: Sequence[str] | None = None,
    out: str | Path | None = Path("runs"),
    folder: str | Path | None = Path("."),
    address: Address | None = None,
    largest: int = LARGEST,
    images: bool = True,
    **settings: Any,
) -> list[BaseTool]:
    """The edits of the library as tools for any agent that calls tools.

    A tool takes a picture and the edit's own arguments, and a question where its instruction carries one. Its message
    holds the new picture's reference, which other tools take as a picture, and an image block; its artifact is an
    `Edited`.

    Args:
        context: Model, sampler, seconds and seed; `None` for the defaults.
        names: Of the wanted edits; `None` for all that are on a menu. `written` alone takes any instruction.
        out: The pictures are kept in `pictures` in this folder where no other store is set, see `g2u.aask`.
        folder: The chat model may name picture files in it alone; `None` takes references only.
        address: Where a picture can be fetched. Then its block holds that address; otherwise it holds the picture.
        largest: Longest side of a picture in a block, in pixels.
        images: Put the new picture into the message; without, words name its reference alone, for chat models that take
            no picture from a tool.
        **settings: Fields of `Context`: `model="bagel"`, ...

    Raises:
        SettingError: The context is none, or it pauses.
        UnknownNameError: There is no such edit or setting.
    """
    settled, library = context_of_tools(context, settings), EditLibrary.load()
    runs, opened = Path(out) if out else None, None if folder is None else Path(folder)

    def tool_of(edit: Edit) -> BaseTool:
        async def draw(picture: str, question: str = "", **arguments: str) -> tuple[Content, Edited]:
            try:
                store, (source,) = await asyncio.to_thread(enter_for, settled, runs, [picture], opened)
                made = await draw_edit(store, source, edit.name, arguments, question, settled)
                text = {"type": "text", "text": made.told}
                if not images:
                    return [text], made
                return [text, await asyncio.to_thread(picture_block, store, made.picture, address, largest)], made
            except G2UError as error:
                raise ToolException(f"Error: {error}") from error

        def draw_and_wait(picture: str, question: str = "", **arguments: str) -> tuple[Content, Edited]:
            return wait_for(lambda: draw(picture, question, **arguments))

        return StructuredTool.from_function(
            draw_and_wait,
            draw,
            name=edit.name,
            description=f"Edits a picture. {edit.helps} Returns a new picture.",
            args_schema=arguments_of(edit),
            response_format="content_and_artifact",
            handle_tool_error=True,
        )

    wanted = [name for name in library.names if name != NONE] if names is None else names
    return [tool_of(library.get(name)) for name in wanted]


def arguments_of(edit: Edit) -> type[BaseModel]:
    """The arguments of an edit's tool: a picture, its own, and a question where its instruction carries one."""
    fields: dict[str, Any] = {"picture": (str, Field(description=ABOUT_PICTURE))}
    defaults = {name: argument.default or "?" for name, argument in edit.arguments.items()}
    if len(set(edit.wordings(defaults))) > 1:
        fields["question"] = (str, Field(default="", description="What is to be found out, without the options."))
    return create_model(edit.name, __base__=(Given, edit.schema_model), **fields)
