"""Rows of Hugging Face `datasets`: of a local folder or file, or of the hub, which is asked only where it is told to.

What a document says is told by functions, which come from a column map (`maps`) or a task of lmms-eval (`lmms_tasks`).
"""

from __future__ import annotations

import importlib
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from g2u.errors import BenchmarkError, MissingExtraError, PictureError
from g2u.pictures.decoding import read_file
from g2u.pictures.encoded import decode_base64, is_encoded

from .rows import Row
from .tsv import MAX_BYTES, OnFault

Document = Mapping[str, Any]
"""A row of a data set, by the names of its columns."""
BUILDERS: Final = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".csv": "csv"}
"""What reads a file, by its ending."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a data set is."""

    path: str
    """A folder, a file of one of `BUILDERS`, the name of one with `data_files`, or an id of the hub."""
    home: Path
    """Folder from which paths are seen."""
    config: str = ""
    split: str = ""
    """Empty where there is one only."""
    data_files: Any = None
    """Files, a list of them or one for each split, seen from the folder."""

    def load(self, *, download: bool = False) -> Any:
        """The data set; nothing of it is in memory.

        Args:
            download: Whether the hub may be asked for what is not here.

        Raises:
            MissingExtraError: The extra `benchmarks` is not installed.
            BenchmarkError: It is not here, or cannot be read.
        """
        try:
            library = importlib.import_module("datasets")
        except ImportError as error:
            raise MissingExtraError(f"The data set {self.path!r}", "datasets", "benchmarks") from error
        builder, options = self._found(download)
        try:
            found = library.load_dataset(builder, self.config or None, **options)
        except Exception as error:  # the library has an error of its own for every file format
            first = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise BenchmarkError(f"The data set {self.path!r} cannot be read: {first}") from error
        if self.split not in found and (self.split or len(found) > 1):
            named = f"no split {self.split!r}" if self.split else f"{len(found)} splits"
            message = f"The data set {self.path!r} has {named}; it has {', '.join(found)}."
            raise BenchmarkError(message, "Name one of them as `split`.")
        return found[self.split or next(iter(found))]

    def _found(self, download: bool) -> tuple[str, dict[str, Any]]:
        """What `load_dataset` is given."""
        if self.path in BUILDERS.values():
            return self.path, {"data_files": _seen_from(self.home, self.data_files or [])}
        local = self.home / Path(self.path).expanduser()
        if builder := BUILDERS.get(local.suffix):
            if not local.is_file():
                raise BenchmarkError(f"There is no file {str(local)!r}.", "Check the path.")
            return builder, {"data_files": str(local)}
        folder = local if local.is_dir() else Path(self._from_hub(download))
        return str(folder), {"data_files": _seen_from(folder, self.data_files)} if self.data_files else {}

    def _from_hub(self, download: bool) -> str:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

        try:
            return str(snapshot_download(self.path, repo_type="dataset", local_files_only=not download))
        except LocalEntryNotFoundError as error:
            what = f"The data set {self.path!r} is neither a folder or file here nor in the cache of the hub"
            where = f"https://huggingface.co/datasets/{self.path}"
            raise BenchmarkError(
                f"{what}; it would be at {where}.", "Fetch it: `g2u bench check FILE.yaml --download`."
            ) from error
        except (HFValidationError, HfHubHTTPError, OSError) as error:
            first = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise BenchmarkError(f"The data set {self.path!r} was not got from the hub: {first}") from error


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a document says."""

    question: str
    answer: Any
    """A text, or the place of the right option from 0 on."""
    options: Sequence[str] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    """Further cells."""


@dataclass(frozen=True, kw_only=True)
class Documents:
    """The rows of a data set."""

    name: str
    """What errors call it."""
    place: Place
    pictures_in: Sequence[str]
    """Columns of pictures, or of lists of them."""
    index_in: str = ""
    """Column of the index; empty for the number of the document, from 0 on."""
    tell: Callable[[Document], Told]
    download: bool = False

    @cached_property
    def data(self) -> Any:
        """The data set, whose pictures stay as they are encoded."""
        data = self.place.load(download=self.download)
        library = importlib.import_module("datasets")
        for column in self.pictures_in:
            if column not in data.column_names:
                has = ", ".join(map(repr, data.column_names))
                raise BenchmarkError(f"{self.name} has no column {column!r}; it has {has}.", "Name one of them.")
            if (kept := _undecoded(library, data.features[column])) is not None:
                data = data.cast_column(column, kept)
        return data

    @property
    def columns(self) -> list[str]:
        """Their names."""
        return list(self.data.column_names)

    def rows(self, *, pictures: bool = True, on_fault: OnFault | None = None) -> Iterator[Row]:
        """Every row, as `TsvFile.rows`."""
        words = [column for column in self.columns if column not in self.pictures_in]
        texts = self.data.select_columns(words)
        self._places.clear()
        for number in range(len(texts)):
            try:
                document = texts[number]
                index = str(document[self.index_in]) if self.index_in else str(number)
                if self._places.setdefault(index, number) != number:
                    raise BenchmarkError(f"{self.name}: the index {index!r} is there twice.")
                cells = self._cells(index, document)
                row = Row(index, cells, self.pictures(index) if pictures else ())
            except KeyError as error:
                has = ", ".join(map(repr, words))
                raise BenchmarkError(f"{self.name} has no column {error}; it has {has}.") from error
            except BenchmarkError as error:
                if on_fault is None:
                    raise
                on_fault(error)
                continue
            yield row

    @cached_property
    def _places(self) -> dict[str, int]:
        """Where each index is."""
        return {}

    def pictures(self, index: str) -> tuple[bytes, ...]:
        """The pictures of one row, as `TsvFile.pictures`."""
        if index not in self._places:
            raise BenchmarkError(f"{self.name} has no row with the index {index!r}.")
        held = self.data.select_columns(list(self.pictures_in))[self._places[index]]
        found: list[bytes] = []
        for column in self.pictures_in:
            values = held[column] if isinstance(held[column], list) else [held[column]]
            try:
                found += [_encoded(value, self.place.home) for value in values if value is not None]
            except PictureError as error:
                raise BenchmarkError(f"{self.name}: row {index!r}, column {column!r}: {error}", error.hint) from error
        return tuple(found)

    def _cells(self, index: str, document: Document) -> dict[str, str]:
        where = f"{self.name}: row {index!r}"
        told = self.tell(document)
        letters = string.ascii_uppercase
        if len(told.options) > len(letters):
            raise BenchmarkError(f"{where}: there are {len(told.options)} options, more than letters.")
        answer = told.answer
        if isinstance(answer, int) and not isinstance(answer, bool) and told.options:
            if not 0 <= answer < len(told.options):
                raise BenchmarkError(f"{where}: the answer {answer} is none of {len(told.options)} options from 0 on.")
            answer = letters[answer]
        if isinstance(answer, bool):
            answer = "Yes" if answer else "No"
        options = dict(zip(letters, map(str, told.options), strict=False))
        return {**told.others, "question": told.question, **options, "answer": "" if answer is None else str(answer)}


def scalars(document: Document) -> dict[str, str]:
    """The cells of a document that are texts, numbers or true and false."""
    return {name: str(value) for name, value in document.items() if isinstance(value, str | int | float)}


def _seen_from(home: Path, files: Any) -> Any:
    if isinstance(files, str):
        if "://" in files:
            raise BenchmarkError(f"{files!r} is an address; only files here are read.", "Fetch it, and name the file.")
        return str(home / files)
    if isinstance(files, dict):
        return {split: _seen_from(home, part) for split, part in files.items()}
    return [_seen_from(home, part) for part in files]


def _undecoded(library: Any, feature: Any) -> Any:
    """The kind of a column of pictures that are not decoded; `None` where it is none or need not change."""
    if isinstance(feature, library.Image):
        return library.Image(decode=False)
    inner = getattr(feature, "feature", None)
    return library.List(library.Image(decode=False)) if isinstance(inner, library.Image) else None


def _encoded(value: Any, home: Path) -> bytes:
    """A picture as a file: bytes, what `datasets` makes of one, base64, or the path of a file."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        return value["bytes"] if value.get("bytes") else _encoded(value.get("path"), home)
    if isinstance(value, str) and value:
        if is_encoded(value):
            return decode_base64(value, "it", MAX_BYTES)
        return read_file(home / value, repr(value), MAX_BYTES)
    raise PictureError(f"A value of the kind {type(value).__name__!r} is no picture.")
