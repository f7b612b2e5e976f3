"""The nodes of the loop: begin, then decide -> generate -> reflect, and back or on to answer.

A node reads the state, awaits the engine and returns where to go. Budgets are kept in `decide` alone: no round starts
once the rounds or the seconds of the run are used up, and its answer always comes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Literal, Protocol, TypeVar

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime
from langgraph.types import Command, Overwrite
from PIL import Image, ImageChops, ImageStat

from g2u.admission import admit
from g2u.drawing import Drawer
from g2u.edits import NONE
from g2u.errors import DeadlineError
from g2u.fusions import fuse
from g2u.pictures import ImageRef, ImageStore
from g2u.policies import get_policy
from g2u.rounds import Drawn, Host, answer_from, deadline_of, drawing_of, is_kept, last_kept, plan_first, situation_of
from g2u.state import Context, Round, State, Verdict
from g2u.verdicts import ACTIONS, judge

Goto = TypeVar("Goto", bound=str)


class Node(Protocol[Goto]):
    """A node that says where to go."""

    def __call__(self, state: State, runtime: Runtime[Context]) -> Awaitable[Command[Goto]]:
        """Do its part."""
        ...


async def begin(state: State, runtime: Runtime[Context]) -> Command[Literal["decide"]]:
    """Check the question and start anew, also in a thread that has answered others."""
    await admit(runtime.context or Context(), state["question"], state.get("options", []), state.get("gold_edits", []))
    return Command(update={"started": time.time(), "pending": None, "rounds": Overwrite([])}, goto="decide")


def decide_with(drawer: Drawer) -> Node[Literal["generate", "answer"]]:
    """The node that picks an edit, or goes on to the answer when there is none to make or no budget to make it.

    Args:
        drawer: Who draws what a policy tries.
    """

    async def decide(state: State, runtime: Runtime[Context]) -> Command[Literal["generate", "answer"]]:
        host, began = await Host.of(runtime), time.perf_counter()
        context, rounds = host.context, state["rounds"]
        if len(rounds) >= context.rounds:
            host.stop("rounds", f"All {context.rounds} rounds are used up.")
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
        turn = Round(number=number, source=source, decision=decision, seconds={"decide": time.perf_counter() - began})
        if drawn := tried.get(decision.call.text):
            turn = turn.model_copy(update={"plan": drawn[0], "thought": drawn[1]})
        if decision.edit == NONE:
            return Command(update={"rounds": [turn]}, goto="answer")
        return Command(update={"pending": turn}, goto="generate")

    return decide


def generate_with(drawer: Drawer) -> Node[Literal["reflect", "decide", "answer"]]:
    """The node that draws the visual thought, unless the policy has tried it already.

    Args:
        drawer: Who draws it.
    """

    async def generate(state: State, runtime: Runtime[Context]) -> Command[Literal["reflect", "decide", "answer"]]:
        host, began = await Host.of(runtime), time.perf_counter()
        turn = _under_way(state)
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
            return Command(update={"pending": None, "rounds": [_timed(turn, "generate", began)]}, goto="answer")
        turn = _timed(turn, "generate", began)
        if host.context.reflect:
            return Command(update={"pending": turn}, goto="reflect")
        return Command(update={"pending": None, "rounds": [turn]}, goto="decide")

    return generate


async def reflect(state: State, runtime: Runtime[Context]) -> Command[Literal["decide", "answer"]]:
    """Let the model judge its thought beside what it was drawn from."""
    host, began = await Host.of(runtime), time.perf_counter()
    turn = _under_way(state)
    assert turn.thought is not None, "generate drew it"
    host.tell({"step": "reflect", "round": turn.number, "done": 0, "total": 1})
    sure, change = await asyncio.gather(
        judge(host.engine, host.store, turn.source, turn.thought, state["question"], turn.decision.call),
        asyncio.to_thread(_change, host.store, turn.source, turn.thought),
    )
    action = max(ACTIONS, key=sure.__getitem__)
    second, third = sorted(set(ACTIONS) - {action}, key=sure.__getitem__, reverse=True)
    reason = f"{action} at {sure[action]:.2f}, before {second} at {sure[second]:.2f} and {third} at {sure[third]:.2f}."
    verdict = Verdict(action=action, reason=reason, probabilities=sure, change=change)
    turn = _timed(turn.model_copy(update={"verdict": verdict}), "reflect", began)
    goto: Literal["decide", "answer"] = "answer" if action == "discard" else "decide"
    return Command(update={"pending": None, "rounds": [turn]}, goto=goto)


async def answer(state: State, runtime: Runtime[Context]) -> dict[str, object]:
    """Answer from the original alone, and from the last kept thought where there is one."""
    host = await Host.of(runtime)
    question, options = state["question"], state.get("options", [])
    host.tell({"step": "answer", "round": len(state["rounds"]), "done": 0, "total": 1})
    picture, kept = state["picture"], [turn for turn in state["rounds"] if is_kept(turn)]
    shown = dict.fromkeys(fuse(host.context.fusion, picture, turns, question) for turns in ([], kept))
    answers = await asyncio.gather(*(answer_from(host, part, question, options) for part in shown))
    return {
        "direct": answers[0],
        "answer": answers[-1],
        "messages": [AIMessage(answers[-1].text)],
        # A thread keeps what an input leaves out, and the next question may have none of these.
        "options": [],
        "gold_edits": [],
    }


def _under_way(state: State) -> Round:
    turn = state["pending"]
    assert turn is not None, "decide sets it before anything is drawn"
    return turn


def _timed(turn: Round, step: str, began: float) -> Round:
    return turn.model_copy(update={"seconds": {**turn.seconds, step: time.perf_counter() - began}})


def _change(store: ImageStore, source: ImageRef, thought: ImageRef) -> float:
    """Mean absolute difference of two pictures, in [0, 1]; the thought is scaled to the source where sizes differ."""
    before, after = store.open(source), store.open(thought)
    if after.size != before.size:
        after = after.resize(before.size, Image.Resampling.BICUBIC)
    bands = ImageStat.Stat(ImageChops.difference(before, after)).mean
    return sum(bands) / len(bands) / 255
