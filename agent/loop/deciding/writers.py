"""Policies that write an instruction in words of their own instead of picking an edit.

`own-words` asks the model itself; `writer:NAME` asks a chat model, as the paper asked GPT-4o-mini: one that was handed
over to `register_writer`, that an installed package brings or that stands at a place of your own, or
`writer:PROVIDER:MODEL` through LangChain's `init_chat_model`. Neither is told the options
of the question. What they write must not name one, or they are asked again, without being told which.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import re
import time
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables import Runnable

from g2u import prompts

from ...edits.library import NONE, WRITTEN, EditCall
from ...edits.menu import Menu
from ...errors import DeadlineError, ExtensionError, MissingExtraError, SettingError, UnknownNameError, WriterError
from ...extensions import find, find_installed, installed, is_place
from ...state import Decision
from .situation import Situation, ask_again

MAX_TOKENS = 96
"""Of an instruction that the model itself writes."""

GROUP = "g2u.writers"
"""Of the entry points by which an installed package brings a writer."""

_NUMBER = re.compile(r"(?:picture|image)\s*(\d+)\s*[:,.-]\s*", re.IGNORECASE)
"""How an instruction says of which of several pictures it is."""
_WRITERS: dict[str, Runnable[Any, BaseMessage]] = {}


async def choose_own_words(situation: Situation) -> Decision:
    """The model writes the instruction."""

    async def ask(error: str) -> str:
        return await situation.written(situation.prompt("write", error=error), MAX_TOKENS)

    return await ask_again(situation, ask, lambda reply: read_instruction(situation.menu, reply), "The model")


async def choose_writer(situation: Situation) -> Decision:
    """A chat model writes the instruction; it sees the pictures, the stem of the question and a few examples."""
    name = situation.policy.partition(":")[2]
    writer, examples, deadline = get_writer(name), prompts.load_examples(), situation.deadline
    pictures = [
        {
            "type": "image",
            "base64": base64.b64encode(await asyncio.to_thread(situation.store.path(ref).read_bytes)).decode(),
            "mime_type": ref.mime,
        }
        for ref in situation.pictures
    ]

    async def ask(error: str) -> str:
        text = situation.prompt("write", prompt_set="writer", error=error, examples=examples)
        message = HumanMessage(content=[{"type": "text", "text": text}, *pictures])
        left = deadline and deadline - time.monotonic()
        try:
            # In a thread, since the clients behind chat models keep to the event loop that they first met.
            reply = await asyncio.wait_for(asyncio.to_thread(writer.invoke, [message]), left)
        except Exception as failure:  # every provider's client has errors of its own
            if isinstance(failure, TimeoutError) and deadline and time.monotonic() >= deadline:
                raise DeadlineError("The time was over before the writer was done.", "Allow more seconds.") from failure
            raise WriterError(f"The writer {name!r} gave no reply: {_first_line(failure)}") from failure
        return str(reply.text)

    return await ask_again(situation, ask, lambda reply: read_instruction(situation.menu, reply), "The writer")


def read_instruction(menu: Menu, reply: str) -> tuple[EditCall, str]:
    """The call in a reply of one sentence: it as an instruction, or no edit where it says `none`.

    Where there are several pictures, it may begin with the number of the one that is edited: `Picture 2: ...`.

    Raises:
        ToolCallError: It is empty, too long, names an option or a picture that there is not; with a message that tells
            how to mend it.
    """
    text, on = " ".join(reply.split()).strip('"“”`'), None
    if menu.pictures > 1 and (named := _NUMBER.match(text)):
        text, on = text[named.end() :], named[1]
    if text.rstrip(".").casefold() == NONE:
        return EditCall(edit=NONE), ""
    return menu.settle(menu.library.call(WRITTEN, {"instruction": text}, on), written=True)


def register_writer(name: str, chat_model: Runnable[Any, BaseMessage]) -> None:
    """Let the policy `writer:NAME` find a chat model of your own, in the place of any other.

    Args:
        name: Of your choice.
        chat_model: Any LangChain chat model that reads pictures, or something made of one, such as with fallbacks.

    Raises:
        SettingError: It is none.

    Example:
        `register_writer("mine", ChatOpenAI(model="gpt-4o-mini", temperature=0))`
    """
    if not name or not isinstance(chat_model, Runnable):
        raise SettingError(f"{name!r} and {type(chat_model).__name__} are no name and chat model of LangChain.")
    _WRITERS[name] = chat_model


def get_writer(name: str) -> Runnable[Any, BaseMessage]:
    """The chat model of a name; made once per process.

    Args:
        name: As registered; an entry point of the group `g2u.writers`; the place, in a package or a file, of a chat
            model or of a function without arguments that makes one; or `PROVIDER:MODEL`.

    Raises:
        UnknownNameError: It is none of these.
        ExtensionError: Its module cannot be found or imported, or it is no chat model.
        MissingExtraError: LangChain, which makes chat models by name, is not installed.
        WriterError: LangChain cannot make it.
    """
    if name in _WRITERS:
        return _WRITERS[name]
    brought = name in installed(GROUP)
    if brought or is_place(name, dotted=True):  # without a dot it is a provider
        _WRITERS[name] = _made(name, find_installed(GROUP, name) if brought else find(name))
        return _WRITERS[name]
    provider, _, model = name.partition(":")
    if not provider or not model:
        raise UnknownNameError("writer", name, [*_WRITERS, *installed(GROUP), "PROVIDER:MODEL"])
    try:
        init_chat_model = importlib.import_module("langchain.chat_models").init_chat_model
    except ImportError as error:
        raise MissingExtraError(f"The policy 'writer:{name}'", "langchain", "writer") from error
    try:
        _WRITERS[name] = init_chat_model(model, model_provider=provider)
    except Exception as error:  # every provider's client has errors of its own
        hint = "Install the provider's package and set its key, or hand a chat model over to `g2u.register_writer`."
        raise WriterError(f"The writer {name!r} cannot be made: {_first_line(error)}", hint) from error
    return _WRITERS[name]


def _made(name: str, found: Any) -> Runnable[Any, BaseMessage]:
    made = found if isinstance(found, Runnable) or not callable(found) else found()
    if not isinstance(made, Runnable):
        message = f"The writer {name!r} is of type {type(made).__name__}, and a chat model of LangChain was expected."
        raise ExtensionError(message, "Name a chat model, or a function without arguments that gives one.")
    return made


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".") + "."
