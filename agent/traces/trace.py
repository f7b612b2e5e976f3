"""The record of one run: append-only JSON Lines, enough to show it and to run it again.

`trace.jsonl` of a run's folder has one record a line: a `Header`, then one event for each thing that happened, last a
`Result`. A run that was stopped has no `Result`, and what it did until then is there. Pictures are references.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from pydantic import ValidationError
from pydantic_core import to_json

from ..errors import TraceError
from ..files import unwritable
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore, get_store
from ..state import Answer, Round
from .caveats import caveats
from .records import (
    RECORD,
    AnswerRecord,
    DecisionRecord,
    DirectRecord,
    DomainRecord,
    Event,
    Header,
    Result,
    RoundRecord,
    StopRecord,
)

FILE_NAME: Final = "trace.jsonl"
"""Of the trace, in the folder of a run."""


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
    """How far the farthest picture lies from what the model was trained on; `None` where that is not known."""
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
        header = self.header
        edits = header.capabilities.edits
        return list(caveats(header.model.model, header.out_of_vocabulary, self.out_of_domain, edits))

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
        """Whether the final answer rests on a visual thought, not on the originals alone."""
        return self.answer is not None and self.is_imagined(self.answer)

    def is_imagined(self, answer: Answer) -> bool:
        """Whether an answer rests on a visual thought."""
        return answer.pictures != self.header.pictures

    @property
    def timings(self) -> list[tuple[str, float]]:
        """Wall time of each step in seconds, as far as the run came."""
        rows = [(f"{step} {round.number}", value) for round in self.rounds for step, value in round.seconds.items()]
        answers = (("direct answer", self.direct), ("answer", self.answer))
        return rows + [(step, answer.seconds) for step, answer in answers if answer]

    def name_of(self, picture: ImageRef) -> str:
        """What a picture is in this run: `original` (of several, `original N`), or `thought N` for that of round N."""
        originals = self.header.pictures
        names = {ref: f"original {number}" for number, ref in reversed(list(enumerate(originals, 1)))}
        if len(originals) == 1:
            names = dict.fromkeys(originals, "original")
        names |= {round.thought: f"thought {round.number}" for round in reversed(self.rounds) if round.thought}
        return names.get(picture, "another picture")


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
            records.append(RECORD.validate_json(line))
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
    held = [*trace.header.pictures, *(turn.thought for turn in trace.drawn if turn.thought)]
    return beside if all(beside.path(ref).exists() for ref in held) else get_store(trace.header.config.store)
