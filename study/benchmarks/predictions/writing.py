"""Files of answers, written in the forms that the kits read."""

from __future__ import annotations

import csv
import importlib
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from g2u.errors import BenchmarkError, MissingExtraError, UnknownNameError
from g2u.files import write_atomic

from ..rows import FAILED, Row
from .names import file_name

LONGEST_TEXT: Final = 32_767
"""Characters of a cell of an `.xlsx` file; what is longer would be cut off by whoever writes or reads it."""
DIGITS: Final = 15
"""Of a number that a spreadsheet holds exactly; what has more stays text."""
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What XML cannot hold."""
_LEFT_OUT: Final = ("image",)
"""Columns that VLMEvalKit's own result files do not have, either."""


def write_predictions(
    folder: Path, model: str, benchmark: str, rows: Sequence[Row], predictions: Mapping[str, str], form: str
) -> Path:
    """Write the answers to a benchmark into a folder.

    Args:
        folder: Made where it is missing.
        model: Who answered; the file's name begins with it.
        benchmark: VLMEvalKit's name of it.
        rows: Of the benchmark. Those without an answer are left out, as in an unfinished run of the kit.
        predictions: Answer by index.
        form: Key of `FORMS`.

    Returns:
        The file, see `file_name`.

    Raises:
        UnknownNameError: There is no such form.
        BenchmarkError: An answer is for no row, or cannot be held by a file of that form.
        MissingExtraError: It is `xlsx`, and the extra `benchmarks` is not installed.
        OutputError: The folder cannot be written to.
    """
    if form not in FORMS:
        raise UnknownNameError("form of predictions", form, FORMS)
    known = {row.index for row in rows}
    if strange := next((index for index in predictions if index not in known), None):
        raise BenchmarkError(f"There is an answer for {strange!r}, and {benchmark} has no such row.")
    path = folder / file_name(model, benchmark, form)
    write_atomic(path, FORMS[form](rows, predictions))
    return path


def _table(rows: Sequence[Row], predictions: Mapping[str, str]) -> list[list[str]]:
    """Header and rows: all columns of the benchmark but the pictures, and the answer."""
    columns = list(dict.fromkeys(name for row in rows for name in row.cells if name not in (*_LEFT_OUT, "prediction")))
    told = [
        [row.index, *(row.cells.get(name, "") for name in columns), predictions[row.index]]
        for row in rows
        if row.index in predictions
    ]
    return [["index", *columns, "prediction"], *told]


def _xlsx(rows: Sequence[Row], predictions: Mapping[str, str]) -> bytes:
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ImportError as error:
        raise MissingExtraError("The form xlsx", "openpyxl", "benchmarks") from error
    table = _table(rows, predictions)
    for row in table:
        for text in row:
            if len(text) > LONGEST_TEXT or _UNPRINTABLE.search(text):
                long = len(text) > LONGEST_TEXT
                what = "longer than a cell can be" if long else "with a character that it cannot hold"
                hint = "Write another form: `--form json` or `--form tsv`."
                raise BenchmarkError(f"An .xlsx file cannot hold row {row[0]!r}: it has a text {what}.", hint)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    cell_of = importlib.import_module("openpyxl.cell").WriteOnlyCell
    for row in table:
        cells = [cell_of(sheet, value or None) for value in row]
        for cell in cells:
            if cell.value is not None:
                cell.data_type = "s"  # what begins with an equals sign is no formula
        if _is_plain(row[0]):
            cells[0] = cell_of(sheet, int(row[0]))
        sheet.append(cells)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _tsv(rows: Sequence[Row], predictions: Mapping[str, str]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(_table(rows, predictions))
    return file.getvalue().encode()


def _json(rows: Sequence[Row], predictions: Mapping[str, str]) -> bytes:
    header, *table = _table(rows, predictions)
    records: list[dict[str, object]] = [
        {**dict(zip(header, row, strict=True)), "index": _number(row[0])} for row in table
    ]
    return json.dumps(records, indent=4, ensure_ascii=False).encode()


def _jsonl(rows: Sequence[Row], predictions: Mapping[str, str]) -> bytes:
    lines = [{"index": row.index, "prediction": predictions[row.index]} for row in rows if row.index in predictions]
    return _json_lines(lines)


def _lmms(rows: Sequence[Row], predictions: Mapping[str, str]) -> bytes:
    """Samples as lmms-eval writes them: numbered from 0 in the order of the benchmark, failures empty."""
    return _json_lines(
        [
            {
                "doc_id": place,
                "target": row.cells.get("answer", ""),
                "filtered_resps": "" if predictions[row.index] == FAILED else predictions[row.index],
                "input": row.cells.get("question", ""),
            }
            for place, row in enumerate(rows)
            if row.index in predictions
        ]
    )


def _json_lines(lines: Sequence[Mapping[str, object]]) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def _is_plain(text: str) -> bool:
    """Whether a text is a whole number as Python writes it, and as a spreadsheet holds it."""
    return len(text) <= DIGITS and text.isdecimal() and str(int(text)) == text


def _number(text: str) -> int | str:
    return int(text) if _is_plain(text) else text


FORMS: Final[Mapping[str, Callable[[Sequence[Row], Mapping[str, str]], bytes]]] = {
    "xlsx": _xlsx, "tsv": _tsv, "json": _json, "jsonl": _jsonl, "lmms": _lmms,
}  # fmt: skip
"""By name: three of VLMEvalKit, plain JSON Lines, and the samples of lmms-eval."""
