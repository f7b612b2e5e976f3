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
from g2u.pictures.store import ImageStore, get_store

from ..grid.items import parse_items, write_items
from ..grid.records import FORMAT, Header, ItemRecord, Line
from .results import Results

HEADER, ITEMS, LINES, PICTURES, LOCK = "study.json", "items.jsonl", "lines.jsonl", "pictures", "lock"
"""Names inside the folder."""


def header_in(folder: Path) -> Header | None:
    """The study that a folder holds, `None` where it is new; touches nothing.

    Raises:
        StudyError: It holds something else, or a study of another version.
        OutputError: It cannot be written to.
    """
    check_folder(folder)
    if (folder / HEADER).exists():
        return read_header(folder)
    if folder.exists() and (others := sorted(filter(_is_foreign, os.listdir(folder)))):
        raise StudyError(f"{str(folder)!r} holds no study but {others[0]!r}.", "Name a new folder.")
    return None


def keep(folder: Path, header: Header, items: Sequence[ItemRecord]) -> None:
    """Write down what a study asks, as far as that is not there yet.

    Args:
        folder: Held by `locked`; new, or of a study that grows into this one.
        header: Its hash of the items is filled in here.
        items: The questions; those that were there are the first ones.

    Raises:
        OutputError: It cannot be written to.
    """
    data = write_items(items)
    header = header.model_copy(update={"items": hashlib.sha256(data).hexdigest()})
    if header_in(folder) != header:
        write_atomic(folder / ITEMS, data)
        write_atomic(folder / HEADER, header.model_dump_json(indent=2).encode())  # last: the rest is there by then


def keep_pictures(folder: Path, items: Sequence[ItemRecord], made: ImageStore) -> None:
    """Put the pictures of items into the folder of a study, where they are not there yet.

    Args:
        folder: Held by `locked`.
        items: Whose pictures they are.
        made: Where they were put first, so that a study that is refused leaves none behind.

    Raises:
        OutputError: It cannot be written to.
    """
    store = get_store(folder / PICTURES)
    for picture in (picture for item in items for picture in item.pictures):
        if not store.path(picture).exists() and made.path(picture).exists():
            write_atomic(store.path(picture), made.path(picture).read_bytes())


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
        hint = "Run the study in a new folder: `g2u study run --out NEW`."
        if first["loc"] == ("format",):
            message = (
                f"{str(path)!r} has the format {first['input']!r} of another version of G2U; this one has {FORMAT}."
            )
            raise StudyError(message, hint) from error
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise StudyError(f"{str(path)!r} is of another version or damaged ({what}).", hint) from error


def read_study(folder: Path) -> Results:
    """All that a study has found so far; a last line that was cut off is left out.

    Raises:
        StudyError: There is no study, or it is damaged before its last line.
    """
    header = read_header(folder)
    items = {item.id: item for item in read_asked(folder, header)}
    lines, _ = read_lines(folder)
    arms = {arm.name: number for number, arm in enumerate(header.study.arms)}
    places = {name: number for number, name in enumerate(items)}
    lines.sort(key=lambda line: (arms[line.arm], places[line.item], line.seed))
    return Results(folder=folder, header=header, items=items, lines=lines)


def read_asked(folder: Path, header: Header) -> list[ItemRecord]:
    """The questions of a study, without those that a kill left behind which came before they were asked.

    Raises:
        StudyError: They cannot be read, or are damaged.
    """
    items = list(parse_items(_bytes(folder / ITEMS)).values())
    most = max((part.items for part in header.asked), default=len(items))
    own = [place for place, item in enumerate(items) if not item.paraphrase_of]
    return items[: own[most]] if most < len(own) else items


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


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StudyError(
            f"{str(path)!r} cannot be read: {error.strerror}.", "Run the study in a new folder."
        ) from error
