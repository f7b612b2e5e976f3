"""Where a graph goes on after each node: functions of the state alone.

LangGraph asks them whenever a checkpoint is followed, also after the state was edited as if a node had written it. So a
run goes on from there as it would have gone on by itself.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.types import Send

from ..state import State
from .revival import revived


def after_decide(state: State) -> Literal["generate", "answer"]:
    """To the drawing that was decided on; to the answer where there is none."""
    return "generate" if state.get("pending") else "answer"


def after_generate(state: State) -> Literal["reflect", "decide", "answer"]:
    """To the judgement of the thought, or past it where thoughts are not judged; to the answer where none was drawn."""
    state = revived(state)
    if state.get("stopped"):
        return "answer"
    if turn := state.get("pending"):
        return "reflect" if turn.thought else "answer"
    return "decide" if state["rounds"] and state["rounds"][-1].thought else "answer"


def after_reflect(state: State) -> Literal["decide", "answer"]:
    """To the next decision, unless the thought was discarded."""
    last = revived(state)["rounds"][-1:]
    return "answer" if any(turn.verdict and turn.verdict.action == "discard" for turn in last) else "decide"


def after_propose(state: Any) -> list[Send] | Literal["answer"]:
    """Each candidate by itself; to the answer where there is none."""
    state = revived(state)
    known = {name: state[name] for name in ("asked", "settings", "spent") if name in state}
    return [Send("attempt", {**known, "pending": turn, "candidates": []}) for turn in state["proposed"]] or "answer"


def after_draw(state: Any) -> Literal["judge", "__end__"]:
    """To the judgement of a candidate; to the end where it was not drawn, or is not judged."""
    return "judge" if not state["candidates"] else "__end__"
