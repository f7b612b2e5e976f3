"""How a run begins: its question is found, checked and written into the state as references."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from ..errors import PictureError, QuestionError, ReviewError
from ..pictures.intake import HINT, take_content, take_picture
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore, get_store
from ..state import Context, State
from .admission import admit
from .review import waiting_message


async def start(state: State, runtime: Runtime[Context], context: Context) -> dict[str, object]:
    """What the first node of a graph writes.

    Args:
        state: As the caller gave it, what the thread has kept beneath.
        runtime: Of the run.
        context: Settings that are checked.

    Raises:
        G2UError: In one of its kinds, when something given cannot be used.
    """
    store = await asyncio.to_thread(get_store, context.pictures)
    update = await asyncio.to_thread(find_asked, state, store)
    require_asked(update)
    await admit(context, update["question"], state.get("options", []), state.get("gold_edits", []))
    if context.pause != "never" and not has_thread(runtime):
        hint = "Compile it with one, `g2u.build_graph(checkpointer)`, and name a thread; or leave `pause` out."
        raise ReviewError("A person can be asked only in a thread of a graph with a checkpointer.", hint)
    messages = [*update.get("messages", []), *waiting_message(context.pause)]
    return {**update, "messages": messages, "started": time.time(), "pending": None, "rounds": Overwrite([])}


def has_thread(runtime: Runtime[Context]) -> bool:
    """Whether the run can be taken up again after it stopped."""
    return bool(runtime.execution_info and runtime.execution_info.thread_id)


def find_asked(state: State, store: ImageStore) -> dict[str, Any]:
    """Picture and question, each `None` where it is not given, and their message where it held more than references.

    Raises:
        PictureError: There are several pictures, or it is none.
    """
    given: object = state.get("picture")
    question: Any = state.get("question")
    update: dict[str, Any] = {}
    if (message := last_message(state)) is not None:
        content = [message.content] if isinstance(message.content, str) else message.content
        blocks, refs, text = take_content(content, store)
        if len(refs) > 1:
            raise PictureError(f"A question is about one picture, not {len(refs)}.", "Send them one by one.")
        given, question = refs[0] if refs else given, text or question
        if refs and blocks != message.content:
            update["messages"] = [message.model_copy(update={"content": blocks})]
    picture = given if given is None or isinstance(given, ImageRef) else take_picture(given, store)
    return {"picture": picture, "question": question, **update}


def require_asked(found: Mapping[str, Any]) -> None:
    """Refuse what `find_asked` found where something is missing.

    Raises:
        PictureError: There is no picture.
        QuestionError: There is no question.
    """
    if found["picture"] is None:
        raise PictureError("There is no picture to ask about.", HINT)
    if found["question"] is None:
        raise QuestionError("There is no question.", "Give one as `question`, or as the text of a user's message.")


def last_message(state: State) -> HumanMessage | None:
    """The message that asks; none where the last one is an answer, and the fields ask."""
    messages: list[AnyMessage] = state.get("messages") or []
    return messages[-1] if messages and isinstance(messages[-1], HumanMessage) else None
