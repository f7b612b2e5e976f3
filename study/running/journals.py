"""What actors have under way, on the disk: a death then tells which answers it was about, and loses none that was had.

Each batch of answers has a folder in `journals/RUN/`, and each attempt at it a file there. An answer is entered as a
line that says nothing before the model is asked, and as it is once it was had. Only the process that runs the study
reads journals of other runs, and clears them once the answers are among its lines.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from pydantic import ValidationError

from g2u.files import unwritable

from ..grid.records import Line

JOURNALS = "journals"
"""Name inside the folder of a study."""
_STOP = "stop"

Key = tuple[str, str, int]
"""Of a line."""


@dataclass(frozen=True)
class Past:
    """What earlier attempts at a batch left behind."""

    lines: Mapping[Key, Line]
    """Answers that were had."""
    deaths: Mapping[str, int]
    """Attempts that ended with an answer to an item under way, by the id of the item; any other is absent."""
    idle: int
    """Attempts that ended before anything was under way, such as while the model was loaded."""


class Journal:
    """One attempt at a batch; a context manager.

    Args:
        folder: Of the batch; made where there is none.

    Raises:
        OutputError: It cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        """Read what earlier attempts left, and begin a file."""
        self.past = _past(folder)
        self.path = folder / f"{uuid4().hex}.jsonl"
        self._at_work = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def begin(self, key: Key) -> None:
        """Enter that an answer is under way.

        Raises:
            OutputError: The disk is full or gone.
        """
        arm, item, seed = key
        self._write(Line(arm=arm, item=item, seed=seed))

    def end(self, line: Line) -> None:
        """Enter an answer that was had; it is on the disk when this returns.

        Raises:
            OutputError: The disk is full or gone.
        """
        self._write(line)

    def _write(self, line: Line) -> None:
        data = line.to_json() + b"\n"
        try:
            with self._at_work:
                while data:
                    data = data[self._file.write(data) :]
                if _is_had(line):
                    os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error

    def __enter__(self) -> Self:
        """Give the journal."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file, once a writing that was left alone is done."""
        with self._at_work:
            self._file.close()


def begun_run(folder: Path) -> Path:
    """A place for the journals of a run that begins, in the folder of its study.

    Raises:
        OutputError: It cannot be made.
    """
    place = folder / JOURNALS / uuid4().hex
    try:
        place.mkdir(parents=True)
    except OSError as error:
        raise unwritable(place, error) from error
    return place


def stop(run: Path) -> None:
    """Tell the actors of a run that nobody waits for them any more."""
    (run / _STOP).touch()


def stopped(run: Path) -> bool:
    """Whether the actors of a run are to end."""
    return (run / _STOP).exists() or not run.exists()


def left_behind(folder: Path) -> list[Line]:
    """Answers that actors of earlier runs had, one for each key; some may be among the lines of the study."""
    return list({line.key: line for line in _entries((folder / JOURNALS).rglob("*.jsonl")) if _is_had(line)}.values())


def clear(folder: Path) -> None:
    """Remove the journals of a batch, a run or, by its folder, a study; those that are not there are none."""
    shutil.rmtree(folder, ignore_errors=True)


def _past(folder: Path) -> Past:
    lines: dict[Key, Line] = {}
    deaths: Counter[str] = Counter()
    idle = 0
    for file in folder.glob("*.jsonl"):
        begun: dict[Key, bool] = {}
        for line in _entries([file]):
            begun[line.key] = _is_had(line)
            if _is_had(line):
                lines.setdefault(line.key, line)
        deaths.update({item for (_, item, _), had in begun.items() if not had})
        idle += not begun
    return Past(lines, deaths, idle)


def _entries(files: Iterable[Path]) -> Iterator[Line]:
    """What can be read of some journals; what a death cut off is left out."""
    for file in sorted(files):
        for part in file.read_bytes().splitlines(keepends=True):
            try:
                if part.endswith(b"\n"):
                    yield Line.model_validate_json(part)
            except ValidationError:
                continue


def _is_had(line: Line) -> bool:
    """Whether an answer, a failure or a question that is none for its arm; else it was under way."""
    return bool(line.answer or line.error or line.left_out)
