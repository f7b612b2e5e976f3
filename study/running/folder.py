"""The folder of a study: begun once, appended to line by line, read back whole.

A line is on the disk before its answer counts as had, so that a kill at any moment loses only what was under way. What
a kill leaves of a last line is cut off when the study goes on.
"""

from __future__ import annotations

import fcntl  # not on Windows, where G2U does not run
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from g2u.errors import StudyError
from g2u.files import check_folder, unwritable, write_atomic

from ..grid.items import parse_items, write_items
from ..grid.records import Header, ItemRecord, Line
from .results import Results

HEADER, ITEMS, LINES, PICTURES, LOCK = "study.json", "items.jsonl", "lines.jsonl", "pictures", "lock"
"""Names inside the folder."""


def begin(folder: Path, header: Header, items: Sequence[ItemRecord]) -> None:
    """Make the folder of a study, or make sure that it is this study's; what is skipped may change.

    Args:
        folder: New, empty, or begun by the same study; held by `locked`.
        header: Its hash of the items is filled in here.
        items: The questions.

    Raises:
        StudyError: The folder holds something else, such as another study.
        OutputError: It cannot be written to.
    """
    if check(folder, header, items):
        found = read_header(folder)
        if found.skipped == header.skipped:
            return
        header = found.model_copy(update={"skipped": header.skipped})
    else:
        header = _with_items(header, items)
        write_atomic(folder / ITEMS, write_items(items))
    write_atomic(folder / HEADER, header.model_dump_json(indent=2).encode())  # last: it says that the rest is there


def check(folder: Path, header: Header, items: Sequence[ItemRecord] | None = None) -> bool:
    """Make sure that a folder is new or this study's, and touch nothing.

    Args:
        folder: Of the study.
        header: As it would be begun.
        items: The questions; `None` where they are not known yet, and then they are not compared.

    Returns:
        Whether the study was begun there.

    Raises:
        StudyError: The folder holds something else, such as another study.
        OutputError: It cannot be written to.
    """
    check_folder(folder)
    if (folder / HEADER).exists():
        wanted = header if items is None else _with_items(header, items)
        if differing := _differences(read_header(folder), wanted):
            hint = "Name another folder; nothing was changed in this one."
            raise StudyError(
                f"{str(folder)!r} holds another study: {', '.join(differing)} differ from what is asked for.", hint
            )
        return True
    if folder.exists() and (others := sorted(filter(_is_foreign, os.listdir(folder)))):
        raise StudyError(f"{str(folder)!r} holds no study but {others[0]!r}.", "Name a new folder.")
    return False


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder, made where there is none: one process at a time may begin a study and write to it.

    Raises:
        OutputError: It cannot be made or written to.
        StudyError: Another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("ab")
    except OSError as error:
        raise unwritable(folder, error) from error
    with file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            hint = "Wait for it, or end it."
            raise StudyError(f"Another process runs the study in {str(folder)!r}.", hint) from error
        yield


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

    Of several lines of one answer, which `again` makes of those that failed, the last one counts.

    Raises:
        StudyError: A line before the last is damaged.
    """
    path = folder / LINES
    lines: dict[tuple[str, str, int], Line] = {}
    whole = 0
    if not path.exists():
        return [], whole
    data = _bytes(path)
    for number, part in enumerate(data.splitlines(keepends=True), 1):
        try:
            if not part.endswith(b"\n"):
                break  # cut off, even if what is there can be read: the next line would be joined to it
            line = Line.model_validate_json(part)
        except ValidationError as error:
            if whole + len(part) == len(data):
                break
            hint = "Run the study in a new folder, or delete that line to have its answer made again."
            raise StudyError(f"Line {number} of {str(path)!r} is damaged.", hint) from error
        lines[line.key] = line
        whole += len(part)
    return list(lines.values()), whole


class LineWriter:
    """Appends lines to a study; a context manager.

    Args:
        folder: Of a study that was begun, held by `locked`.
        whole: Bytes of whole lines; whatever stands behind them is cut off.

    Raises:
        OutputError: The file cannot be written to.
    """

    def __init__(self, folder: Path, whole: int) -> None:
        """Open the file and cut off what a kill left behind."""
        self.path = folder / LINES
        try:
            # Without a buffer: what a full disk did not take must not be written once more when the file is closed.
            self._file = self.path.open("ab", buffering=0)
            if os.fstat(self._file.fileno()).st_size > whole:
                self._file.truncate(whole)
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._at_work = threading.Lock()

    def write(self, lines: Iterable[Line]) -> None:
        """Append lines; they are on the disk when this returns.

        Raises:
            OutputError: The disk is full or gone.
        """
        data = b"".join(line.to_json() + b"\n" for line in lines)
        try:
            with self._at_work:
                while data:
                    data = data[self._file.write(data) :]
                os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error

    def __enter__(self) -> Self:
        """Give the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file, once a writing that was left alone is done."""
        with self._at_work:
            self._file.close()


def _is_foreign(name: str) -> bool:
    """Whether a file is none of a study that is just beginning, nor what a kill left of one."""
    return name not in (PICTURES, ITEMS, LOCK) and not (name.startswith(".") and name.endswith(".tmp"))


def _with_items(header: Header, items: Sequence[ItemRecord]) -> Header:
    return header.model_copy(update={"items": hashlib.sha256(write_items(items)).hexdigest()})


def _differences(found: Header, wanted: Header) -> list[str]:
    """Names of the parts of two studies that differ; the version of G2U and what is skipped may."""
    own, other = found.model_dump(mode="json"), wanted.model_dump(mode="json")
    parts = {**own.pop("study"), **own}, {**other.pop("study"), **other}
    may = {"g2u", "skipped", *([] if wanted.items else ["items"])}
    return [name for name in parts[0] if name not in may and parts[0][name] != parts[1].get(name)]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StudyError(
            f"{str(path)!r} cannot be read: {error.strerror}.", "Run the study in a new folder."
        ) from error
