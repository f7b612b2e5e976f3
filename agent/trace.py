"""The record of one run: append-only JSON Lines, enough to show it and to run it again.

`trace.jsonl` of a run's folder has one record a line: a `Header`, then one event for each thing that happened, last a
`Result`. A run that was stopped has no `Result`, and what it did until then is there. Pictures are references.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from g2u.caveats import caveats
from g2u.errors import TraceError
from g2u.files import unwritable
from g2u.models.protocol import Capabilities, Identity, Sampler
from g2u.pictures import ImageRef, ImageStore, get_store
from g2u.state import Answer, Context, Decision, Round

FORMAT: Final = 1
"""Version of the records; raised when an older reader could misread them."""
FILE_NAME: Final = "trace.jsonl"


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
    format: Literal[1] = FORMAT
    run: str
    """Run id, see `new_run_id`."""
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    g2u: str
    """Version of G2U that ran."""
    picture: ImageRef
    question: str
    options: list[str] = []
    gold_edits: list[str] = []
    """Edits known to help, where they are known; the policy `oracle` reads them."""
    out_of_vocabulary: list[str] = []
    """Words of the question and its options that the model was never taught."""
    config: Context
    """All settings, the seed among them; `pictures` is the absolute folder of the store, see `store_of`."""
    model: Identity
    capabilities: Capabilities
    sampler: Sampler = Sampler()
    """How the run draws, nothing left open."""
    prompts: dict[str, str]
    """SHA-256 of each prompt file, the edit library among them."""
    environment: dict[str, str] = Field(default_factory=environment)


class DomainRecord(_Record):
    """How far the picture lies from what the model was trained on; of a model that can say."""

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
    """The answer from the original alone is there."""

    kind: Literal["direct"] = "direct"
    answer: Answer


class AnswerRecord(_Record):
    """The final answer is there."""

    kind: Literal["answer"] = "answer"
    answer: Answer


class StopRecord(_Record):
    """Something ended the drawing or the run before it was done of itself."""

    kind: Literal["stop"] = "stop"
    cause: Literal["rounds", "seconds", "cancelled", "error"]
    """`rounds` and `seconds`: a budget is used up and the run goes on to its answer; the others end it."""
    message: str = ""


class Result(_Record):
    """Last line of a run that came to its end."""

    kind: Literal["result"] = "result"
    seconds: dict[str, float]
    """Wall time of each step of the whole run, and `total`."""
    engine: dict[str, Any] = {}
    """What the engine counted from start to end of the run, other runs at the same time included: it is shared."""


Event = DomainRecord | DecisionRecord | RoundRecord | DirectRecord | AnswerRecord | StopRecord | Result
_RECORD: Final[TypeAdapter[Header | Event]] = TypeAdapter(Annotated[Header | Event, Field(discriminator="kind")])


class TraceWriter:
    """Writes the trace of one run, line by line, each handed to the system at once, so that Ctrl-C loses none.

    Args:
        folder: Folder of the run; made here. It must not hold a trace yet.
        header: First line.

    Raises:
        OutputError: The folder cannot be written to or holds a trace.
    """

    def __init__(self, folder: Path, header: Header) -> None:
        """Make the folder and write the header."""
        self.path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("xb")
        except OSError as error:
            raise unwritable(self.path, error) from error
        self.write(header)

    def write(self, record: Header | Event) -> None:
        """Append one record.

        Raises:
            OutputError: The disk is full or gone.
        """
        # A log-probability may be -inf: as a string it is read back, where `model_dump_json` would write null.
        line = to_json(record.model_dump(mode="json"), inf_nan_mode="strings")
        try:
            self._file.write(line + b"\n")
            self._file.flush()
        except OSError as error:
            raise unwritable(self.path, error) from error

    def close(self) -> None:
        """Close the file; closing twice is fine.

        Raises:
            OutputError: The disk is full or gone, and a record that could not be written still cannot.
        """
        try:
            self._file.close()
        except OSError as error:
            raise unwritable(self.path, error) from error

    def __enter__(self) -> TraceWriter:
        """Use as a context manager to close in any case."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A trace as read back."""

    folder: Path
    header: Header
    out_of_domain: float | None
    """How far the picture lies from what the model was trained on; `None` where that is not known."""
    decisions: list[DecisionRecord]
    """To draw an edit, in order; also of a round that never came to its end."""
    rounds: list[Round]
    direct: Answer | None
    answer: Answer | None
    stops: list[StopRecord]
    result: Result | None
    damaged: str
    """What is wrong with the last line; empty when nothing is."""

    @property
    def caveats(self) -> list[str]:
        """One sentence for each limit of the model that the run met."""
        return list(caveats(self.header.model.model, self.header.out_of_vocabulary, self.out_of_domain))

    @property
    def status(self) -> str:
        """How the run ended: `done`, `cancelled`, `error`, or `unfinished` when it still runs or was killed."""
        ended = [stop.cause for stop in self.stops if stop.cause in ("cancelled", "error")]
        return "done" if self.result else ended[-1] if ended else "unfinished"

    @property
    def drawn(self) -> list[Round]:
        """The rounds that came to a visual thought; the others found nothing to draw, or no time."""
        return [turn for turn in self.rounds if turn.thought]

    @property
    def shown(self) -> Round | None:
        """The round whose thought the final answer rests on; else the last that came to one, `None` without any."""
        read = self.answer.pictures if self.answer else []
        latest = self.drawn[-1] if self.drawn else None
        return next((turn for turn in reversed(self.drawn) if turn.thought in read), latest)

    @property
    def under_way(self) -> DecisionRecord | None:
        """The decision of a round that never came to its end; `None` where every round did."""
        over = {turn.number for turn in self.rounds}
        return next((record for record in self.decisions if record.round not in over), None)

    @property
    def imagined(self) -> bool:
        """Whether the final answer rests on a visual thought, not on the original alone."""
        return self.answer is not None and self.answer.pictures != [self.header.picture]

    @property
    def timings(self) -> list[tuple[str, float]]:
        """Wall time of each step in seconds, as far as the run came."""
        rows = [(f"{step} {round.number}", value) for round in self.rounds for step, value in round.seconds.items()]
        answers = (("direct answer", self.direct), ("answer", self.answer))
        return rows + [(step, answer.seconds) for step, answer in answers if answer]

    def name_of(self, picture: ImageRef) -> str:
        """What a picture is in this run: `original`, or `thought N` for the drawing of round N."""
        thoughts = {round.thought: f"thought {round.number}" for round in reversed(self.rounds)}
        return thoughts.get(picture, "original" if picture == self.header.picture else "another picture")


def read_trace(folder: Path) -> Trace:
    """Read and check the trace of a run.

    A last line that was cut off, as by a kill or a full disk, is left out and named in `Trace.damaged`.

    Raises:
        TraceError: There is no trace, it is of another version, or it is damaged in its header or before its last line.
    """
    path = folder / FILE_NAME
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        hint = "Name the folder of one run, such as `runs/RUN`."
        raise TraceError(f"There is no trace at {str(path)!r}: {error.strerror}.", hint) from error
    records: list[Header | Event] = []
    damaged = ""
    for number, line in enumerate(lines, 1):
        try:
            records.append(_RECORD.validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = f"Line {number} of {len(lines)} in {str(path)!r}"
            if number == len(lines) > 1 and first["type"] == "json_invalid":
                damaged = f"{where} is cut off and left out."
                break
            what = f"{where} is no record of a trace ({'.'.join(map(str, first['loc']))}: {first['msg']})."
            raise TraceError(what, "Was it written by another version of G2U?") from error
    if not records or not isinstance(records[0], Header) or any(isinstance(record, Header) for record in records[1:]):
        raise TraceError(
            f"{str(path)!r} does not start with its one header.", "The run was perhaps killed at its start."
        )
    events = records[1:]
    answers = {record.kind: record.answer for record in events if isinstance(record, DirectRecord | AnswerRecord)}
    return Trace(
        folder=folder,
        header=records[0],
        out_of_domain=next((record.out_of_domain for record in events if isinstance(record, DomainRecord)), None),
        decisions=[record for record in events if isinstance(record, DecisionRecord)],
        rounds=[record.round for record in events if isinstance(record, RoundRecord)],
        direct=answers.get("direct"),
        answer=answers.get("answer"),
        stops=[record for record in events if isinstance(record, StopRecord)],
        result=next((record for record in events if isinstance(record, Result)), None),
        damaged=damaged,
    )


def store_of(trace: Trace) -> ImageStore:
    """The store with the pictures of a run.

    It is the folder `pictures` beside the run's own where that holds them all, so that a folder of runs may be moved
    or copied; the recorded one otherwise.
    """
    beside = get_store(trace.folder.parent / "pictures")
    held = [trace.header.picture, *(turn.thought for turn in trace.drawn if turn.thought)]
    return beside if all(beside.path(ref).exists() for ref in held) else get_store(trace.header.config.pictures)
