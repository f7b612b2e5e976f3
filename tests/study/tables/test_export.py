"""Tables as files, read back."""

import csv
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from g2u.errors import MissingExtraError
from g2u.study.tables import make_tables
from g2u.study.tables.export import describe, export
from g2u.study.tables.table import Column, Table
from tests.study.made_up import made_up, with_every_table

DOCUMENTED = Path(__file__).parents[3] / "docs" / "study.md"

TABLE = Table(
    "few",
    "A few",
    "What they say.",
    [
        Column("name", "name"),
        Column("n", "items", "count"),
        Column("gain", "gain", "points", "gain_low", "gain_high", "Over direct."),
        Column("right", "right"),
    ],
    [
        {"name": 'a "quoted", name', "n": 3, "gain": 0.25, "gain_low": -0.5, "gain_high": 1, "right": True},
        {"name": None, "n": None, "gain": None, "gain_low": None, "gain_high": None, "right": None},
    ],
)


def test_every_column_is_documented(tmp_path: Path) -> None:
    made = make_tables(with_every_table(made_up(tmp_path, items=8, seeds=2, paraphrases=True, tried=3)))
    assert describe(made.values()) in DOCUMENTED.read_text("utf-8")


def test_a_table_is_written_with_its_bounds_types_and_meanings(tmp_path: Path) -> None:
    paths = export([TABLE], tmp_path / "tables")
    assert [path.name for path in paths] == ["few.csv", "few.parquet"]
    with paths[0].open(newline="", encoding="utf-8") as file:
        header, first, second = csv.reader(file)
    assert header == ["name", "n", "gain", "gain_low", "gain_high", "right"]
    assert first == ['a "quoted", name', "3", "0.25", "-0.5", "1", "true"]
    assert second == [""] * 6
    read = pyarrow.parquet.read_table(paths[1])
    assert read.to_pylist() == list(TABLE.rows)
    assert [str(field.type) for field in read.schema] == ["string", "int64", "double", "double", "double", "bool"]
    assert read.schema.metadata[b"about"] == b"What they say."
    assert read.schema.field("gain").metadata[b"about"] == b"Over direct."


def test_every_table_of_a_study_comes_back_as_it_was(tmp_path: Path) -> None:
    tables = make_tables(made_up(tmp_path, items=16, seeds=2, paraphrases=True, tried=2))
    paths = export(tables.values(), tmp_path / "tables")
    assert len(paths) == 2 * len(tables)
    for name, table in tables.items():
        rows = pyarrow.parquet.read_table(tmp_path / "tables" / f"{name}.parquet").to_pylist()
        assert rows == [{key: row[key] for key in rows[0]} for row in table.rows]


def test_a_table_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    _, parquet = export([Table("none", "None", "Nothing.", TABLE.columns)], tmp_path)
    read = pyarrow.parquet.read_table(parquet)
    assert read.num_rows == 0 and read.schema.names == ["name", "n", "gain", "gain_low", "gain_high", "right"]


def test_without_pyarrow_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.csv", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'g2u\[study\]'"):
        export([TABLE], tmp_path)
    assert not list(tmp_path.iterdir())
