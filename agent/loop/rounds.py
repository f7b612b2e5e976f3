"""What the nodes share: the host of a run, what a policy knows in a round, and what is drawn in it."""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from langgraph.runtime import Runtime

from ..edits.library import EditCall, EditLibrary
from ..edits.menu import Menu
from ..engine import previews
from ..engine.engine import Engine
from ..engine.registry import get_engine
from ..models.protocol import Sampler
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore, get_store
from ..state import Answer, Asked, Context, Decision, Round, State
from .admission import sampler_of
from .answering import read_answer
from .deciding.policies import Situation
from .drawing import Drawer, Drawing
from .fusions import Shown, fuse
from .thinking import plan_drawing


@dataclass(frozen=True, kw_only=True)
class Host:
    """What every node works with, found anew from plain settings so that the state stays plain."""

    context: Context
    engine: Engine
    store: ImageStore
    prompt_set: str
    instructions: frozenset[str] | None
    """The only ones that the model can draw; `None` for any."""
    scores: bool
    """Whether it compares texts; else it writes what it means."""
    sampler: Sampler
    """How it draws, nothing left open."""
    tell: Callable[[object], None]
    """Writes to the custom stream, also from the engine's thread."""

    @staticmethod
    async def of(runtime: Runtime[Context]) -> Host:
        """The host of this run."""
        context = runtime.context or Context()
        engine = get_engine(context.model, context.weights)
        model = await engine.ready()
        # LangGraph's writer looks its run up in a context variable, which the engine's thread does not have.
        own = contextvars.copy_context()
        return Host(
            context=context,
            engine=engine,
            store=await asyncio.to_thread(get_store, context.pictures),
            prompt_set=model.prompt_set,
            instructions=model.capabilities.instructions,
            scores=model.capabilities.scores,
            sampler=sampler_of(context, model),
            tell=lambda event: own.run(runtime.stream_writer, event),
        )

    def stop(self, cause: Literal["rounds", "seconds", "person"], message: str) -> None:
        """Tell why nothing more is drawn."""
        self.tell({"step": "stop", "cause": cause, "message": message})


Drawn = tuple[str, ImageRef]
"""What the model wrote before it drew, and the visual thought."""


def situation_of(
    host: Host, state: State, number: int, source: ImageRef, tried: dict[str, Drawn], drawer: Drawer
) -> Situation:
    """What the policy knows in a round; what it draws on trial goes into `tried`, by the text of its call."""
    context, question, options = host.context, state["question"], state.get("options", [])
    kept = [turn for turn in state["rounds"] if is_kept(turn)]

    async def draw(call: EditCall) -> ImageRef:
        drawing = await plan_first(host, drawing_of(host, state, source, call, number, "decide"))
        thought = await drawer(drawing)
        tried[call.text] = drawing.plan, thought
        return thought

    async def answer_with(decision: Decision, thought: ImageRef | None) -> Answer:
        turns = [Round(number=number, source=source, decision=decision, thought=thought)] if thought else []
        return await answer_from(
            host, fuse(context.fusion, state["picture"], [*kept, *turns], question), question, options
        )

    return Situation(
        policy=context.policy,
        engine=host.engine,
        store=host.store,
        prompt_set=host.prompt_set,
        picture=source,
        question=question,
        menu=menu_of(host, state),
        tried=[turn.decision.call for turn in state["rounds"] if not is_kept(turn)],
        gold_edits=state.get("gold_edits", []),
        seed=context.seed,
        temperature=context.temperature,
        round=number,
        deadline=deadline_of(state, context),
        draw=draw,
        answer=answer_with,
    )


def menu_of(host: Host, state: State) -> Menu:
    """What may be drawn for the question."""
    return Menu(
        library=EditLibrary.load(),
        families=host.context.families,
        options=state.get("options", []),
        instructions=host.instructions,
    )


def drawing_of(
    host: Host, state: Asked, source: ImageRef, call: EditCall, number: int, step: Literal["decide", "generate"]
) -> Drawing:
    """What is to be drawn in a round, before the model thinks about it; its progress is told as that of a step."""
    return Drawing(
        engine=host.engine,
        store=host.store,
        original=state["picture"],
        question=state["question"],
        segments=[source],
        call=call,
        instruction=EditLibrary.load().instruction(call, state["question"]),
        sampler=host.sampler,
        seed=draw_seed(host.context.seed, number),
        deadline=deadline_of(state, host.context),
        on_progress=lambda done, total: host.tell({"step": step, "round": number, "done": done, "total": total}),
        on_preview=previews.preview_callback(step, number),
    )


async def plan_first(host: Host, drawing: Drawing) -> Drawing:
    """A drawing with what the model thinks before it, where it thinks."""
    if not host.context.think:
        return drawing
    assert drawing.deadline is not None and drawing.on_progress, "both are set for every round"
    segments, plan = await plan_drawing(
        host.engine,
        host.store,
        host.prompt_set,
        drawing.source,
        drawing.instruction,
        temperature=host.context.temperature,
        seed=drawing.seed,
        deadline=drawing.deadline,
        on_progress=drawing.on_progress,
    )
    return replace(drawing, segments=segments, plan=plan)


async def answer_from(host: Host, shown: Shown, question: str, options: Sequence[str]) -> Answer:
    """What the model answers to what it is shown."""
    return await read_answer(host.engine, host.store, host.prompt_set, host.context, shown, question, options)


def last_kept(rounds: Sequence[Round]) -> ImageRef | None:
    """The newest visual thought that was kept."""
    return next((turn.thought for turn in reversed(rounds) if is_kept(turn)), None)


def draw_seed(seed: int, number: int) -> int:
    """Seed of the drawing of a round, 32 bits: another for each round of a run."""
    return random.Random(f"{seed} {number}").getrandbits(32)


def is_kept(turn: Round) -> bool:
    """Whether a round came to a thought that the answer may rest on."""
    return turn.thought is not None and (turn.verdict is None or turn.verdict.action == "keep")


def deadline_of(state: Asked, context: Context) -> float:
    """In `time.monotonic()` seconds, which unlike those of the state mean nothing to another process."""
    return time.monotonic() + state["started"] + context.seconds - time.time()
