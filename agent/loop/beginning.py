"""How a run begins: its question is found, checked and written into the state as references."""

from __future__ import annotations

import asyncio

from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from ..errors import ReviewError
from ..pictures.store import get_store
from ..state import Context, Question, State
from .admission import admit
from .asked import find_asked, listed, require_asked
from .review import last_heard, left_waiting, waiting_message
from .revival import revived


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
    store = await asyncio.to_thread(get_store, context.store)
    found = await asyncio.to_thread(find_asked, state, store)
    require_asked(found)
    pictures, question = found.pop("pictures"), found.pop("question")
    options, gold_edits = listed(state.get("options")), listed(state.get("gold_edits"))
    await admit(context, question, options, gold_edits, len(pictures))
    if context.pause != "never" and not has_thread(runtime):
        hint = "Compile it with one, `g2u.build_graph(checkpointer)`, and name a thread; or leave `pause` out."
        raise ReviewError("A person can be asked only in a thread of a graph with a checkpointer.", hint)
    messages = state.get("messages")
    asked = Question(
        pictures=pictures,
        question=question,
        options=list(options),
        gold_edits=list(gold_edits),
        heard=last_heard(messages or []),
    )
    anew = dict.fromkeys(("pending", "stopped", "direct", "answer"))
    if told := [*left_waiting(messages or []), *waiting_message(context.pause)]:
        found["messages"] = [*found.get("messages", []), *told]
    return {**found, "asked": asked, "settings": context.given, "spent": 0.0, "rounds": Overwrite([]), **anew}


def has_thread(runtime: Runtime[Context]) -> bool:
    """Whether the run can be taken up again after it stopped."""
    return bool(runtime.execution_info and runtime.execution_info.thread_id)
