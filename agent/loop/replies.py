"""What a person is shown and may reply when a run waits, in our own form and in the two that chat pages know.

`Review` is our own. LangChain's pages and middleware reply `{"decisions": [...]}` to a value with `action_requests` and
`review_configs`; the form before that, of the agent inbox, is a list with one reply to a value with `action_request`
and `config`. What is shown has the fields of all three, so that each page finds its own and draws its buttons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, model_validator

from ..errors import ReviewError

Moment = Literal["drawing", "answer"]
ACTIONS: Final[Mapping[Moment, Literal["draw", "answer"]]] = {"drawing": "draw", "answer": "answer"}
"""What is about to be done at each moment, as the standard forms name it."""


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Review(_Form):
    """What a person replies."""

    action: Literal["approve", "change", "stop"] = Field(
        description="approve: go on; change: draw another edit; stop: draw no more and answer with what was kept "
        "before, if anything."
    )
    edit: str = Field(
        default="", description="To change: an edit of the library, `deblur` or `trace_path(colour=red, on=2)`."
    )
    instruction: str = Field(default="", description="To change: an instruction in the place of `edit`.")
    on: int | None = Field(
        default=None, description="To change: number of the picture that is edited, alone or beside the other two."
    )
    reason: str = Field(default="", description="To stop: why, for the trace.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse a change of nothing, and words that would be ignored."""
        given = [name for name in ("edit", "instruction") if getattr(self, name).strip()]
        named = len(given) + (not given and self.on is not None)
        if named != (self.action == "change") or (self.on is not None and self.action != "change"):
            told = "`change` needs either `edit` or `instruction`, or `on`, and the other actions take none of them"
            raise ValueError(told)
        if self.reason and self.action != "stop":
            raise ValueError("only `stop` takes a `reason`")
        return self


Argument = Literal["edit", "instruction", "thoughts", "problem"]
"""What the standard forms show of what is about to be done; `edit` and `instruction` may be changed, one of them."""


class Action(_Form):
    """What is about to be done, as LangChain names it."""

    name: Literal["draw", "answer"]
    args: dict[Argument, str] = {}


class Approve(_Form):
    """Go on."""

    type: Literal["approve"]


class Edit(_Form):
    """Go on with other arguments."""

    type: Literal["edit"]
    edited_action: Action


class Reject(_Form):
    """Stop, and why."""

    type: Literal["reject"]
    message: str = ""


class Decisions(_Form):
    """The reply of LangChain's `HumanInTheLoopMiddleware`; one decision, since one thing is asked at a time."""

    decisions: list[Annotated[Approve | Edit | Reject, Discriminator("type")]] = Field(min_length=1, max_length=1)


class InboxAction(_Form):
    """What is about to be done, as the agent inbox names it."""

    action: Literal["draw", "answer"]
    args: dict[Argument, str] = {}


class InboxAccept(_Form):
    """Go on, with other arguments where they were changed."""

    type: Literal["accept", "edit"]
    args: InboxAction | None = None


class InboxIgnore(_Form):
    """Stop."""

    type: Literal["ignore"]
    args: None = None


InboxReply = Annotated[InboxAccept | InboxIgnore, Discriminator("type")]
"""A reply of the agent inbox; its `response`, free words, is not offered and not taken."""


def _form(reply: object) -> str:
    """Which form a reply has, so that what is wrong with it is told of that form alone."""
    if isinstance(reply, (list, tuple)):
        return "inbox"
    if isinstance(reply, Decisions) or (isinstance(reply, Mapping) and "decisions" in reply):
        return "decisions"
    return "own"


Reply = Annotated[
    Annotated[Review, Tag("own")]
    | Annotated[Decisions, Tag("decisions")]
    | Annotated[list[InboxReply], Field(min_length=1, max_length=1), Tag("inbox")],
    Discriminator(_form),
]
"""What may be replied, in any form."""
REPLY: Final[TypeAdapter[Review | Decisions | list[Any]]] = TypeAdapter(Reply)
"""Reads a reply."""


def request(moment: Moment, args: Mapping[Argument, str], about: str) -> dict[str, Any]:
    """The fields by which chat pages know what is asked and which buttons to draw.

    Args:
        moment: Before what the run stopped.
        args: What is about to be done.
        about: The same for a person, in Markdown.
    """
    action, edits = ACTIONS[moment], moment == "drawing"
    return {
        "action_requests": [{"name": action, "args": dict(args), "description": about}],
        "review_configs": [
            {"action_name": action, "allowed_decisions": ["approve", *(["edit"] if edits else []), "reject"]}
        ],
        "action_request": {"action": action, "args": dict(args)},
        "config": {"allow_accept": True, "allow_edit": edits, "allow_ignore": True, "allow_respond": False},
        "description": about,
    }


def as_review(reply: Review | Decisions | list[Any], shown: Mapping[Argument, str]) -> Review:
    """A reply of any form as one of our own.

    Args:
        reply: As `REPLY` read it.
        shown: The arguments that were shown, which the standard forms give back whole, changed or not.

    Raises:
        ReviewError: More was changed than can be, or something that cannot.
    """
    if isinstance(reply, Review):
        return reply
    (one,) = reply.decisions if isinstance(reply, Decisions) else reply
    match one:
        case Reject():
            return Review(action="stop", reason=one.message)
        case InboxIgnore():
            return Review(action="stop")
        case Edit():
            given = one.edited_action.args
        case InboxAccept(args=InboxAction() as action):
            given = action.args
        case _:
            given = {}
    changed = {name: text for name, text in given.items() if text.strip() != shown.get(name, "").strip()}
    if not changed:
        return Review(action="approve")
    ((name, text), *more) = changed.items()
    if more or name not in ("edit", "instruction") or name not in shown or not text.strip():
        may = [name for name in ("edit", "instruction") if name in shown]
        raise ReviewError(f"Changed were {' and '.join(changed)}.", f"Change one of these: {may}." if may else "")
    return Review.model_validate({"action": "change", name: text})
