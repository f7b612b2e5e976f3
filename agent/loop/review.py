"""A person in the loop: a run stops, shows what it is about to do, and goes on as it is told.

`Context.pause` says where. The run stops with LangGraph's `interrupt`, whose value is what the person should see, and
whose reply is a `Review`. A reply that is no `Review` is an error, after which the run still waits; one that cannot be
done, such as an instruction that gives an option away, is asked for again with what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from langgraph.types import interrupt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..edits.library import NONE, WRITTEN, EditCall
from ..edits.menu import Menu
from ..errors import G2UError, ReviewError
from ..pictures.links import picture_url
from ..state import Context, Pause, Round
from .deciding.policies import fixed_call

Moment = Literal["drawing", "answer"]
PAUSES: Mapping[Pause, frozenset[Moment]] = {
    "never": frozenset(),
    "drawing": frozenset({"drawing"}),
    "answer": frozenset({"answer"}),
    "both": frozenset({"drawing", "answer"}),
}
"""Before what each setting stops."""


class Review(BaseModel):
    """What a person replies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["approve", "change", "stop"] = Field(
        description="approve: go on; change: draw another edit; stop: draw no more and answer with what was kept "
        "before, if anything."
    )
    edit: str = Field(default="", description="To change: an edit of the library, `deblur` or `mark(colour=red)`.")
    instruction: str = Field(default="", description="To change: an instruction in the place of `edit`.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse a change of nothing, and words that would be ignored."""
        given = [name for name in ("edit", "instruction") if getattr(self, name).strip()]
        if len(given) != (self.action == "change"):
            raise ValueError("`change` needs either `edit` or `instruction`, and the other actions take neither")
        return self


def pauses(context: Context, moment: Moment) -> bool:
    """Whether a run stops there."""
    return moment in PAUSES[context.pause]


def review_drawing(context: Context, menu: Menu, turn: Round, question: str) -> Round | None:
    """Ask about the drawing of a round; called before any work of its node, which runs again after the reply.

    Args:
        context: Of the run.
        menu: What may be drawn.
        turn: What was decided.
        question: Its stem.

    Returns:
        The round as approved or changed; `None` to stop drawing.

    Raises:
        GraphInterrupt: Until there is a reply that can be done.
        ValidationError: The reply is no `Review`.
    """
    shown = {
        "before": "drawing",
        "round": turn.number,
        "question": question,
        "edit": turn.decision.edit,
        "instruction": turn.decision.instruction,
        "reason": turn.decision.reason,
        "picture": picture_url(turn.source),
    }
    problem = ""
    while True:
        reply = _ask(shown, problem)
        if reply.action == "stop":
            return None
        if reply.action == "approve":
            return turn
        try:
            return _changed(context, menu, turn, reply, question)
        except G2UError as error:
            problem = str(error)


def review_answer(kept: Sequence[Round], question: str) -> bool:
    """Ask whether the answer may rest on the thoughts that were kept.

    Args:
        kept: Rounds with such thoughts.
        question: Its stem.

    Raises:
        GraphInterrupt: Until there is a reply that can be done.
        ValidationError: The reply is no `Review`.
    """
    thoughts = [
        {
            "edit": turn.decision.edit,
            "picture": picture_url(turn.thought),
            "verdict": turn.verdict.reason if turn.verdict else "",
        }
        for turn in kept
        if turn.thought
    ]
    problem = ""
    while True:
        reply = _ask({"before": "answer", "question": question, "thoughts": thoughts}, problem)
        if reply.action != "change":
            return reply.action == "approve"
        problem = "Before the answer nothing can be changed any more. Reply `approve` or `stop`."


def _ask(shown: Mapping[str, Any], problem: str) -> Review:
    return interrupt({**shown, **({"problem": problem} if problem else {})}, response_schema=Review)


def _changed(context: Context, menu: Menu, turn: Round, reply: Review, question: str) -> Round:
    """The round with another call, of which the menu has made sure that it gives no option away."""
    call, note = fixed_call(f"fixed:{reply.edit}", menu) if reply.edit else _written(menu, reply.instruction)
    if call.edit == NONE:
        raise ReviewError("There is nothing to draw for `none`.", "Reply `stop` to answer from the original.")
    library = menu.library
    decision = turn.decision.model_copy(
        update={
            "edit": call.edit,
            "family": library.get(call.edit).family,
            "arguments": call.arguments,
            "instruction": library.instruction(call, question),
            "reason": f"Changed by a person, from {turn.decision.call.text}.{note}",
            "scores": {},
        }
    )
    return turn.model_copy(update={"decision": decision, "thought": None, "plan": ""})


def _written(menu: Menu, instruction: str) -> tuple[EditCall, str]:
    """The call of the library that has this very instruction; for models that draw any, one in these words."""
    words = " ".join(instruction.split())
    for call in menu.calls:
        if call.edit != NONE and menu.library.instruction(call) == words:
            return call, ""
    return menu.settle(menu.library.call(WRITTEN, {"instruction": words}), written=True)
