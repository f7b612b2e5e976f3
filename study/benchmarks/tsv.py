"""Files in the form of VLMEvalKit, read row by row: tab-separated text with the pictures in it as base64.

The cell `image` holds

| it is | then the row has |
|---|---|
| base64 | that picture |
| a list, `['...', '...']` | those pictures, in order |
| at most 64 characters | the pictures of the row with that index, which must hold them itself |
| empty | none |

A file of any length takes the memory of its longest row: what is kept is the place of each row in the file. Cells are
read as they stand; a word such as `None` or `NA` is that word.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from g2u.errors import BenchmarkError, PictureError
from g2u.pictures.encoded import decode_base64

from .rows import Row

NEEDED: Final = ("index", "question", "answer", "image")
"""Columns that a file must have."""
REFERENCE: Final = 64
"""Characters of an image cell that is the index of another row, at most."""
MAX_BYTES: Final = 64 * 2**20
"""Of an encoded picture."""

OnFault = Callable[[BenchmarkError], None]
"""Told of a row that is passed over."""

csv.field_size_limit(sys.maxsize)  # of the process: a picture is longer than what the module takes by itself


class TsvFile:
    """The rows of a file, in its order.

    Args:
        path: Of the file.
        name: What errors call it; empty for its path.

    Raises:
        BenchmarkError: It cannot be read, or lacks a column.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        """Read the names of the columns."""
        self.path = path
        self.name = name or str(path)
        self._places: dict[str, int] = {}
        """Where each row begins, by its index, as far as the file was read."""
        self._read = 0
        """How far it was read, in bytes."""
        _, _, self.columns = next(self._scan(0), (0, 0, []))
        if missing := [column for column in NEEDED if column not in self.columns]:
            has = ", ".join(map(repr, self.columns[:12])) or "no column"
            hint = "Expected tab-separated text in the form of VLMEvalKit."
            if missing == ["answer"]:
                hint = "Its owners keep the answers; take the part of the benchmark that has them."
            told = ", ".join(map(repr, missing))
            raise BenchmarkError(f"{self.name} has no column {told}; it has {has}.", hint)
        if twice := next((one for one in self.columns if self.columns.count(one) > 1), None):
            raise BenchmarkError(f"{self.name} has two columns {twice!r}.")
        self._index, self._image = (self.columns.index(column) for column in ("index", "image"))

    def rows(self, *, pictures: bool = True, on_fault: OnFault | None = None) -> Iterator[Row]:
        """Every row.

        Args:
            pictures: Whether they are wanted; without, no picture is decoded.
            on_fault: Is told of each row that cannot be read, which is passed over; `None`: the first one raises.

        Raises:
            BenchmarkError: A row cannot be read, and is named with its column; or the file is no such text.
        """
        rows = self._scan(0)
        next(rows)
        for place, number, cells in rows:
            try:
                row = self._row(place, number, cells, pictures)
            except BenchmarkError as error:
                if on_fault is None:
                    raise
                on_fault(error)
                continue
            yield row

    def pictures(self, index: str) -> tuple[bytes, ...]:
        """The pictures of one row.

        Raises:
            BenchmarkError: They cannot be read, or there is no such row.
        """
        cells = self._cells(index)
        if cells is None:
            raise BenchmarkError(f"{self.name} has no row with the index {index!r}.")
        return self._decoded(index, cells[self._image])

    def _row(self, place: int, number: int, cells: list[str], pictures: bool) -> Row:
        if len(cells) != len(self.columns):
            what = f"has {len(cells)} cells, and there are {len(self.columns)} columns"
            raise BenchmarkError(f"{self.name}: the row in line {number} {what}.", "Is the file cut off?")
        index = cells[self._index].strip()
        if not index:
            raise BenchmarkError(f"{self.name}: the row in line {number} has no 'index'.")
        if self._places.setdefault(index, place) != place:
            raise BenchmarkError(f"{self.name}: the 'index' {index!r} in line {number} is that of an earlier row.")
        named = dict(zip(self.columns, cells, strict=True))
        image = named.pop("image")
        del named["index"]
        return Row(index, named, self._decoded(index, image) if pictures else ())

    def _decoded(self, index: str, cell: str) -> tuple[bytes, ...]:
        where = f"{self.name}: row {index!r}, column 'image'"
        if not cell:
            return ()
        if len(cell) <= REFERENCE:
            of = self._cells(cell)
            if of is None:
                raise BenchmarkError(f"{where}: {cell!r} is no picture, and no row has it as its index.")
            if len(of[self._image]) <= REFERENCE:
                raise BenchmarkError(f"{where}: it refers to the row {cell!r}, which holds no picture itself.")
            cell = of[self._image]
        try:
            return tuple(decode_base64(one, "it", MAX_BYTES) for one in _listed(cell))
        except (PictureError, ValueError, SyntaxError) as error:
            raise BenchmarkError(f"{where}: {error}") from error

    def _cells(self, index: str) -> list[str] | None:
        """The row of an index, wherever it is in the file; `None` where there is none."""
        if index not in self._places:
            for place, _, cells in self._scan(self._read):
                self._places.setdefault(cells[self._index].strip() if len(cells) > self._index else "", place)
                if index in self._places:
                    break
        if index not in self._places:
            return None
        _, _, cells = next(self._scan(self._places[index]))
        return cells if len(cells) == len(self.columns) else None

    def _scan(self, begin: int) -> Iterator[tuple[int, int, list[str]]]:
        """Rows from a place in the file on: where each begins, in which line (from that place), and its cells."""
        try:
            with self.path.open("rb") as file:
                lines = _Lines(file, begin)
                reader = csv.reader(lines, delimiter="\t")
                while True:
                    place, number = lines.place, lines.number + 1
                    try:
                        cells = next(reader)
                    except StopIteration:
                        return
                    if cells:  # a blank line is none
                        self._read = max(self._read, lines.place)
                        yield place, number, cells
        except OSError as error:
            raise BenchmarkError(f"{self.name} cannot be read: {error.strerror}.", "Check the path.") from error
        except UnicodeDecodeError as error:
            raise BenchmarkError(f"{self.name}, line {lines.number}, is no UTF-8 text: {error.reason}.") from error
        except csv.Error as error:
            raise BenchmarkError(f"{self.name}, line {lines.number}, is no tab-separated text: {error}.") from error


class _Lines:
    """The lines of a file as text, and how many bytes of it they were."""

    def __init__(self, file: BinaryIO, place: int) -> None:
        self.file, self.place, self.number = file, place, 0
        file.seek(place)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.file.readline()
        if not line:
            raise StopIteration
        first, self.place, self.number = not self.place, self.place + len(line), self.number + 1
        return line.decode("utf-8-sig" if first else "utf-8")


def _listed(cell: str) -> Sequence[str]:
    """The pictures of a cell: the texts of a list, or the one that it is."""
    if not (cell.startswith("[") and cell.endswith("]")):
        return [cell]
    found = ast.literal_eval(cell)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("It is no list of texts.")
    return found


def md5_of(path: Path) -> str:
    """The MD5 sum of a file, in hexadecimal digits.

    Raises:
        BenchmarkError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise BenchmarkError(f"{str(path)!r} cannot be read: {error.strerror}.", "Check the path.") from error
