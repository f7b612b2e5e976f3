"""Files of answers, read: those of VLMEvalKit, the samples of lmms-eval, and plain JSON Lines."""

from __future__ import annotations

import csv
import importlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from g2u.errors import BenchmarkError, MissingExtraError

from ..rows import Row

_HALF: Final = re.compile(r"[\ud800-\udfff]")
"""Half of a pair of UTF-16, which JSON can spell and no text can hold."""
LONGEST_CELL: Final = 2**31 - 1
"""Of a file of tabs; the limit of Python's reader is lower than a picture in base64 is long."""
SAME_TARGETS: Final = 0.9
"""Share of the targets of samples that are the answers of their rows, at least: the answers of a benchmark are mended
now and then, and documents in another order agree by chance alone."""
_EXPECTED: Final = "Expected a file of VLMEvalKit (.xlsx, .tsv, .json), samples of lmms-eval or JSON Lines (.jsonl)."


@dataclass(frozen=True)
class _Answer:
    where: str
    """In the file."""
    index: str
    text: str
    target: str | None = None
    """Of a sample of lmms-eval, what it takes for right; `None` of other answers."""


def read_predictions(path: Path, rows: Sequence[Row] = ()) -> dict[str, str]:
    """The answers in a file, by the index of their row as text, as they were written.

    A blank cell of a file of VLMEvalKit is an empty answer. Of the samples of lmms-eval the raw reply is taken, not
    what a filter of the task made of it.

    Args:
        path: Of the file.
        rows: Of the benchmark: documents of lmms-eval are numbered from 0, and stand for the rows in their order.
            Without rows their numbers are the indices.

    Raises:
        BenchmarkError: It cannot be read, is of another form, has no index or prediction, or an index twice; or the
            documents of samples are none of these rows in this order.
        MissingExtraError: It is an `.xlsx`, and the extra `benchmarks` is not installed.
    """
    check_form(path)
    try:
        found = list(_READERS[path.suffix.lower()](path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchmarkError(f"{str(path)!r} cannot be read: {error}.", _EXPECTED) from error
    if rows and any(answer.target is not None for answer in found):
        found = _placed(found, rows, path)
    answers: dict[str, str] = {}
    for answer in found:
        if answer.index in answers:
            raise BenchmarkError(f"{answer.where} of {str(path)!r} has the index {answer.index!r} once more.")
        if not answer.text.isascii() and _HALF.search(answer.text):
            hint = "Write the reply anew, with U+FFFD in its place."
            raise BenchmarkError(f"{answer.where} of {str(path)!r} has half a character, an escape \\ud800.", hint)
        answers[answer.index] = answer.text
    return answers


def check_form(path: Path) -> None:
    """Refuse a file by its ending, before anything is read.

    Raises:
        BenchmarkError: It is a pickle, or of a form that is not known.
    """
    ending = path.suffix.lower()
    if ending == ".pkl":
        hint = "Write it as .xlsx, .tsv or .json with the program that made it."
        raise BenchmarkError(f"{str(path)!r} is a pickle, and reading one runs whatever program it holds.", hint)
    if ending not in _READERS:
        raise BenchmarkError(f"{str(path)!r} is of no form that is known.", _EXPECTED)


def _placed(found: Sequence[_Answer], rows: Sequence[Row], path: Path) -> list[_Answer]:
    """Samples with the indices of the rows that their documents are."""
    placed, differing = [], []
    numbers = set(map(str, range(len(rows))))
    for answer in found:
        number = int(answer.index) if answer.index in numbers else len(rows)
        if number >= len(rows):
            hint = "Name the benchmark that was asked."
            raise BenchmarkError(f"{answer.where} of {str(path)!r} is of document {answer.index} of {len(rows)}.", hint)
        placed.append(replace(answer, index=rows[number].index))
        wanted, told = rows[number].cells.get("answer", ""), (answer.target or "").strip("() ")
        if told.casefold() != wanted.casefold():
            differing.append((answer, wanted))
    if differing and 0 < len(found) - len(differing) < SAME_TARGETS * len(found):
        answer, wanted = differing[0]
        message = f"{answer.where} of {str(path)!r} has the target {answer.target!r}, and its row the answer {wanted!r}"
        hint = "Name the benchmark that was asked, in the order of its documents."
        raise BenchmarkError(f"{message}, as have {len(differing)} of {len(found)}.", hint)
    return placed


def _of_table(path: Path, header: Sequence[Any], rows: Iterator[Sequence[Any]], first: int) -> Iterator[_Answer]:
    """Answers of a table with the columns `index` and `prediction`."""
    names = [str(name) for name in header]
    if absent := [name for name in ("index", "prediction") if name not in names]:
        hint = f"Its columns: {', '.join(names[:12])}."
        raise BenchmarkError(f"{str(path)!r} has no column {' and no column '.join(absent)}.", hint)
    if twice := [name for name in ("index", "prediction") if names.count(name) > 1]:
        raise BenchmarkError(f"{str(path)!r} has two columns {twice[0]!r}.", "Keep the one that counts.")
    index, prediction = names.index("index"), names.index("prediction")
    for number, row in enumerate(rows, first):
        if any(cell not in (None, "") for cell in row):
            told = row[prediction] if prediction < len(row) else None
            of = row[index] if index < len(row) else None
            yield _Answer(f"Row {number}", _index(of, path, number), "" if told is None else _text(told))


def _xlsx(path: Path) -> Iterator[_Answer]:
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ImportError as error:
        raise MissingExtraError(f"The file {path.name!r}", "openpyxl", "benchmarks") from error
    if not path.exists():
        raise FileNotFoundError(2, "No such file", str(path))
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # of the ZIP, of its XML, of its parts
        raise BenchmarkError(f"{str(path)!r} is no .xlsx file: {error}.", _EXPECTED) from error
    rows = book.active.iter_rows(values_only=True)
    yield from _of_table(path, next(rows, ()), rows, 2)
    book.close()


def _tsv(path: Path) -> Iterator[_Answer]:
    limit = csv.field_size_limit(LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            yield from _of_table(path, next(rows, ()), rows, 2)
    finally:
        csv.field_size_limit(limit)


def _json(path: Path) -> Iterator[_Answer]:
    data = _parsed(path.read_text("utf-8-sig"), f"{str(path)!r}")
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        raise BenchmarkError(f"{str(path)!r} is no list of rows.", 'Expected [{"index": ..., "prediction": ...}, ...].')
    names = list(dict.fromkeys(name for one in data for name in one))
    yield from _of_table(path, names, ([one.get(name) for name in names] for one in data), 1)


def _jsonl(path: Path) -> Iterator[_Answer]:
    for number, line in enumerate(path.read_text("utf-8-sig").split("\n"), 1):
        if not line.strip():
            continue
        where = f"Line {number}"
        found = _parsed(line, f"{where} of {str(path)!r}")
        if isinstance(found, dict) and "doc_id" in found:
            yield _Answer(
                where, _index(found["doc_id"], path, number), _reply(found, where, path), str(found.get("target", ""))
            )
        elif isinstance(found, dict) and {"index", "prediction"} <= set(found):
            told = found["prediction"]
            yield _Answer(where, _index(found["index"], path, number), "" if told is None else _text(told))
        else:
            hint = 'Expected {"index": ..., "prediction": ...} or a sample of lmms-eval.'
            raise BenchmarkError(f"{where} of {str(path)!r} is no answer.", hint)


def _reply(sample: Mapping[str, Any], where: str, path: Path) -> str:
    """What the model wrote: `resps`, which is absent where a filter left it as it was."""
    told = sample.get("resps", sample.get("filtered_resps"))
    while isinstance(told, list) and len(told) == 1:
        told = told[0]
    if not isinstance(told, str):
        raise BenchmarkError(f"{where} of {str(path)!r} has no single reply.", "Sample one reply for each document.")
    return told


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BenchmarkError(f"{where} is no JSON: {error}.", _EXPECTED) from error
    except RecursionError as error:
        raise BenchmarkError(f"{where} is nested too deeply to be read.", _EXPECTED) from error


def _index(cell: Any, path: Path, number: int) -> str:
    if cell is None or cell == "" or isinstance(cell, bool | list | dict):
        raise BenchmarkError(f"Row {number} of {str(path)!r} has no index.")
    return _text(cell)


def _text(cell: Any) -> str:
    """A cell as text; a whole number is one without a point, however the file has it."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


_READERS: Final[Mapping[str, Callable[[Path], Iterator[_Answer]]]] = {
    ".xlsx": _xlsx, ".tsv": _tsv, ".csv": _tsv, ".json": _json, ".jsonl": _jsonl,
}  # fmt: skip
