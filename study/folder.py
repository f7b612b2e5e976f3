"""The folder of a study: begun once, appended to line by line, read back whole.

A line is on the disk before its answer counts as had, so that a kill at any moment loses only what was under way. What
a kill leaves of a last line is cut off when the study goes on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from g2u.errors import StudyError
from g2u.files import check_folder, unwritable, write_atomic
from g2u.study.items import parse_items, write_items
from g2u.study.records import Header, ItemRecord, Line
from g2u.study.results import Results

HEADER, ITEMS, LINES, PICTURES = "study.json", "items.jsonl", "lines.jsonl", "pictures"
"""Names inside the folder."""


def begin(folder: Path, header: Header, items: Sequence[ItemRecord]) -> None:
    """Make the folder of a study, or make sure that it is this study's.

    Args:
        folder: New, empty, or begun by the same study.
        header: Its hash of the items is filled in here.
        items: The questions.

    Raises:
        StudyError: The folder holds something else, such as another study.
        OutputError: It cannot be written to.
    """
    check_folder(folder)
    data = write_items(items)
    header = header.model_copy(update={"items": hashlib.sha256(data).hexdigest()})
    if (folder / HEADER).exists():
        found = read_header(folder)
        if differing := _differences(found, header):
            hint = "Name another folder; nothing was changed in this one."
            raise StudyError(
                f"{str(folder)!r} holds another study: {', '.join(differing)} differ from what is asked for.", hint
            )
        return
    if folder.exists() and (others := sorted(set(os.listdir(folder)) - {PICTURES, ITEMS})):
        raise StudyError(f"{str(folder)!r} holds no study but {others[0]!r}.", "Name a new folder.")
    write_atomic(folder / ITEMS, data)
    write_atomic(folder / HEADER, header.model_dump_json(indent=2).encode())  # last: it says that the rest is there


def read_header(folder: Path) -> Header:
    """What a study asks.

    Raises:
        StudyError: There is none, or it is of another version.
    """
    path = folder / HEADER
    try:
        return Header.model_validate_json(path.read_bytes())
    except OSError as error:
        hint = "Run one: `g2u study run --preset paper-world --out DIR`."
        raise StudyError(f"There is no study in {str(folder)!r}.", hint) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise StudyError(f"{str(path)!r} is of another version or damaged ({what}).", "Run the study anew.") from error


def read_study(folder: Path) -> Results:
    """All that a study has found so far; a last line that was cut off is left out.

    Raises:
        StudyError: There is no study, or it is damaged before its last line.
    """
    header = read_header(folder)
    items = parse_items(_bytes(folder / ITEMS))
    lines, _ = read_lines(folder)
    arms = {arm.name: number for number, arm in enumerate(header.study.arms)}
    places = {name: number for number, name in enumerate(items)}
    lines.sort(key=lambda line: (arms[line.arm], places[line.item], line.seed))
    return Results(folder=folder, header=header, items=items, lines=lines)


def read_lines(folder: Path) -> tuple[list[Line], int]:
    """The whole lines of a study, and how many bytes they are; 0 where there are none yet.

    Raises:
        StudyError: A line before the last is damaged.
    """
    path = folder / LINES
    lines: list[Line] = []
    whole = 0
    if not path.exists():
        return lines, whole
    data = _bytes(path)
    for number, part in enumerate(data.splitlines(keepends=True), 1):
        try:
            if not part.endswith(b"\n"):
                break  # cut off, even if what is there can be read: the next line would be joined to it
            lines.append(Line.model_validate_json(part))
        except ValidationError as error:
            if whole + len(part) == len(data):
                break
            hint = "Run the study in a new folder, or delete that line to have its answer made again."
            raise StudyError(f"Line {number} of {str(path)!r} is damaged.", hint) from error
        whole += len(part)
    return lines, whole


class LineWriter:
    """Appends lines to a study; a context manager. One process at a time may write to a folder.

    Args:
        folder: Of a study that was begun.
        whole: Bytes of whole lines; whatever stands behind them is cut off.

    Raises:
        OutputError: The file cannot be written to.
        StudyError: Another process writes to it.
    """

    def __init__(self, folder: Path, whole: int) -> None:
        """Open the file and cut off what a kill left behind."""
        self.path = folder / LINES
        try:
            self._file = self.path.open("ab")
            _lock(self._file.fileno(), folder)
            self._file.truncate(whole)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def write(self, lines: Iterable[Line]) -> None:
        """Append lines; they are on the disk when this returns.

        Raises:
            OutputError: The disk is full or gone.
        """
        try:
            self._file.write(b"".join(line.to_json() + b"\n" for line in lines))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error

    def __enter__(self) -> Self:
        """Give the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()


def _lock(file: int, folder: Path) -> None:
    import fcntl  # not on Windows, where G2U does not run

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StudyError(f"Another process runs the study in {str(folder)!r}.", "Wait for it, or end it.") from error


def _differences(found: Header, wanted: Header) -> list[str]:
    """Names of the parts of two studies that differ; the version of G2U may."""
    own, other = found.model_dump(mode="json"), wanted.model_dump(mode="json")
    parts = {**own.pop("study"), **own}, {**other.pop("study"), **other}
    return [name for name in parts[0] if name != "g2u" and parts[0][name] != parts[1].get(name)]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StudyError(
            f"{str(path)!r} cannot be read: {error.strerror}.", "Run the study in a new folder."
        ) from error
