"""The nodes of the loop: begin, then decide -> generate -> reflect, and back or on to answer.

A node reads the state, awaits the engine and returns where to go. Budgets are kept in `decide` alone: no round starts
once the rounds or the seconds of the run are used up, and its answer always comes.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime
from langgraph.types import Command, Overwrite
from PIL import Image, ImageChops, ImageStat

from g2u import prompts
from g2u.admission import admit, sampler_of
from g2u.edits import NONE, EditCall, EditLibrary
from g2u.engine import Engine, get_engine
from g2u.errors import DeadlineError
from g2u.free_answers import possible_answer
from g2u.fusions import FUSIONS, Shown
from g2u.menu import Menu
from g2u.models.protocol import Sampler
from g2u.pictures import ImageRef, ImageStore, get_store
from g2u.policies import Situation, get_policy, probabilities
from g2u.state import Answer, Context, Round, State, Verdict
from g2u.thinking import plan_drawing, split, think_and_read
from g2u.verdicts import ACTIONS, judge


@dataclass(frozen=True, kw_only=True)
class Host:
    """What every node works with, found anew from plain settings so that the state stays plain."""

    context: Context
    engine: Engine
    store: ImageStore
    prompt_set: str
    instructions: frozenset[str] | None
    """The only ones that the model can draw; `None` for any."""
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
            sampler=sampler_of(context, model),
            tell=lambda event: own.run(runtime.stream_writer, event),
        )

    def stop(self, cause: Literal["rounds", "seconds"], message: str) -> None:
        """Tell that a budget is used up."""
        self.tell({"step": "stop", "cause": cause, "message": message})


async def begin(state: State, runtime: Runtime[Context]) -> Command[Literal["decide"]]:
    """Check the question and start anew, also in a thread that has answered others."""
    await admit(runtime.context or Context(), state["question"], state.get("options", []), state.get("gold_edits", []))
    return Command(update={"started": time.time(), "pending": None, "rounds": Overwrite([])}, goto="decide")


async def decide(state: State, runtime: Runtime[Context]) -> Command[Literal["generate", "answer"]]:
    """Pick an edit, or go on to the answer when there is none to make or no budget to make it."""
    host, began = await Host.of(runtime), time.perf_counter()
    context, rounds = host.context, state["rounds"]
    deadline = _deadline(state, context)
    if len(rounds) >= context.rounds:
        host.stop("rounds", f"All {context.rounds} rounds are used up.")
        return Command(goto="answer")
    number = len(rounds) + 1
    source = last_kept(rounds) or state["picture"]
    host.tell({"step": "decide", "round": number, "done": 0, "total": 1})
    situation = Situation(
        policy=context.policy,
        engine=host.engine,
        store=host.store,
        prompt_set=host.prompt_set,
        picture=source,
        question=state["question"],
        menu=Menu(
            library=EditLibrary.load(),
            families=context.families,
            options=state.get("options", []),
            instructions=host.instructions,
        ),
        tried=[_call(turn) for turn in rounds if not _kept(turn)],
        gold_edits=state.get("gold_edits", []),
        seed=context.seed,
        round=number,
        deadline=deadline,
    )
    try:
        if time.monotonic() > deadline:
            raise DeadlineError(f"The {context.seconds:g} seconds are used up.")
        decision = await get_policy(context.policy)(situation)
    except DeadlineError as error:
        host.stop("seconds", error.message)
        return Command(goto="answer")
    turn = Round(number=number, source=source, decision=decision, seconds={"decide": time.perf_counter() - began})
    if decision.edit == NONE:
        return Command(update={"rounds": [turn]}, goto="answer")
    return Command(update={"pending": turn}, goto="generate")


async def generate(state: State, runtime: Runtime[Context]) -> Command[Literal["reflect", "decide", "answer"]]:
    """Draw the visual thought."""
    host, began = await Host.of(runtime), time.perf_counter()
    turn = _under_way(state)

    def report(done: int, total: int) -> None:
        host.tell({"step": "generate", "round": turn.number, "done": done, "total": total})

    segments: list[ImageRef | str] = [turn.source]
    deadline = _deadline(state, host.context)
    try:
        if host.context.think:
            segments, plan = await plan_drawing(
                host.engine,
                host.store,
                host.prompt_set,
                turn.source,
                turn.decision.instruction,
                deadline=deadline,
                on_progress=report,
            )
            turn = turn.model_copy(update={"plan": plan})
        report(0, host.sampler.steps or 1)
        image = await host.engine.draw(
            host.store,
            segments,
            turn.decision.instruction,
            host.sampler,
            draw_seed(host.context.seed, turn.number),
            thought=turn.plan,
            deadline=deadline,
            on_progress=report,
        )
    except DeadlineError as error:
        host.stop("seconds", error.message)
        return Command(update={"pending": None, "rounds": [_timed(turn, "generate", began)]}, goto="answer")
    thought = await asyncio.to_thread(host.store.add_image, image)
    turn = _timed(turn.model_copy(update={"thought": thought}), "generate", began)
    if host.context.reflect:
        return Command(update={"pending": turn}, goto="reflect")
    return Command(update={"pending": None, "rounds": [turn]}, goto="decide")


async def reflect(state: State, runtime: Runtime[Context]) -> Command[Literal["decide", "answer"]]:
    """Let the model judge its thought beside what it was drawn from."""
    host, began = await Host.of(runtime), time.perf_counter()
    turn = _under_way(state)
    assert turn.thought is not None, "generate drew it"
    host.tell({"step": "reflect", "round": turn.number, "done": 0, "total": 1})
    sure, change = await asyncio.gather(
        judge(host.engine, host.store, turn.source, turn.thought, state["question"], _call(turn)),
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
    picture, kept = state["picture"], [turn for turn in state["rounds"] if _kept(turn)]
    shown: list[Shown] = [([picture], "read")]
    if kept:
        shown.append(FUSIONS[host.context.fusion](picture, kept))
    answers = await asyncio.gather(*(_answer(host, part, question, options) for part in shown))
    return {
        "direct": answers[0],
        "answer": answers[-1],
        "messages": [AIMessage(answers[-1].text)],
        # A thread keeps what an input leaves out, and the next question may have none of these.
        "options": [],
        "gold_edits": [],
    }


def last_kept(rounds: Sequence[Round]) -> ImageRef | None:
    """The newest visual thought that was kept."""
    return next((turn.thought for turn in reversed(rounds) if _kept(turn)), None)


def draw_seed(seed: int, number: int) -> int:
    """Seed of the drawing of a round, 32 bits: another for each round of a run."""
    return random.Random(f"{seed} {number}").getrandbits(32)


async def _answer(host: Host, shown: Shown, question: str, options: Sequence[str]) -> Answer:
    began = time.perf_counter()
    segments, view = shown
    pictures = [part for part in segments if isinstance(part, ImageRef)]
    prompt = prompts.render(host.prompt_set, "answer", question=question, options=options)
    reasoning = ""
    if host.context.think:
        segments, reading = await think_and_read(host.engine, host.store, host.prompt_set, segments, view, prompt)
        reasoning, text = split(reading.text)
        log_probability = reading.log_probability
        if reasoning:  # the options come after it, as a drawing comes after its plan
            segments, prompt = [*segments, prompt], reasoning
    elif not options:
        reading = await host.engine.read(host.store, segments, prompt, view=view)
        text, log_probability = reading.text, reading.log_probability
    sure: dict[str, float] = {}
    if options:
        scores = await host.engine.score(host.store, segments, prompt, options, view=view)
        sure = probabilities(options, scores)
        text = max(sure, key=sure.__getitem__)
        log_probability = scores[list(options).index(text)]
    else:
        text, log_probability = await possible_answer(
            host.engine, host.store, segments, prompt, view, text, log_probability
        )
    return Answer(
        text=text,
        probabilities=sure,
        log_probability=log_probability,
        reasoning=reasoning,
        pictures=pictures,
        seconds=time.perf_counter() - began,
    )


def _deadline(state: State, context: Context) -> float:
    """In `time.monotonic()` seconds, which unlike those of the state mean nothing to another process."""
    return time.monotonic() + state["started"] + context.seconds - time.time()


def _under_way(state: State) -> Round:
    turn = state["pending"]
    assert turn is not None, "decide sets it before anything is drawn"
    return turn


def _timed(turn: Round, step: str, began: float) -> Round:
    return turn.model_copy(update={"seconds": {**turn.seconds, step: time.perf_counter() - began}})


def _kept(turn: Round) -> bool:
    return turn.thought is not None and (turn.verdict is None or turn.verdict.action == "keep")


def _call(turn: Round) -> EditCall:
    return EditCall(edit=turn.decision.edit, arguments=turn.decision.arguments)


def _change(store: ImageStore, source: ImageRef, thought: ImageRef) -> float:
    """Mean absolute difference of two pictures, in [0, 1]; the thought is scaled to the source where sizes differ."""
    before, after = store.open(source), store.open(thought)
    if after.size != before.size:
        after = after.resize(before.size, Image.Resampling.BICUBIC)
    bands = ImageStat.Stat(ImageChops.difference(before, after)).mean
    return sum(bands) / len(bands) / 255
