"""The nodes of the graph that draws its candidates all at once and keeps the best of them."""

from __future__ import annotations

import operator
import time
from typing import Annotated, Literal, NotRequired

from langgraph.runtime import Runtime
from langgraph.types import Command, Overwrite, Send
from typing_extensions import TypedDict

from ..edits.library import NONE, EditCall
from ..engine.counters import count_step
from ..errors import DeadlineError, SettingError
from ..pictures.references import ImageRef
from ..state import Context, Output, Round, State
from .deciding.choosing import likelihood
from .deciding.situation import Situation
from .drawing import Drawer
from .judging import judged, timed
from .nodes import Node
from .review import pauses
from .revival import revived
from .rounds import Host, deadline_of, drawing_of, is_kept, plan_first, situation_of


class Exploring(State):
    """What the nodes share."""

    candidates: Annotated[list[Round], operator.add]
    """Every thought that was tried, in no order; `rounds` gets the best of them."""


class Explored(Output):
    """What a caller gets."""

    candidates: list[Round]


class Attempt(TypedDict):
    """One candidate, drawn and judged by itself."""

    picture: ImageRef
    question: str
    started: NotRequired[float]
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
    return [(menu.settle(menu.library.call(edit))[0], "Known to help.", {}) for edit in situation.gold_edits[:most]]


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


def propose_with(drawer: Drawer) -> Node[Exploring, Literal["attempt", "answer"]]:
    """The node that names candidates and sends each on its way.

    Args:
        drawer: Who draws.
    """

    async def propose(state: Exploring, runtime: Runtime[Context]) -> Command[Literal["attempt", "answer"]]:
        state, host = revived(state), await Host.of(runtime)
        context, picture, began = host.context, state["picture"], time.perf_counter()
        check_exploring(context)
        host.tell({"step": "decide", "round": 1, "done": 0, "total": 1})
        situation = situation_of(host, state, 1, picture, {}, drawer)
        try:
            proposed = await PROPOSERS[context.policy](situation, context.rounds)
        except DeadlineError as error:
            host.stop("seconds", error.message)
            proposed = []
        took = {"decide": time.perf_counter() - began}
        count_step("decide", took["decide"])
        turns = [
            Round(
                number=number,
                source=picture,
                decision=situation.decision(call, reason, scores=scores),
                seconds=took,
            )
            for number, (call, reason, scores) in enumerate(proposed, start=1)
        ]
        known_of = {"picture": picture, "question": state["question"], "started": state["started"]}
        sent = [Send("attempt", {**known_of, "pending": turn, "candidates": []}) for turn in turns]
        return Command(update={"candidates": Overwrite([])}, goto=sent or "answer")

    return propose


def draw_with(drawer: Drawer) -> Node[Attempt, Literal["judge", "__end__"]]:
    """The node that draws one candidate; where the seconds are over first, the attempt ends without a thought.

    Args:
        drawer: Who draws.
    """

    async def draw(state: Attempt, runtime: Runtime[Context]) -> Command[Literal["judge", "__end__"]]:
        state, host, began = revived(state), await Host.of(runtime), time.perf_counter()
        turn = state["pending"]
        drawing = drawing_of(host, state, turn.source, turn.decision.call, turn.number, "generate")
        try:
            if time.monotonic() > deadline_of(state, host.context):
                raise DeadlineError(f"The {host.context.seconds:g} seconds are used up.")
            drawing = await plan_first(host, drawing)
            turn = turn.model_copy(update={"plan": drawing.plan})
            turn = turn.model_copy(update={"thought": await drawer(drawing)})
        except DeadlineError as error:
            host.stop("seconds", error.message)
        turn = timed(turn, "generate", began)
        if turn.thought and host.context.reflect:
            return Command(update={"pending": turn}, goto="judge")
        return Command(update={"candidates": [turn]}, goto="__end__")

    return draw


async def judge(state: Attempt, runtime: Runtime[Context]) -> dict[str, object]:
    """Let the model judge one candidate."""
    state = revived(state)
    return {"candidates": [await judged(await Host.of(runtime), state, state["pending"])]}


async def choose(state: Exploring, runtime: Runtime[Context]) -> dict[str, object]:
    """Keep the thought that the model is surest to keep; unjudged, the likeliest; none where it would keep none."""
    state = revived(state)
    kept = [turn for turn in sorted(state["candidates"], key=lambda turn: turn.number) if is_kept(turn)]
    best = max(kept, key=lambda turn: turn.verdict.keep if turn.verdict else 0.0, default=None)
    return {"rounds": [best] if best else []}
