"""What all nodes have in common: the settings, the engine and the store that they work with, and the time they take."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.runtime import Runtime, get_runtime

from ..engine.engine import Engine
from ..engine.registry import get_engine
from ..engine.waiting import wait_for
from ..errors import DeadlineError, QuestionError
from ..models.protocol import Native, Sampler
from ..pictures.store import ImageStore, get_store
from ..state import Asked, Context, Round, Stop
from .admission import admit, sampler_of
from .deciding.native import is_native
from .revival import revived


@dataclass(frozen=True, kw_only=True)
class Host:
    """What every node works with, found anew from plain settings so that the state stays plain."""

    context: Context
    engine: Engine
    store: ImageStore
    prompt_set: str
    instructions: frozenset[str] | None
    """The only ones that the model can draw; `None` for any."""
    skills: frozenset[str]
    """What the model can draw beside what any can, see `Capabilities.skills`."""
    scores: bool
    """Whether the model compares texts; else it writes what it means."""
    sampler: Sampler
    """How it draws, nothing left open."""
    native: Native | None
    """How it imagines in its own way, where the policy lets it."""
    tell: Callable[[object], None]
    """Writes to the custom stream, also from the engine's thread."""
    settings: dict[str, Any]
    """Fields of `context` that were given for the question so far."""
    began: float
    """When this node began to work, in `time.monotonic()` seconds; a model that had to be loaded was there by then."""
    before: float
    """Seconds that the nodes before it worked."""

    @staticmethod
    async def of(runtime: Runtime[Context], state: Asked, fixed: Mapping[str, Any]) -> Host:
        """The host of a node: settings are those of the question, and over them what this part of its run was given.

        Args:
            runtime: Of the run.
            state: Of the graph.
            fixed: Settings of the graph itself, over all others.

        Raises:
            QuestionError: Nothing was asked.
            G2UError: In one of its kinds, when settings that were not there at the start cannot be used.
        """
        asked = state.get("asked")
        if asked is None:
            raise QuestionError("Nothing was asked in this thread yet.", "Give it a picture and a question.")
        kept = state.get("settings") or {}
        settings = {**kept, **(runtime.context.given if runtime.context else {}), **fixed}
        context = Context(**settings)
        if settings != kept:
            await admit(context, asked.question, asked.options, asked.gold_edits, len(asked.pictures))
        engine = get_engine(context.model, context.weights)
        model = await engine.ready()
        sampler = sampler_of(context, model)
        # LangGraph's writer looks its run up in a context variable, which the engine's thread does not have.
        own = contextvars.copy_context()
        return Host(
            context=context,
            engine=engine.reading_by(model.capabilities, sampler.values),
            store=await asyncio.to_thread(get_store, context.store),
            prompt_set=model.prompt_set,
            instructions=model.capabilities.instructions,
            skills=model.capabilities.skills,
            scores=model.capabilities.scores,
            sampler=sampler,
            native=model.capabilities.native if is_native(context.policy) else None,
            tell=lambda event: own.run(runtime.stream_writer, event),
            settings=settings,
            began=time.monotonic(),
            before=state.get("spent", 0.0),
        )

    @property
    def spent(self) -> float:
        """Seconds that nodes have worked on the question until now."""
        return self.before + time.monotonic() - self.began

    @property
    def deadline(self) -> float:
        """When the seconds of the run are over, in `time.monotonic()` seconds, should it go on without a break."""
        return self.began + self.context.seconds - self.before

    def check_seconds(self) -> None:
        """Refuse to begin anything once the seconds are over.

        Raises:
            DeadlineError: They are.
        """
        if time.monotonic() > self.deadline:
            raise DeadlineError("The seconds of the run are used up.")

    def stop(self, cause: Literal["rounds", "seconds", "person"], message: str) -> Stop:
        """Tell why nothing more is drawn, and give it for the state."""
        self.tell({"step": "stop", "cause": cause, "message": message})
        return Stop(cause=cause, message=message)

    def late(self, error: DeadlineError, rounds: Sequence[Round]) -> Stop:
        """The same where the seconds are over.

        Args:
            error: Says so.
            rounds: Of the question until then.
        """
        what = "nothing more" if any(turn.thought for turn in rounds) else "nothing"
        return self.stop("seconds", f"{error.message.removesuffix('.')}: {what} was drawn.")


def step(work: Callable[[Any, Host], Awaitable[dict[str, Any]]], **fixed: Any) -> Runnable[Any, dict[str, Any]]:
    """A node: its work, with what all nodes have in common around it.

    Values of the state are in their types, settings are those of the question, and the seconds of the work are counted.

    Args:
        work: Gets the state and the host; gives its part of the update.
        **fixed: Settings of the graph itself, over those of its callers.
    """

    async def run(state: Any) -> dict[str, Any]:
        state = revived(state)
        host = await Host.of(get_runtime(Context), state, fixed)
        update = await work(state, host)
        return {"settings": host.settings, "spent": host.spent, **update}

    return both_ways(run)


def both_ways(node: Callable[[Any], Coroutine[Any, Any, dict[str, Any]]]) -> Runnable[Any, dict[str, Any]]:
    """An asynchronous node that graphs which are called without `await` can run too."""
    return RunnableLambda(lambda state: wait_for(lambda: node(state)), node, name="work")
