"""What a study writes down: the questions, once, and one line for each answer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from g2u.engine.costs import Cost
from g2u.models.protocol import Edits, Identity
from g2u.pictures.references import ImageRef
from g2u.scoring.expected import Expected
from g2u.state import Answer, Round

from .arms import READINGS, AnswerReading, Study

FORMAT: Literal[3] = 3
"""Version of the files; raised when an older reader could misread them."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ItemRecord(_Record):
    """One question about a picture, or several: a line of `items.jsonl`."""

    id: str
    """Unique in its study, such as `held-out/maze/untraced/17`."""
    pictures: list[ImageRef] = Field(min_length=1)
    """What is asked about, in order."""
    question: str
    options: list[str] = []
    """Empty for a free answer."""
    answers: list[str] = Field(min_length=1)
    """Those that are accepted, the one that is shown first."""
    scorer: str = ""
    """What an answer is worth is found by it, see `g2u.scoring.scorers`; empty for the one that fits the answers."""
    cluster: str = ""
    """Items with the same name here, such as circular copies of a question, are scored and resampled as one; empty for
    an item that stands for itself."""
    gold_edits: list[str] | None = Field(default=None, min_length=1)
    """Edits known to help, in the order to make them; `["none"]` where nothing needs to be imagined; `None`: not
    known."""
    groups: dict[str, str] = {}
    """What tables and filters tell apart, by name: `task`, `fault` and the like."""
    paraphrase_of: str = ""
    """Id of the item that is asked here in other words; empty for an item of its own."""

    @property
    def answer(self) -> str:
        """The accepted answer that is shown."""
        return self.answers[0]

    @property
    def expected(self) -> Expected:
        """What scorers hold an answer against."""
        return Expected(answers=tuple(self.answers), options=tuple(self.options), scorer=self.scorer)

    def asks_the_same(self, other: ItemRecord) -> bool:
        """Whether another item is the same question with the same right answers; their groups may differ."""
        fields = ("pictures", "question", "options", "answers", "scorer")
        return all(getattr(self, field) == getattr(other, field) for field in fields)


class Judgement(_Record):
    """What a judge was asked about an answer, and what it replied."""

    judge: str
    """`PROVIDER:MODEL`, or as it was registered."""
    prompt: str
    reply: str


class Mark(_Record):
    """What one reading of an answer is worth."""

    value: float = Field(default=0.0, ge=0, le=1)
    """From 0, wrong, to 1, right."""
    parts: dict[str, float] = {}
    """What it is made of, where the scorer tells that."""
    found: str | None = None
    """What was taken for the answer; `None` where none could be found in what the model wrote."""
    judgement: Judgement | None = None
    unscored: str = ""
    """Why it has no value yet, such as a judge that cannot be reached; it is scored when the study goes on."""


Marks = dict[AnswerReading, Mark]
"""By reading; `scored` first where there are both."""


class Line(_Record):
    """What one arm answered to one item with one seed: a line of `lines.jsonl`."""

    arm: str
    item: str
    """Its id."""
    seed: int
    marks: Marks = {}
    """What the answer is worth in each reading; empty where it failed or was left out."""
    direct_marks: Marks = {}
    """What the direct answer is worth."""
    answer: Answer | None = None
    """With what was imagined; `None` where the item failed or was left out."""
    direct: Answer | None = None
    """From the original alone, with the same reader prompt."""
    rounds: list[Round] = []
    fidelity: dict[int, dict[str, float]] = {}
    """Of the drawing of each round, by its number: `psnr` in dB, `ssim` and `vif` (visual information fidelity)
    against the true result where that is known; `followed` and `kept`, 0 to 10, as the model judges where it is not."""
    error: str = ""
    """What failed; empty for an answer."""
    left_out: str = ""
    """Why this item is none for the arm: a fixed edit that would name an option, or gold edits that nobody knows; empty
    for an answer."""
    stopped: Literal["", "rounds", "seconds"] = ""
    """The budget that ended the imagining; empty where it ended by itself. After `seconds` an answer may be the direct
    one although the arm imagines."""
    cost: Cost = Cost()
    """What the model did for it, the direct answer among it, as if it had been asked alone; nothing where it failed or
    was left out. What the study measures of it afterwards is not in it."""

    @property
    def score(self) -> float:
        """What the answer is worth in the study's first reading, from 0 to 1; a failure is worth nothing."""
        return first_value(self.marks) or 0.0

    @property
    def right(self) -> bool:
        """Whether the answer is worth all that it can be."""
        return self.score >= 1.0

    @property
    def direct_score(self) -> float | None:
        """What the direct answer is worth; `None` where there is none, or it has no value yet."""
        return first_value(self.direct_marks)

    @property
    def unscored(self) -> str:
        """Why a reading has no value yet; empty where all have."""
        marks = (*self.marks.values(), *self.direct_marks.values())
        return next((mark.unscored for mark in marks if mark.unscored), "")

    @property
    def key(self) -> tuple[str, str, int]:
        """Which answer this is."""
        return self.arm, self.item, self.seed

    def to_json(self) -> bytes:
        """As one line of JSON.

        A log-probability may be -inf: as a string it is read back, where `model_dump_json` would write null.
        """
        return to_json(self.model_dump(mode="json"), inf_nan_mode="strings")


def first_value(marks: Marks) -> float | None:
    """The value of the first reading that has marks; `None` where there is none, or it has no value yet."""
    first = next((marks[reading] for reading in READINGS if reading in marks), None)
    return None if first is None or first.unscored else first.value


class Part(_Record):
    """A part of what a study asks: some of its arms, on its first items, with its first seeds."""

    arms: list[str]
    items: int = Field(ge=0)
    """How many, those in other words not counted: they come with their items."""
    seeds: int = Field(ge=1)

    def holds(self, other: Part) -> bool:
        """Whether another part asks nothing that this one does not."""
        return set(other.arms) <= set(self.arms) and other.items <= self.items and other.seeds <= self.seeds


class Header(_Record):
    """`study.json`: everything that decides the lines of a study.

    A study grows: what is asked is the union of its parts, and `study` the smallest grid that holds them all.
    """

    format: Literal[3] = FORMAT
    g2u: str
    """Version of G2U that began it."""
    study: Study
    asked: list[Part] = []
    """The parts, none of which another one holds; empty for the whole grid of `study`."""
    model: Identity
    prompts: dict[str, str]
    """SHA-256 of each prompt file, the edit library among them."""
    edits: Edits = "native"
    """How drawings of the model come about."""
    code: str = ""
    """SHA-256 of the source files of the model."""
    device: str = ""
    """Type of the device that the model computes on, such as `cuda`."""
    items: str
    """SHA-256 of `items.jsonl`."""
    versions: dict[str, str] = {}
    """MD5 sum of the file of each benchmark, with what it is where it was published."""
    passed_over: dict[str, list[str]] = {}
    """Of each benchmark the rows that were not asked, as they have no picture or cannot be asked, with the reason."""
    skipped: dict[str, str] = {}
    """Arms of a set that the model cannot run here, with the reason; once it can, their answers are made. How many
    answers that is, `Results.unasked` says."""
