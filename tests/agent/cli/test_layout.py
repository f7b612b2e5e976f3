"""Tables in a terminal: nothing is cut, and what has no room is named or follows below."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from g2u.cli.layout import Heading, Table, print_table
from g2u.cli.studies import _FIRST, print_tables
from g2u.cli.study import arms
from g2u.study.tables import make_tables
from g2u.study.tables.table import show_cell
from tests.study.made_up import made_up, with_every_table

WIDTH = 80


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))


def whole(text: str) -> str:
    """Without what a table puts between the parts of a cell."""
    return re.sub(r"\s", "", text)


def test_every_table_of_a_study_fits_and_tells_its_names_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for table in make_tables(with_every_table(made_up(tmp_path, items=8, seeds=2, paraphrases=True, tried=3))).values():
        print_tables([table], "in {table}.csv")
        shown = capsys.readouterr().out
        lines = shown.splitlines()
        assert max(map(len, lines)) <= WIDTH, table.name
        assert "…" not in shown and "..." not in shown
        # Every name, each in its own row, and each number that is shown at all, whole.
        assert all(str(row[table.columns[0].key]) in shown for row in table.rows), table.name
        for column in table.columns:
            cells = {show_cell(row, column) for row in table.rows}
            left_out = whole(column.title) in whole(shown.partition("Without room here")[2])
            if column.kind != "text" and cells != {"-"} and not left_out:
                assert all(cell in shown for cell in cells if len(cells) > 1), (table.name, column.key)
                assert whole(column.title) in whole(shown) or all(word in shown for word in column.title.split()), (
                    table.name,
                    column.key,
                )
    assert _FIRST.keys() >= {"arms", "gate"}


def test_arms_are_listed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    arms()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= WIDTH
    names = [line.split()[0] for line in lines if line and not line.startswith(("─", " "))]
    assert {"self-unjudged", "self-1-unjudged", "gold-thought-first", "chain-of-thought"} <= set(names)


def rows(count: int, width: int) -> Iterable[tuple[str, ...]]:
    return [
        ("name", *(f"{number:0{width}}" for number in range(count))),
        ("other", *("9" * width for _ in range(count))),
    ]


def test_columns_without_room_are_named_or_follow(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table([Heading("arm", words=True), *(Heading(f"column {number}") for number in range(9))], [*rows(9, 14)])
    print_table("Many", table, elsewhere="in many.csv")
    shown = capsys.readouterr().out
    told = "Without room here, in many.csv: column 4; column 5; column 6; column 7; column 8."
    assert told in " ".join(shown.split())
    print_table("Many", table)
    shown = capsys.readouterr().out
    assert "Without room" not in shown and all(f"{number:014}" in shown for number in range(9))
    assert max(map(len, shown.splitlines())) <= WIDTH and shown.count("other") == 3


def test_what_is_the_same_in_every_row_is_said_once_and_nothing_is_not_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    headings = [Heading("arm", words=True), Heading("items"), Heading("gain"), Heading("free")]
    print_table("Few", Table(headings, [("self", "12", "+1.0", "-"), ("gold", "12", "+2.0", "-")]))
    assert capsys.readouterr().out.splitlines() == [
        "Few", "arm   gain", "──────────", "self  +1.0", "gold  +2.0", "In every row the same: items: 12.", "",
    ]  # fmt: skip


def test_a_long_name_is_folded_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{'long-' * 30}{end}" for end in ("a", "b")]
    headings = [Heading("arm", words=True), Heading("n")]
    print_table("Long", Table(headings, [(name, str(place)) for place, name in enumerate(names)]))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert re.sub("[01]", "", whole(shown)).count("long-") == 60
