"""The nodes of the loop: begin, then decide -> generate -> reflect, and back or on to answer.

A node reads the state, awaits the engine and returns what it found; `routes` tells from that where to go. Budgets are
kept in `decide` alone: no round starts once the rounds or the seconds of the run are used up, and its answer always
comes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import Runnable
from langgraph.runtime import get_runtime

from ..edits.library import NONE
from ..engine.counters import count_step
from ..errors import DeadlineError
from ..state import Context, Round, State
from .answering import answer_message
from .beginning import start
from .deciding.native import drawn_at_most
from .deciding.policies import Decider, ask_policy, get_policy
from .drawing import Drawer
from .fusions import fuse
from .host import Host, both_ways, step
from .judging import judged, timed
from .native import native_answer
from .replies import Review
from .review import in_its_place, pauses, review_answer, review_drawing
from .rounds import (
    Drawn,
    answer_from,
    drawing_of,
    is_kept,
    menu_of,
    native_drawing,
    pictures_of,
    plan_first,
    situation_of,
)

Node = Runnable[Any, dict[str, Any]]
"""Gets the state, gives an update of it; with `await` and without."""


def begin_with(anew: Mapping[str, Any] | None = None, **fixed: Any) -> Node:
    """The node that checks the question and starts anew, also in a thread that has answered others.

    The question is that of the fields, or that of a user's message where one came last.

    Args:
        anew: What the graph keeps of a question beside that of every graph, as it is at the start.
        **fixed: Settings of the graph itself, over those of its callers.
    """

    async def begin(state: State) -> dict[str, Any]:
        runtime = get_runtime(Context)
        given = runtime.context.given if runtime.context else {}
        return {**await start(state, runtime, Context(**{**given, **fixed})), **(anew or {})}

    return both_ways(begin)


def decide_with(drawer: Drawer, decider: Decider = ask_policy) -> Node:
    """The node that picks an edit, unless there is none to make or no budget to make it.

    Args:
        drawer: Who draws what a policy tries.
        decider: Who asks the policy.
    """

    async def decide(state: State, host: Host) -> dict[str, Any]:
        began = time.perf_counter()
        context, rounds = host.context, state["rounds"]
        most = drawn_at_most(context.policy, host.native) if host.native else context.rounds
        if len(rounds) >= most:
            stopped = host.stop("rounds", f"The rounds that may be drawn are used up: {most}.")
            return {"pending": None, "stopped": stopped}
        number = len(rounds) + 1
        host.tell({"step": "decide", "round": number, "done": 0, "total": 1})
        tried: dict[str, Drawn] = {}
        try:
            host.check_seconds()
            choose = await asyncio.to_thread(get_policy, context.policy)  # one of your own may have to be imported
            decision = await decider(choose, situation_of(host, state, number, tried, drawer))
            # Also of a decision that was made without the situation.
            decision = decision.model_copy(update={"on": menu_of(host, state).placed(decision.call).on})
        except DeadlineError as error:
            return {"pending": None, "stopped": host.late(error, rounds)}
        source = pictures_of(state)[decision.call.place]
        turn = timed(Round(number=number, source=source, decision=decision), "decide", began)
        if drawn := tried.get("") or tried.get(decision.call.text):
            turn = turn.model_copy(update={"plan": drawn[0], "thought": drawn[1]})
        if decision.edit == NONE:
            return {"pending": None, "stopped": None, "rounds": [turn]}
        return {"pending": turn, "stopped": None}

    return step(decide)


def generate_with(drawer: Drawer) -> Node:
    """The node that draws the visual thought, unless the policy has tried it already.

    Args:
        drawer: Who draws it.
    """

    async def generate(state: State, host: Host) -> dict[str, Any]:
        turn = _under_way(state)
        if pauses(host.context, "drawing"):
            menu, question = menu_of(host, state), state["asked"].question
            reviewed = review_drawing(host.context, menu, turn, pictures_of(state), question)
            if isinstance(reviewed, Review):
                stopped = host.stop("person", f"A person stopped the drawing{_why(reviewed)}.")
                # What a policy has drawn on trial is not used either.
                return {"pending": None, "stopped": stopped, "rounds": [turn.model_copy(update={"thought": None})]}
            turn = reviewed
        began = time.perf_counter()
        try:
            if turn.thought is None:
                if host.native:
                    drawing = native_drawing(host, state, turn)
                else:
                    drawing = drawing_of(host, state, turn.source, turn.decision.call, turn.number, "generate")
                    drawing = await plan_first(host, drawing)
                    turn = turn.model_copy(update={"plan": drawing.plan})
                assert drawing.on_progress, "the host tells it"
                drawing.on_progress(0, host.sampler.steps or 1)
                turn = turn.model_copy(update={"thought": await drawer(drawing)})
        except DeadlineError as error:
            stopped = host.late(error, state["rounds"])
            return {"pending": None, "stopped": stopped, "rounds": [timed(turn, "generate", began)]}
        turn = timed(turn, "generate", began)
        if host.context.reflect and not host.native:  # what it drew is in its text already
            return {"pending": turn, "stopped": None}
        return {"pending": None, "stopped": None, "rounds": [turn]}

    return step(generate)


async def _reflect(state: State, host: Host) -> dict[str, Any]:
    return {"pending": None, "rounds": [await judged(host, state, _under_way(state))]}


reflect: Node = step(_reflect)
"""Lets the model judge its thought beside what it was drawn from."""


async def _answer(state: State, host: Host) -> dict[str, Any]:
    asked, kept = state["asked"], [turn for turn in state["rounds"] if is_kept(turn)]
    stopped = state.get("stopped")
    if pauses(host.context, "answer") and (reply := review_answer(kept, asked.question)).action == "stop":
        kept = []
        stopped = host.stop("person", f"A person wanted the answer without a thought{_why(reply)}.")
    began = time.perf_counter()
    host.tell({"step": "answer", "round": len(state["rounds"]), "done": 0, "total": 1})
    shown = dict.fromkeys(fuse(host.context.fusion, asked.pictures, turns, asked.question) for turns in ([], kept))
    if host.native:  # a fusion is for thoughts that were drawn of picked edits
        shown = dict.fromkeys(list(shown)[:1])
    answers = await asyncio.gather(*(answer_from(host, part, asked.question, asked.options) for part in shown))
    if host.native and not (stopped and stopped.cause == "person"):
        answers.append(native_answer(host.native, asked, state["rounds"], began))
    count_step("answer", time.perf_counter() - began)
    return {
        "pending": None,
        "stopped": stopped,
        "direct": answers[0],
        "answer": answers[-1],
        "messages": [in_its_place(answer_message(answers[-1], kept), state["messages"])],
        "settings": {},
    }


def answer_with(**fixed: Any) -> Node:
    """The node that answers from the originals alone, and with the kept thoughts where there are any.

    Args:
        **fixed: Settings of the graph itself, over those of its callers.
    """
    return step(_answer, **fixed)


def _under_way(state: State) -> Round:
    turn = state.get("pending")
    assert turn is not None, "decide sets it before anything is drawn"
    return turn


def _why(reply: Review) -> str:
    return f": {reply.reason.rstrip('.')}" if reply.reason else ""
