"""Cells as pandas reads them, since VLMEvalKit scores what it has read: numbers, missing words and all."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

from g2u.errors import MissingExtraError

from ..rows import Row
from .scored import Case

_UNREAD = ("image",)
"""Columns that no rule looks at; the kit leaves them out of its result files."""


def cases(rows: Sequence[Row], predictions: Mapping[str, str]) -> list[Case]:
    """The rows that have a prediction, in their order, with all cells as VLMEvalKit's tables hold them.

    Raises:
        MissingExtraError: The extra `benchmarks` is not installed.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.cells if name not in _UNREAD))
    told = {name: read_column([row.cells.get(name, "") for row in rows]) for name in names}
    there = [place for place, row in enumerate(rows) if row.index in predictions]
    said = read_column([predictions[rows[place].index] for place in there])
    found = []
    for place, prediction in zip(there, said, strict=True):
        cells = {
            name if len(name) == 1 and name.isupper() else name.lower(): column[place]
            for name, column in told.items()
            if not is_missing(column[place])
        }
        found.append(Case(rows[place].index, cells, cells.get("answer"), prediction))
    return found


def read_column(texts: Sequence[str]) -> list[Any]:
    """One column, as `pandas.read_csv` and `read_excel` read it: what `is_missing` or a number is none of text.

    A whole column of numbers becomes numbers, with a blank among them floats: `3` is then `3.0`.

    Raises:
        MissingExtraError: The extra `benchmarks` is not installed.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        raise MissingExtraError("The rules of VLMEvalKit", "pandas", "benchmarks") from error
    if not texts:
        return []
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(["column"])
    writer.writerows([text] for text in texts)
    file.seek(0)
    # In one piece: large files of the kit are read in pieces, each with types of its own.
    return list(pandas.read_csv(file, low_memory=False, skip_blank_lines=False)["column"])


def is_missing(cell: object) -> bool:
    """Whether pandas takes a cell for missing: it is the only number that is not equal to itself."""
    return cell != cell
