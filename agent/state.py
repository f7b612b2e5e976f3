"""What flows through the graph: small values and references, never pixels."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NotRequired, Self

from langchain_core.messages import AnyMessage
from langgraph.channels import EphemeralValue
from langgraph.graph import MessagesState, add_messages
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict  # before Python 3.12 pydantic makes no schema of the other one

from .edits.library import EditCall, Family
from .pictures.references import ImageRef

Action = Literal["keep", "retry", "discard"]
Fusion = Literal[
    "concat", "thought-first", "between", "labelled", "three-turn", "replace", "continued", "latent", "caption"
]
"""How the thought meets the question, see `fusions.FUSIONS`."""
Reading = Literal["scored", "written", "both"]
"""How a question with options is answered: the likeliest option, the one that the model writes, or both beside each
other, where the likeliest one is the answer."""
Pause = Literal["never", "drawing", "answer", "both"]
"""Before what a run stops and asks a person, see `review`."""


class Decision(BaseModel):
    """What to imagine, and who said so."""

    model_config = ConfigDict(frozen=True)

    edit: str
    """Name of an edit of the library; `none` means: answer without imagining."""
    family: Family
    arguments: dict[str, str] = {}
    on: int | None = Field(default=None, ge=1)
    """Number of the picture that is edited, 1 for the first, of a question about several; `None`: the only one."""
    instruction: str = ""
    """The rendered sentence that the drawer gets, with the question where it asks for that; empty for `none`."""
    policy: str
    reason: str = ""
    """Why, in words, as far as the policy knows."""
    scores: dict[str, float] = {}
    """Probability of each call that the policy compared, where it did; keys as `EditCall.text`."""
    attempts: int = 1
    """Times that the model was asked until its call could be parsed."""

    @property
    def call(self) -> EditCall:
        """The edit, its arguments and what it is of."""
        return EditCall(edit=self.edit, arguments=self.arguments, on=self.on)


class Verdict(BaseModel):
    """Judgement of the model on its own visual thought."""

    model_config = ConfigDict(frozen=True)

    action: Action
    reason: str
    probabilities: dict[Action, float]
    """Of the three actions, summing to one; empty where the model wrote the action, see `Capabilities.scores`."""
    change: float
    """Mean absolute difference between source and thought, in [0, 1] of the value range."""

    @property
    def keep(self) -> float:
        """Probability of keeping the thought; 1 or 0 where the model wrote the action."""
        return self.probabilities.get("keep", float(self.action == "keep"))


class Round(BaseModel):
    """One turn of the loop: a decision, the thought drawn from it and its verdict."""

    model_config = ConfigDict(frozen=True)

    number: int
    """1 for the first."""
    source: ImageRef
    """The picture that was edited: an original, or the last kept thought of it."""
    decision: Decision
    plan: str = ""
    """What the model wrote before it drew; empty where it does not think."""
    thought: ImageRef | None = None
    verdict: Verdict | None = None
    """`None` when reflection is off."""
    seconds: dict[str, float] = {}
    """Wall time of `decide`, `generate` and `reflect`."""


class Answer(BaseModel):
    """An answer and how sure the model is."""

    model_config = ConfigDict(frozen=True)

    text: str
    probabilities: dict[str, float] = {}
    """Of each option, summing to one; empty where none were compared."""
    log_probability: float | None
    """Of the text, natural logarithm; `None` of a model that does not tell it."""
    written: str = ""
    """What the model wrote as its answer, as it wrote it; empty where options were only compared."""
    missing: str = ""
    """Why there is no text, as a sentence; empty where there is one. Nothing is guessed in its place."""
    tokens: int = 0
    """That were written, what was thought before it and the end token counted; 0 where options were only compared."""
    reasoning: str = ""
    """What the model wrote before the text; empty where it does not think."""
    pictures: list[ImageRef]
    """What the reader saw, in order."""
    seconds: float


class Question(BaseModel):
    """What is asked, and all that belongs to it: one value, which the next question replaces whole."""

    model_config = ConfigDict(frozen=True)

    pictures: list[ImageRef] = Field(min_length=1)
    """What is asked about, in order."""
    question: str
    """Its stem, without the options."""
    options: list[str] = []
    """What may be answered; empty for a free answer."""
    gold_edits: list[str] = []
    """Names of edits known to help; for the policies `oracle` and `wrong` alone."""
    heard: str | None = None
    """Identifier of the message that was last in the thread then; such a message does not ask another time."""

    @property
    def picture(self) -> ImageRef:
        """The first picture, of most questions the only one."""
        return self.pictures[0]


class Stop(BaseModel):
    """Why a run drew no more before it was done of itself; its answer came from what was there."""

    model_config = ConfigDict(frozen=True)

    cause: Literal["rounds", "seconds", "person"]
    """`rounds` and `seconds`: a budget is used up; `person`: somebody stopped the drawing."""
    message: str
    """The same in words."""


STATE_TYPES: Final[tuple[type[BaseModel], ...]] = (ImageRef, Question, Round, Answer, Stop)
"""What a checkpointer must be allowed to read back, by its `JsonPlusSerializer(allowed_msgpack_modules=...)`."""


def _setting(about: str, *nodes: str) -> dict[str, Any]:
    """Metadata of a field: its description, and the nodes at which Studio shows it."""
    return {"description": about, "json_schema_extra": {"langgraph_nodes": list(nodes)}}


@dataclass(kw_only=True)
class Context:
    """Settings of one run; plain fields only, so that a server can show and store them."""

    __slots__ = ("__dict__", "_named")  # beside the fields, so that `vars` has these alone

    if not TYPE_CHECKING:  # which knows better what may be named, from the fields

        def __new__(cls, *_: object, **given: object) -> Self:
            """Note which fields were named, see `given`."""
            made = super().__new__(cls)
            made._named = frozenset(given)
            return made

    model: str = field(default="mini", metadata=_setting("Key of the unified model; `g2u models` lists them.", "begin"))
    weights: str = field(
        default="", metadata=_setting("Folder of weights; empty for the shipped or default ones.", "begin")
    )
    policy: str = field(
        default="self",
        metadata=_setting(
            "Who picks the edit: self, score, self-naive, probe, own-words, writer:PROVIDER:MODEL, "
            "fixed:EDIT, random, wrong, oracle, native, none.",
            "decide",
            "propose",
        ),
    )
    fusion: Fusion = field(
        default="concat",
        metadata=_setting(
            "How the thought meets the question: concat, beside the original; replace, in its place; "
            "caption, in words; and others.",
            "answer",
        ),
    )
    reflect: bool = field(
        default=True,
        metadata=_setting("Judge each thought before it is used; off: every thought is kept.", "reflect", "judge"),
    )
    rounds: int = field(default=2, metadata=_setting("Thoughts drawn at most.", "decide", "propose"))
    seconds: float = field(
        default=600.0,
        metadata=_setting("Time that the steps of a run may work; drawing stops in time to answer.", "begin"),
    )
    steps: int | None = field(
        default=None,
        metadata=_setting("Sampler steps per drawing; left out: as many as the preset has.", "generate", "draw"),
    )
    preset: str = field(
        default="",
        metadata=_setting("Settings of the model's sampler by name; empty for its first.", "generate", "draw"),
    )
    values: dict[str, bool | int | float | str] = field(
        default_factory=dict,
        metadata=_setting("Settings of the model's own sampler by name, such as cfg_text.", "generate", "draw"),
    )
    temperature: float = field(
        default=0.0,
        metadata=_setting("Of the chance by which the model writes; 0 for none.", "decide", "generate", "answer"),
    )
    think: bool = field(
        default=False,
        metadata=_setting("Let the model write a thought before it draws and answers.", "generate", "draw", "answer"),
    )
    seed: int = field(
        default=0,
        metadata=_setting("Seeds the noise of drawings and the policies that draw lots.", "decide", "generate", "draw"),
    )
    families: list[str] = field(
        default_factory=list,
        metadata=_setting("Families of edits that may be picked; empty for all.", "decide", "propose"),
    )
    on: int | None = field(
        default=None,
        metadata=_setting("Number of the only picture that may be edited; left out: any.", "decide", "propose"),
    )
    reader: str = field(
        default="answer", metadata=_setting("Prompt of the answers, a template of the model.", "answer")
    )
    reading: Reading = field(
        default="scored",
        metadata=_setting("How options are answered: scored, the likeliest; written, in words; both.", "answer"),
    )
    max_tokens: int = field(default=32, metadata=_setting("Tokens of a written answer at most.", "answer"))
    pause: Pause = field(
        default="never",
        metadata=_setting(
            "Stop and ask a person: before each drawing, before the answer, before both; needs a thread.",
            "generate",
            "answer",
        ),
    )
    store: str = field(
        default="",
        metadata=_setting(
            "Folder of the image store; empty for $G2U_PICTURES, or `pictures` beside the runs.", "begin"
        ),
    )

    @property
    def given(self) -> dict[str, Any]:
        """The settings that somebody chose: those that were named when this was made, and all that are not as usual.

        A run that goes on keeps the others from its beginning.
        """
        named: frozenset[str] = getattr(self, "_named")  # noqa: B009  # a slot, which no type checker knows of
        usual = vars(Context())
        return {name: value for name, value in vars(self).items() if name in named or value != usual[name]}


class Input(TypedDict, total=False):
    """What a caller gives: pictures and a question, or a message of a user that holds both.

    A question without pictures is about those of the thread. Everything else belongs to this question alone.
    """

    messages: Annotated[list[AnyMessage], add_messages]
    picture: Annotated[str | ImageRef, Field(description="A reference, `g2u:` and a hash, or an address.")]
    pictures: Annotated[list[str | ImageRef], Field(description="Several, in order; in the place of `picture`.")]
    question: Annotated[str, Field(description="In words; not needed where a message asks.")]
    options: Annotated[list[str], Field(description="What may be answered; empty for a free answer.")]
    gold_edits: Annotated[list[str], Field(description="Known to help; for the policies `oracle` and `wrong` alone.")]


class Asked(TypedDict):
    """What must be known to draw; every state of a graph has it."""

    asked: Question
    """The question under way, or the last one; `begin` writes it whole."""
    settings: NotRequired[dict[str, Any]]
    """The fields of `Context` that were given for the question, until its answer: a run that goes on keeps them."""
    spent: NotRequired[float]
    """Seconds that steps have worked on the question; those in which the run stood still are not among them."""


def _last(before: Any, after: Any) -> Any:
    """What was written last: of two nodes of one step, as where somebody jumps while another waits."""
    return after


class State(MessagesState):
    """Everything that the nodes share.

    `picture`, `pictures`, `question`, `options` and `gold_edits` are what this input gave. They are gone after the
    first node, and where that did not come to its end, with the next input: nothing of an unfinished run is input of
    another.
    """

    picture: NotRequired[Annotated[str | ImageRef | None, EphemeralValue]]
    pictures: NotRequired[Annotated[list[str | ImageRef] | None, EphemeralValue]]
    question: NotRequired[Annotated[str | None, EphemeralValue]]
    options: NotRequired[Annotated[list[str] | None, EphemeralValue]]
    gold_edits: NotRequired[Annotated[list[str] | None, EphemeralValue]]
    asked: Question
    settings: NotRequired[Annotated[dict[str, Any], _last]]
    spent: NotRequired[Annotated[float, _last]]
    pending: NotRequired[Round | None]
    """The round under way, until its verdict is in."""
    rounds: Annotated[list[Round], operator.add]
    stopped: NotRequired[Stop | None]
    direct: NotRequired[Answer | None]
    """Answer from the originals alone; `None` while a question is under way."""
    answer: NotRequired[Answer | None]
    """Final answer: with the kept thought, or the direct one."""


class Output(TypedDict):
    """What a caller gets."""

    messages: list[AnyMessage]
    answer: Answer
    direct: Answer
    rounds: list[Round]
    stopped: Stop | None
    """Why nothing more was drawn, where a budget or a person ended it."""
