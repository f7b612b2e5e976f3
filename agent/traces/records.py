"""The records of a run: what each line of its trace may hold."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ..models.protocol import Capabilities, Identity, Sampler
from ..pictures.references import ImageRef
from ..state import Answer, Context, Decision, Round

FORMAT: Final = 2
"""Version of the records; raised when an older reader could misread them."""


def new_run_id() -> str:
    """A name for a run's folder: UTC time to the millisecond, so that names sort by time, and eight random digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"[:-3] + f"-{secrets.token_hex(4)}"


def environment() -> dict[str, str]:
    """What a run depends on beside its settings: the machine, and versions of Python and of what computes."""
    import torch  # here, because a trace is shown without it

    packages = ("torch", "transformers", "diffusers", "pillow", "langgraph")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "threads": str(torch.get_num_threads()),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "G2U_DEVICE": os.environ.get("G2U_DEVICE", ""),
    } | {name: importlib.metadata.version(name) for name in packages}


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Header(_Record):
    """First line: everything that decides a run.

    The same header on the same machine gives the same run, up to rounding where the sizes of batches differ.
    """

    kind: Literal["header"] = "header"
    format: Literal[2] = FORMAT
    run: str
    """Run id, see `new_run_id`."""
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    g2u: str
    """Version of G2U that ran."""
    pictures: list[ImageRef] = Field(min_length=1)
    """What is asked about, in order."""
    question: str
    options: list[str] = []
    gold_edits: list[str] = []
    """Edits known to help, where they are known; the policy `oracle` reads them."""
    out_of_vocabulary: list[str] = []
    """Words of the question and its options that the model was never taught."""
    config: Context
    """All settings, the seed among them; `store` is the absolute folder of the store, see `store_of`."""
    model: Identity
    capabilities: Capabilities
    sampler: Sampler = Sampler()
    """How the run draws, nothing left open."""
    prompts: dict[str, str]
    """SHA-256 of each prompt file, the edit library among them."""
    environment: dict[str, str] = Field(default_factory=environment)


class DomainRecord(_Record):
    """How far the pictures lie from what the model was trained on, by the farthest; of a model that can say."""

    kind: Literal["domain"] = "domain"
    out_of_domain: float = Field(ge=0, le=1)
    """Share of pictures of its training world that lie nearer."""
    seconds: float = Field(default=0.0, ge=0)
    """Wall time of finding out."""


class DecisionRecord(_Record):
    """An edit is picked and about to be drawn; the `RoundRecord` of the same number says what came of it."""

    kind: Literal["decision"] = "decision"
    round: int
    """Its number, 1 for the first."""
    decision: Decision


class RoundRecord(_Record):
    """A round is over."""

    kind: Literal["round"] = "round"
    round: Round


class DirectRecord(_Record):
    """The answer from the originals alone is there."""

    kind: Literal["direct"] = "direct"
    answer: Answer


class AnswerRecord(_Record):
    """The final answer is there."""

    kind: Literal["answer"] = "answer"
    answer: Answer


class StopRecord(_Record):
    """Something ended the drawing or the run before it was done of itself."""

    kind: Literal["stop"] = "stop"
    cause: Literal["rounds", "seconds", "person", "cancelled", "error"]
    """`rounds` and `seconds`: a budget is used up; `person`: somebody stopped the drawing; the run goes on to its
    answer after these. The others end it."""
    message: str = ""


class Result(_Record):
    """Last line of a run that came to its end."""

    kind: Literal["result"] = "result"
    seconds: dict[str, float]
    """Wall time of each step of the whole run, and `total`."""
    engine: dict[str, Any] = {}
    """What the engine counted from start to end of the run, other runs at the same time included: it is shared."""


Event = DomainRecord | DecisionRecord | RoundRecord | DirectRecord | AnswerRecord | StopRecord | Result
RECORD: Final[TypeAdapter[Header | Event]] = TypeAdapter(Annotated[Header | Event, Field(discriminator="kind")])
"""Reads a record of any kind."""
