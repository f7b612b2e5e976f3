"""The loop as a LangChain tool."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.config import get_stream_writer
from pydantic import Field

from ..asking import OnEvent, Run, aask, context_with
from ..engine.waiting import wait_for
from ..errors import G2UError, SettingError
from ..pictures.store import get_store
from ..state import Context
from .blocks import LARGEST, Address, picture_block, thought_of, words_about
from .given import ABOUT_PICTURE, ABOUT_PICTURES, Given, enter_for, named_pictures

NAME = "imagine"
"""Of the tool, unless another is given."""

DESCRIPTION = (
    "Answer a question about a picture, or several. A vision model first edits a picture for itself where that helps "
    "(removes blur or noise, traces a path, marks what is asked), judges its drawing, and then answers. Returns the "
    "answer, the answer without imagining, and the drawing."
)
"""Told to the chat model."""

Content = list[dict[str, Any]]
"""Content blocks of a message."""

_CALL: Final[ContextVar[str | None]] = ContextVar("call", default=None)
"""The call of a tool that is being answered; agents make several at once."""


class Question(Given):
    """Arguments of the tool."""

    picture: str = Field(default="", description=ABOUT_PICTURE)
    pictures: list[str] = Field(default=[], description=ABOUT_PICTURES)
    question: str = Field(description="What to find out, in words, without the options.")
    options: list[str] = Field(default=[], description="The only answers there are, where that is known.")


class CalledTool(StructuredTool):
    """A tool whose work knows which call it answers."""

    def run(self, *args: Any, tool_call_id: str | None = None, **options: Any) -> Any:
        """As any tool."""
        token = _CALL.set(tool_call_id)
        try:
            return super().run(*args, tool_call_id=tool_call_id, **options)
        finally:
            _CALL.reset(token)

    async def arun(self, *args: Any, tool_call_id: str | None = None, **options: Any) -> Any:
        """As any tool."""
        token = _CALL.set(tool_call_id)
        try:
            return await super().arun(*args, tool_call_id=tool_call_id, **options)
        finally:
            _CALL.reset(token)


def as_tool(
    context: Context | None = None,
    *,
    name: str = NAME,
    description: str = DESCRIPTION,
    out: str | Path | None = Path("runs"),
    folder: str | Path | None = Path("."),
    address: Address | None = None,
    largest: int = LARGEST,
    images: bool = True,
    **settings: Any,
) -> BaseTool:
    """The loop as a tool for agents: small arguments in, content blocks and the whole `Run` out.

    Its message holds the answers in words and the kept visual thought as a standard image block; its artifact is the
    `Run`, which a checkpointer keeps as a plain dict (`Run.model_validate` reads it). What a user can mend comes back
    as a message with the status `error`, so that the chat model can try again. The steps of a run go to the custom
    stream of the agent's graph, each with the `tool_call_id` of its call.

    Args:
        context: Settings of every run; `None` for the defaults.
        name: Of the tool.
        description: For the chat model.
        out: Folder of the runs' traces, as for `g2u.aask`; `None` writes none.
        folder: The chat model may name picture files in it alone; `None` takes references only.
        address: Where a picture can be fetched. Then its block holds that address; otherwise it holds the picture.
        largest: Longest side of a picture in a block, in pixels.
        images: Put the thought into the message; without, words name its reference alone, for chat models that take
            no picture from a tool.
        **settings: Fields of `Context`: `policy="score"`, ...

    Raises:
        SettingError: The context is none, or it pauses.
        UnknownNameError: There is no such setting.
    """
    settled = context_of_tools(context, settings)
    runs, opened = Path(out) if out else None, None if folder is None else Path(folder)

    async def imagine(
        question: str, picture: str = "", pictures: Sequence[str] = (), options: list[str] | None = None
    ) -> tuple[Content, Run]:
        try:
            named = named_pictures(picture, pictures)
            _, refs = await asyncio.to_thread(enter_for, settled, runs, named, opened)
            run = await aask(refs, question, options=options, context=settled, out=runs, on_event=teller())
            text, thought = {"type": "text", "text": words_about(run)}, thought_of(run)
            if not thought or not images:
                return [text], run
            store = get_store(run.store)
            return [text, await asyncio.to_thread(picture_block, store, thought, address, largest)], run
        except G2UError as error:
            raise ToolException(f"Error: {error}") from error

    def imagine_and_wait(
        question: str, picture: str = "", pictures: Sequence[str] = (), options: list[str] | None = None
    ) -> tuple[Content, Run]:
        return wait_for(lambda: imagine(question, picture, pictures, options))

    return CalledTool.from_function(
        imagine_and_wait,
        imagine,
        name=name,
        description=description,
        args_schema=Question,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )


def context_of_tools(context: Context | None, settings: Mapping[str, Any]) -> Context:
    """The settings of every call of a tool.

    Raises:
        SettingError: The context is none, or it pauses: a call has no thread in which a person could be asked.
        UnknownNameError: There is no such setting.
    """
    settled = context_with(context, settings)
    if settled.pause != "never":
        hint = "Use `g2u.as_node(pause=...)` in a graph with a checkpointer, or have the agent ask before it calls."
        raise SettingError(f"A tool cannot pause (pause={settled.pause!r}): its calls have no thread.", hint)
    return settled


def teller() -> OnEvent | None:
    """Passes the steps of a run on to the custom stream of the graph that calls; `None` where no graph does."""
    try:
        write = get_stream_writer()
    except (KeyError, RuntimeError):
        return None
    call = _CALL.get()
    return write if call is None else lambda event: write({**event, "tool_call_id": call})
