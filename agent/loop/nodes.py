"""The nodes of the loop: begin, then decide -> generate -> reflect, and back or on to answer.

A node reads the state, awaits the engine and returns where to go. Budgets are kept in `decide` alone: no round starts
once the rounds or the seconds of the run are used up, and its answer always comes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import replace
from typing import Literal, Protocol, TypeVar, cast

from langgraph.runtime import Runtime
from langgraph.types import Command

from ..edits.library import NONE
from ..engine.counters import count_step
from ..errors import DeadlineError
from ..state import Context, Round, State
from .answering import answer_message
from .beginning import start
from .deciding.policies import get_policy
from .drawing import Drawer
from .fusions import fuse
from .judging import judged, timed
from .replies import Review
from .review import in_its_place, pauses, review_answer, review_drawing
from .revival import revived
from .rounds import (
    Drawn,
    Host,
    answer_from,
    deadline_of,
    drawing_of,
    is_kept,
    last_kept,
    menu_of,
    plan_first,
    situation_of,
)

StateT = TypeVar("StateT", contravariant=True)
Goto = TypeVar("Goto", bound=str)


class Node(Protocol[StateT, Goto]):
    """A node that says where to go."""

    def __call__(self, state: StateT, runtime: Runtime[Context]) -> Awaitable[Command[Goto]]:
        """Do its part."""
        ...


async def begin(state: State, runtime: Runtime[Context]) -> dict[str, object]:
    """Check the question and start anew, also in a thread that has answered others.

    The question is that of the fields, or that of a user's message where one came last.
    """
    return await start(state, runtime, runtime.context or Context())


async def begin_direct(state: State, runtime: Runtime[Context]) -> dict[str, object]:
    """The same for a graph that draws nothing, whatever the policy."""
    return await start(state, runtime, replace(runtime.context or Context(), policy="none"))


def decide_with(drawer: Drawer) -> Node[State, Literal["generate", "answer"]]:
    """The node that picks an edit, or goes on to the answer when there is none to make or no budget to make it.

    Args:
        drawer: Who draws what a policy tries.
    """

    async def decide(state: State, runtime: Runtime[Context]) -> Command[Literal["generate", "answer"]]:
        state, host, began = revived(state), await Host.of(runtime), time.perf_counter()
        context, rounds = host.context, state["rounds"]
        if len(rounds) >= context.rounds:
            host.stop("rounds", f"The rounds that may be drawn are used up: {context.rounds}.")
            return Command(goto="answer")
        number = len(rounds) + 1
        source = last_kept(rounds) or state["picture"]
        host.tell({"step": "decide", "round": number, "done": 0, "total": 1})
        tried: dict[str, Drawn] = {}
        try:
            if time.monotonic() > deadline_of(state, context):
                raise DeadlineError(f"The {context.seconds:g} seconds are used up.")
            decision = await get_policy(context.policy)(situation_of(host, state, number, source, tried, drawer))
        except DeadlineError as error:
            host.stop("seconds", error.message)
            return Command(goto="answer")
        turn = timed(Round(number=number, source=source, decision=decision), "decide", began)
        if drawn := tried.get(decision.call.text):
            turn = turn.model_copy(update={"plan": drawn[0], "thought": drawn[1]})
        if decision.edit == NONE:
            return Command(update={"rounds": [turn]}, goto="answer")
        return Command(update={"pending": turn, "paused": time.time()}, goto="generate")

    return decide


def generate_with(drawer: Drawer) -> Node[State, Literal["reflect", "decide", "answer"]]:
    """The node that draws the visual thought, unless the policy has tried it already.

    Args:
        drawer: Who draws it.
    """

    async def generate(state: State, runtime: Runtime[Context]) -> Command[Literal["reflect", "decide", "answer"]]:
        state, host = revived(state), await Host.of(runtime)
        turn = _under_way(state)
        started = state["started"]
        if pauses(host.context, "drawing"):
            reviewed = review_drawing(host.context, menu_of(host, state), turn, state["question"])
            if isinstance(reviewed, Review):
                host.stop("person", f"A person stopped the drawing{_why(reviewed)}.")
                # What a policy has drawn on trial is not used either.
                unused = turn.model_copy(update={"thought": None})
                return Command(update={"pending": None, "rounds": [unused]}, goto="answer")
            turn, started = reviewed, started + time.time() - state["paused"]
            state = cast(State, {**state, "started": started})
        began = time.perf_counter()
        drawing = drawing_of(host, state, turn.source, turn.decision.call, turn.number, "generate")
        try:
            if turn.thought is None:
                drawing = await plan_first(host, drawing)
                turn = turn.model_copy(update={"plan": drawing.plan})
                assert drawing.on_progress, "the host tells it"
                drawing.on_progress(0, host.sampler.steps or 1)
                turn = turn.model_copy(update={"thought": await drawer(drawing)})
        except DeadlineError as error:
            host.stop("seconds", error.message)
            return Command(update={"pending": None, "rounds": [timed(turn, "generate", began)]}, goto="answer")
        turn = timed(turn, "generate", began)
        if host.context.reflect:
            return Command(update={"pending": turn, "started": started}, goto="reflect")
        return Command(update={"pending": None, "rounds": [turn], "started": started}, goto="decide")

    return generate


async def reflect(state: State, runtime: Runtime[Context]) -> Command[Literal["decide", "answer"]]:
    """Let the model judge its thought beside what it was drawn from."""
    state = revived(state)
    turn = await judged(await Host.of(runtime), state, _under_way(state))
    assert turn.verdict, "it was judged"
    goto: Literal["decide", "answer"] = "answer" if turn.verdict.action == "discard" else "decide"
    return Command(update={"pending": None, "rounds": [turn]}, goto=goto)


async def answer(state: State, runtime: Runtime[Context]) -> dict[str, object]:
    """Answer from the original alone, and from the last kept thought where there is one."""
    state, host = revived(state), await Host.of(runtime)
    question, options = state["question"], state.get("options", [])
    picture, kept = state["picture"], [turn for turn in state["rounds"] if is_kept(turn)]
    if pauses(host.context, "answer") and (reply := review_answer(kept, question)).action == "stop":
        kept = []
        host.stop("person", f"A person wanted the answer without a thought{_why(reply)}.")
    began = time.perf_counter()
    host.tell({"step": "answer", "round": len(state["rounds"]), "done": 0, "total": 1})
    shown = dict.fromkeys(fuse(host.context.fusion, picture, turns, question) for turns in ([], kept))
    answers = await asyncio.gather(*(answer_from(host, part, question, options) for part in shown))
    count_step("answer", time.perf_counter() - began)
    return {
        "direct": answers[0],
        "answer": answers[-1],
        "messages": [in_its_place(answer_message(answers[-1], kept), state["messages"])],
        # A thread keeps what an input leaves out, and the next question may have none of these.
        "options": [],
        "gold_edits": [],
    }


def _under_way(state: State) -> Round:
    turn = state["pending"]
    assert turn is not None, "decide sets it before anything is drawn"
    return turn


def _why(reply: Review) -> str:
    return f": {reply.reason.rstrip('.')}" if reply.reason else ""
