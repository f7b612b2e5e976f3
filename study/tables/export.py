"""Tables as files: CSV for people and spreadsheets, Parquet for programs."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from g2u.errors import MissingExtraError
from g2u.files import write_atomic

from .table import Column, Kind, Table

FORMATS = ("csv", "parquet")
_TYPES: Mapping[Kind, str] = {"count": "int64", "text": "string"}
"""Types of columns in the files; all others are `float64`."""


def export(tables: Iterable[Table], folder: Path) -> list[Path]:
    """Write every table as `NAME.csv` and `NAME.parquet`.

    Bounds of intervals have columns of their own, after the column that they belong to. Shares and gains are of 1, not
    of 100. Parquet files carry titles and meanings as metadata.

    Args:
        tables: What to write.
        folder: Made where it is missing; files of the same names are replaced.

    Returns:
        The files, in the order written.

    Raises:
        MissingExtraError: pyarrow is not installed.
        OutputError: The folder cannot be written to.
    """
    csv, parquet = _module("pyarrow.csv"), _module("pyarrow.parquet")
    paths = []
    for table in tables:
        columnar = to_arrow(table)
        for format_, write in (("csv", csv.write_csv), ("parquet", parquet.write_table)):
            buffer = io.BytesIO()
            write(columnar, buffer)
            paths.append(folder / f"{table.name}.{format_}")
            write_atomic(paths[-1], buffer.getvalue())
    return paths


def to_arrow(table: Table) -> Any:
    """A table as a `pyarrow.Table`: a column for each column and each bound.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    arrow = _module("pyarrow")
    keys = [(key, column) for column in table.columns for key in (column.key, column.low, column.high) if key]
    fields, arrays = [], []
    for key, column in keys:
        values = [row.get(key) for row in table.rows]
        type_ = arrow.type_for_alias(_type(column, values))
        if type_ == arrow.string():
            values = [None if value is None else str(value) for value in values]
        arrays.append(arrow.array(values, type_))
        fields.append(arrow.field(key, type_, metadata={"title": column.title, "about": column.about}))
    schema = arrow.schema(fields, metadata={"title": table.title, "about": table.about})
    return arrow.Table.from_arrays(arrays, schema=schema)


def _type(column: Column, values: list[Any]) -> str:
    if column.kind == "text" and any(isinstance(value, bool) for value in values):
        return "bool"
    return _TYPES.get(column.kind, "float64")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError("Exporting tables", "pyarrow", "study") from error


def describe(tables: Iterable[Table]) -> str:
    """What the columns of some tables mean, in Markdown; bounds of intervals are `NAME_low` and `NAME_high`."""
    lines = ["| file | column | is | says |", "|---|---|---|---|"]
    for table in tables:
        for column in table.columns:
            about = column.about or f"{column.title[:1].upper()}{column.title[1:]}."
            kind = f"{_UNITS[column.kind]}, with bounds" if column.low else _UNITS[column.kind]
            lines.append(f"| `{table.name}` | `{column.key}` | {kind} | {about} |")
    return "\n".join(lines)


_UNITS: Mapping[Kind, str] = {
    "text": "text",
    "count": "count",
    "percent": "share of 1",
    "points": "difference of shares",
    "number": "number",
    "probability": "probability",
    "seconds": "seconds",
}
"""What a value in a file is; on the page shares are per cent, and differences points."""
