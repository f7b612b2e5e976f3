"""A person in the loop: a run stops, shows what it is about to do, and goes on as it is told.

`Context.pause` says where. The run stops with LangGraph's `interrupt`, whose value is what the person should see, and
whose reply is a `Review`, or the same in a standard form: see `replies`. One that has no such form is an error, after
which the run still waits; one that cannot be done, such as an instruction that gives an option away, is asked for again
with what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import uuid4

from langchain_core.messages import AIMessage, AnyMessage, RemoveMessage
from langgraph.types import interrupt

from ..edits.library import NATIVE, NONE, WRITTEN, EditCall
from ..edits.menu import Menu
from ..errors import G2UError, ReviewError
from ..pictures.links import picture_url
from ..pictures.references import ImageRef
from ..state import Context, Pause, Round
from .asked import AUTHOR
from .deciding.policies import named_call
from .replies import Argument, Decisions, Moment, Reply, Review, as_review, request

PAUSES: Mapping[Pause, frozenset[Moment]] = {
    "never": frozenset(),
    "drawing": frozenset({"drawing"}),
    "answer": frozenset({"answer"}),
    "both": frozenset({"drawing", "answer"}),
}
"""Before what each setting stops."""


def pauses(context: Context, moment: Moment) -> bool:
    """Whether a run stops there."""
    return moment in PAUSES[context.pause]


_WAITS: Mapping[Pause, str] = {
    "drawing": "I ask before I draw.",
    "answer": "I ask before I answer.",
    "both": "I ask before I draw and before I answer.",
}
_WAITING = "g2u_waiting"


def waiting_message(pause: Pause) -> list[AIMessage]:
    """What stands for the answer while a person is asked; none where nobody is.

    Chat pages draw their buttons below a message of the agent that is the last one, and not below a question.
    """
    words = _WAITS.get(pause)
    return [AIMessage(words, name=AUTHOR, id=str(uuid4()), response_metadata={_WAITING: True})] if words else []


def last_heard(messages: Sequence[AnyMessage]) -> str | None:
    """Identifier of the last message, but for those that stand for an answer; `None` without any."""
    said = [message for message in messages if not message.response_metadata.get(_WAITING)]
    return said[-1].id if said else None


def left_waiting(messages: Sequence[AnyMessage]) -> list[RemoveMessage]:
    """What removes the messages that stood for answers which never came: of questions that did not finish."""
    return [RemoveMessage(id=str(message.id)) for message in messages if message.response_metadata.get(_WAITING)]


def in_its_place(answer: AIMessage, messages: Sequence[AnyMessage]) -> AIMessage:
    """The answer with the identifier of the message that stood for it, which it replaces thereby."""
    last = messages[-1] if messages else None
    if isinstance(last, AIMessage) and last.response_metadata.get(_WAITING):
        return answer.model_copy(update={"id": last.id})
    return answer


def review_drawing(
    context: Context, menu: Menu, turn: Round, pictures: Sequence[ImageRef], question: str
) -> Round | Review:
    """Ask about the drawing of a round; called before any work of its node, which runs again after the reply.

    Args:
        context: Of the run.
        menu: What may be drawn.
        turn: What was decided.
        pictures: Of the question, as they stand.
        question: Its stem.

    Returns:
        The round as approved or changed; the reply, where it is to stop drawing.

    Raises:
        GraphInterrupt: Until there is a reply that can be done.
        ValidationError: The reply has none of the forms.
    """
    picture, decision = picture_url(turn.source), turn.decision
    shown = {
        "before": "drawing",
        "round": turn.number,
        "question": question,
        "edit": decision.edit,
        "instruction": decision.instruction,
        "reason": decision.reason,
        "picture": picture,
    }
    args: dict[Argument, str] = {"edit": decision.call.short, "instruction": decision.instruction}
    seen, drawn = [_seen("The picture", picture)], "To be drawn"
    if decision.on:
        shown |= {"on": decision.on, "pictures": [picture_url(ref) for ref in pictures]}
        seen = [_seen(f"Picture {number}", picture_url(ref)) for number, ref in enumerate(pictures, 1)]
        drawn = f"To be drawn of picture {decision.on}"
    about = [f"**{question}**", *seen, f"{drawn}: {decision.instruction}", decision.reason]
    problem = ""
    while True:
        try:
            reply = _ask("drawing", shown, args, about, problem)
            if reply.action == "stop":
                return reply
            return turn if reply.action == "approve" else _changed(menu, turn, reply, pictures, question)
        except G2UError as error:
            problem = str(error)


def review_answer(kept: Sequence[Round], question: str) -> Review:
    """Ask whether the answer may rest on the thoughts that were kept.

    Args:
        kept: Rounds with such thoughts.
        question: Its stem.

    Returns:
        The reply: to approve or to stop.

    Raises:
        GraphInterrupt: Until there is a reply that can be done.
        ValidationError: The reply has none of the forms.
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
    shown = {"before": "answer", "question": question, "thoughts": thoughts}
    seen = "\n\n".join(_seen(one["edit"], one["picture"]) for one in thoughts) or "none"
    about = [f"**{question}**", seen, *(one["verdict"] for one in thoughts)]
    problem = ""
    while True:
        try:
            reply = _ask("answer", shown, {"thoughts": seen}, about, problem)
            if reply.action != "change":
                return reply
            problem = "Before the answer nothing can be changed any more. Reply `approve` or `stop`."
        except ReviewError as error:
            problem = str(error)


def _ask(
    moment: Moment, shown: Mapping[str, Any], args: dict[Argument, str], about: Sequence[str], problem: str
) -> Review:
    """The reply to what is shown, of which an earlier one may have had a problem."""
    told: dict[Argument, str] = {"problem": problem} if problem else {}
    args = {**told, **args}
    text = "\n\n".join(filter(None, [problem, *about]))
    value = {**shown, **request(moment, args, text), **({"problem": problem} if problem else {})}
    reply = interrupt(value, response_schema=cast("type[Review | Decisions | list[Any]]", Reply))
    return as_review(reply, args)


def _seen(name: str, address: str) -> str:
    """A picture in Markdown; its reference where no server shows it."""
    return f"![{name}]({address}?size=512)" if address.startswith("http") else f"{name}: {address}"


def _changed(menu: Menu, turn: Round, reply: Review, pictures: Sequence[ImageRef], question: str) -> Round:
    """The round with another call, of which the menu has made sure that it gives no option away."""
    if turn.decision.edit == NATIVE:
        what = "The model draws what its own text asks for, so there is nothing to change."
        raise ReviewError(what, "Reply `approve`, or `stop` to answer from the original.")
    before, keep = turn.decision.call, list[str]()
    if reply.edit:
        call, keep = named_call(f"fixed:{reply.edit}", menu.library)
    elif reply.instruction:
        call = _written(menu, reply.instruction)
    else:
        call, keep = before, list(before.arguments)
    on = reply.on or call.on or before.on  # where it does not say, the picture stays
    call, note = menu.settle(call.model_copy(update={"on": on}), keep, written=True)
    if call.edit == NONE:
        raise ReviewError("There is nothing to draw for `none`.", "Reply `stop` to answer from the original.")
    library = menu.library
    decision = turn.decision.model_copy(
        update={
            "edit": call.edit,
            "family": library.get(call.edit).family,
            "arguments": call.arguments,
            "on": call.on,
            "instruction": library.instruction(call, question),
            "reason": f"Changed by a person, from {before.text}.{note}",
            "scores": {},
        }
    )
    changed = {"decision": decision, "source": pictures[call.place], "thought": None, "plan": ""}
    return turn.model_copy(update=changed)


def _written(menu: Menu, instruction: str) -> EditCall:
    """The call of the library that has this very instruction; for models that draw any, one in these words."""
    words = " ".join(instruction.split())
    for call in menu.calls:
        if call.edit != NONE and menu.library.instruction(call) == words:
            return call.model_copy(update={"on": None})
    return menu.library.call(WRITTEN, {"instruction": words})
