"""What the steps of a round share: what a policy knows, and what is drawn."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from ..edits.library import EditCall, EditLibrary
from ..edits.menu import Menu
from ..engine import previews
from ..pictures.references import ImageRef
from ..state import Answer, Asked, Decision, Round, State
from .answering import read_answer
from .deciding.policies import Situation, is_native
from .drawing import Drawer, Drawing
from .fusions import Shown, fuse, standing
from .host import Host
from .native import as_told, told
from .thinking import plan_drawing

Drawn = tuple[str, ImageRef | None]
"""What the model wrote before it drew, and the visual thought where it has drawn already."""


def situation_of(host: Host, state: State, number: int, tried: dict[str, Drawn], drawer: Drawer) -> Situation:
    """What the policy knows in a round.

    What it draws on trial goes into `tried`, by the text of its call; what it notes, under an empty one.
    """
    context, asked, pictures = host.context, state["asked"], pictures_of(state)
    kept = [turn for turn in state["rounds"] if is_kept(turn)]

    async def draw(call: EditCall) -> ImageRef:
        drawing = await plan_first(host, drawing_of(host, state, pictures[call.place], call, number, "decide"))
        thought = await drawer(drawing)
        tried[call.text] = drawing.plan, thought
        return thought

    async def answer_with(decision: Decision, thought: ImageRef | None) -> Answer:
        source = pictures[decision.call.place]
        turns = [Round(number=number, source=source, decision=decision, thought=thought)] if thought else []
        shown = fuse(context.fusion, asked.pictures, [*kept, *turns], asked.question)
        return await answer_from(host, shown, asked.question, asked.options)

    return Situation(
        policy=context.policy,
        engine=host.engine,
        store=host.store,
        prompt_set=host.prompt_set,
        pictures=pictures,
        question=asked.question,
        menu=menu_of(host, state),
        tried=[turn.decision.call for turn in state["rounds"] if not is_kept(turn)],
        gold_edits=asked.gold_edits,
        seed=context.seed,
        temperature=context.temperature,
        told=told(host.prompt_set, asked, state["rounds"]) if is_native(context.policy) else (),
        note=lambda text: tried.update({"": (text, None)}),
        round=number,
        deadline=host.deadline,
        draw=draw,
        answer=answer_with,
    )


def pictures_of(state: State) -> list[ImageRef]:
    """The pictures of the question as they stand: each the original, or the last kept thought of it."""
    return standing(state["asked"].pictures, [turn for turn in state["rounds"] if is_kept(turn)])


def menu_of(host: Host, state: Asked) -> Menu:
    """What may be drawn for the question."""
    return Menu(
        library=EditLibrary.load(),
        families=host.context.families,
        options=state["asked"].options,
        instructions=host.instructions,
        skills=host.skills,
        pictures=len(state["asked"].pictures),
        on=host.context.on,
    )


def drawing_of(
    host: Host, state: Asked, source: ImageRef, call: EditCall, number: int, step: Literal["decide", "generate"]
) -> Drawing:
    """What is to be drawn in a round, before the model thinks about it; its progress is told as that of a step."""
    return Drawing(
        engine=host.engine,
        store=host.store,
        pictures=state["asked"].pictures,
        question=state["asked"].question,
        segments=[source],
        call=call,
        instruction=EditLibrary.load().instruction(call, state["asked"].question),
        sampler=host.sampler,
        seed=draw_seed(host.context.seed, number),
        deadline=host.deadline,
        on_progress=lambda done, total: host.tell({"step": step, "round": number, "done": done, "total": total}),
        on_preview=previews.preview_callback(step, number),
    )


def native_drawing(host: Host, state: State, turn: Round) -> Drawing:
    """What is to be drawn in a round of the policy `native`: inside the model's own text."""
    drawing = drawing_of(host, state, turn.source, turn.decision.call, turn.number, "generate")
    return as_told(drawing, told(host.prompt_set, state["asked"], state["rounds"]), turn.plan)


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
