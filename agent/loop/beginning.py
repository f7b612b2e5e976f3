"""How a run begins: its question is found, checked and written into the state as references."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from ..errors import PictureError, QuestionError, ReviewError
from ..pictures.intake import HINT, take_content, take_picture
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore, get_store
from ..state import Context, Question, State
from .admission import admit
from .revival import revived

FIELDS: Final = ("picture", "question", "options", "gold_edits")
"""Of an input, beside its messages."""


async def start(state: State, runtime: Runtime[Context], context: Context) -> dict[str, object]:
    """What the first node of a graph writes: all that belongs to the question anew, and nothing of another.

    Args:
        state: As the caller gave it, what the thread has kept beneath.
        runtime: Of the run.
        context: Settings that are checked.

    Raises:
        G2UError: In one of its kinds, when something given cannot be used.
    """
    state = revived(state)
    store = await asyncio.to_thread(get_store, context.pictures)
    found = await asyncio.to_thread(find_asked, given_of(state), store)
    picture, question, before = found.pop("picture"), found.pop("question"), state.get("asked")
    if picture is None and before is not None:
        picture = before.picture
    require_asked({"picture": picture, "question": question})
    options, gold_edits = state.get("options"), state.get("gold_edits")
    options, gold_edits = [] if options is None else options, [] if gold_edits is None else gold_edits
    await admit(context, question, options, gold_edits)
    if context.pause != "never" and not has_thread(runtime):
        hint = "Compile it with one, `g2u.build_graph(checkpointer)`, and name a thread; or leave `pause` out."
        raise ReviewError("A person can be asked only in a thread of a graph with a checkpointer.", hint)
    messages = state.get("messages")
    asked = Question(
        picture=picture,
        question=question,
        options=list(options),
        gold_edits=list(gold_edits),
        heard=messages[-1].id if messages else None,
    )
    anew = dict.fromkeys(("pending", "stopped", "direct", "answer"))
    return {**found, "asked": asked, "settings": context.given, "spent": 0.0, "rounds": Overwrite([]), **anew}


def has_thread(runtime: Runtime[Context]) -> bool:
    """Whether the run can be taken up again after it stopped."""
    return bool(runtime.execution_info and runtime.execution_info.thread_id)


def given_of(state: State) -> State:
    """What of a state the input gave: its fields, and the messages that may ask.

    Fields are gone with their input, while messages stay in the thread, also those of a question that did not finish.
    So what a field says counts, and beside fields a message asks only once. Without fields it may be sent again, and
    without a new one what was said before may be meant.

    Args:
        state: As the first node of a graph has it.
    """
    messages, before = list(state.get("messages") or []), state.get("asked")
    heard = [place for place, message in enumerate(messages) if before is not None and message.id == before.heard]
    new = messages[heard[-1] + 1 :] if heard else messages
    if state.get("question") is not None:
        new = [message for message in new if not (isinstance(message, HumanMessage) and message.text.strip())]
    fields = any(state.get(name) is not None for name in FIELDS)
    said = any(isinstance(message, HumanMessage) for message in new)
    return {**state, "messages": new} if fields or said else state


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
