"""How a run begins: its question is found, checked and written into the state as references."""

from __future__ import annotations

import asyncio
import time

from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from ..errors import ReviewError
from ..pictures.store import get_store
from ..state import Context, State
from .admission import admit
from .asked import find_asked, require_asked
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
