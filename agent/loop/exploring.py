"""The nodes of the graph that draws its candidates all at once and keeps the best of them."""

from __future__ import annotations

import operator
import time
from typing import Annotated, Any, Final, NotRequired

from langgraph.types import Overwrite
from typing_extensions import TypedDict

from ..edits.library import NONE, EditCall
from ..engine.counters import count_step
from ..errors import DeadlineError, SettingError
from ..state import Context, Output, Question, Round, State, Stop
from .deciding.choosing import likelihood
from .deciding.situation import Situation
from .drawing import Drawer
from .host import Host, step
from .judging import judged, timed
from .nodes import Node
from .review import pauses
from .rounds import drawing_of, is_kept, plan_first, situation_of


class Exploring(State):
    """What the nodes share."""

    proposed: NotRequired[list[Round]]
    """The candidates before they are drawn."""
    candidates: Annotated[list[Round], operator.add]
    """Every thought that was tried, in no order; `rounds` gets the best of them."""


ANEW: Final = {"proposed": [], "candidates": Overwrite([])}
"""What the state has of a question beside that of every graph, as it is at the start."""


class Explored(Output):
    """What a caller gets."""

    candidates: list[Round]


class Attempt(TypedDict):
    """One candidate, drawn and judged by itself."""

    asked: Question
    settings: NotRequired[dict[str, Any]]
    spent: NotRequired[float]
    pending: Round
    candidates: Annotated[list[Round], operator.add]


class Attempted(TypedDict):
    """What an attempt gives back."""

    candidates: list[Round]


async def _likeliest(situation: Situation, most: int) -> list[tuple[EditCall, str, dict[str, float]]]:
    likely = await likelihood(situation)
    ranked = sorted(situation.menu.calls, key=lambda call: likely[call.text], reverse=True)
    chosen = [call for call in ranked if call.edit != NONE][:most]
    return [(call, f"Likely at {likely[call.text]:.3f}, one of {len(chosen)} tried.", likely) for call in chosen]


async def _gold(situation: Situation, most: int) -> list[tuple[EditCall, str, dict[str, float]]]:
    menu = situation.menu
    gold = [edit for edit in situation.gold_edits if edit != NONE][:most]
    return [(menu.settle(menu.library.call(edit))[0], "Known to help.", {}) for edit in gold]


async def _nothing(situation: Situation, most: int) -> list[tuple[EditCall, str, dict[str, float]]]:
    return []


PROPOSERS = {"self": _likeliest, "score": _likeliest, "oracle": _gold, "none": _nothing}
"""Who names the candidates, by policy: `self` and `score` are the same here, the model's likelihood of each call."""


def check_exploring(context: Context) -> None:
    """Refuse what only the graph `imagine` can do.

    Raises:
        SettingError: The policy names no candidates, or a pause is wanted before each drawing.
    """
    if context.policy not in PROPOSERS:
        known = ", ".join(PROPOSERS)
        raise SettingError(f"The graph `explore` has no policy {context.policy!r}.", f"It has {known}.")
    if pauses(context, "drawing"):
        hint = "Set it to `answer`, or run the graph `imagine`."
        raise SettingError("The graph `explore` draws its candidates at once and cannot pause before them.", hint)


def propose_with(drawer: Drawer) -> Node:
    """The node that names candidates.

    Args:
        drawer: Who draws.
    """

    async def propose(state: Exploring, host: Host) -> dict[str, Any]:
        context, began = host.context, time.perf_counter()
        check_exploring(context)
        host.tell({"step": "decide", "round": 1, "done": 0, "total": 1})
        situation = situation_of(host, state, 1, {}, drawer)
        stopped: Stop | None = None
        try:
            host.check_seconds()
            proposed = await PROPOSERS[context.policy](situation, context.rounds)
        except DeadlineError as error:
            stopped, proposed = host.late(error, []), []
        took = {"decide": time.perf_counter() - began}
        count_step("decide", took["decide"])
        decisions = [situation.decision(call, reason, scores=scores) for call, reason, scores in proposed]
        turns = [
            Round(
                number=number,
                source=situation.pictures[decision.call.place],
                decision=decision,
                seconds=took,
            )
            for number, decision in enumerate(decisions, start=1)
        ]
        return {"proposed": turns, "candidates": Overwrite([]), "stopped": stopped}

    return step(propose)


def draw_with(drawer: Drawer) -> Node:
    """The node that draws one candidate; where the seconds are over first, the attempt ends without a thought.

    Args:
        drawer: Who draws.
    """

    async def draw(state: Attempt, host: Host) -> dict[str, Any]:
        began, turn = time.perf_counter(), state["pending"]
        drawing = drawing_of(host, state, turn.source, turn.decision.call, turn.number, "generate")
        try:
            host.check_seconds()
            drawing = await plan_first(host, drawing)
            turn = turn.model_copy(update={"plan": drawing.plan})
            turn = turn.model_copy(update={"thought": await drawer(drawing)})
        except DeadlineError as error:
            host.late(error, [])
        turn = timed(turn, "generate", began)
        return {"pending": turn} if turn.thought and host.context.reflect else {"candidates": [turn]}

    return step(draw)


async def _judge(state: Attempt, host: Host) -> dict[str, Any]:
    return {"candidates": [await judged(host, state, state["pending"])]}


judge: Node = step(_judge)
"""Lets the model judge one candidate."""


async def _choose(state: Exploring, host: Host) -> dict[str, Any]:
    tried = sorted(state["candidates"], key=lambda turn: turn.number)
    kept = [turn for turn in tried if is_kept(turn)]
    best = max(kept, key=lambda turn: turn.verdict.keep if turn.verdict else 0.0, default=None)
    undrawn, late = sum(turn.thought is None for turn in tried), None
    if undrawn:
        what = "nothing was drawn" if undrawn == len(tried) else f"{undrawn} of {len(tried)} were not drawn"
        late = Stop(cause="seconds", message=f"The seconds of the run are used up: {what}.")
    # The candidates were drawn side by side, so that the longest of them is what they took.
    took = max((sum(turn.seconds.values()) - turn.seconds.get("decide", 0.0) for turn in tried), default=0.0)
    return {"rounds": [best] if best else [], "stopped": late, "spent": host.spent + took}


choose: Node = step(_choose)
"""Keeps the thought that the model is surest to keep; unjudged, the likeliest; none where it would keep none."""
