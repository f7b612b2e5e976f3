"""Files in the form of VLMEvalKit, read row by row."""

import base64
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from g2u.errors import BenchmarkError
from g2u.study.benchmarks.tsv import TsvFile, md5_of
from tests.study.benchmarks.made import encoded, png, row, write


def test_rows_have_their_cells_and_pictures(tmp_path: Path) -> None:
    several = [encoded(10), encoded(20)]
    rows = [
        row(7, question='Lines\nand "marks"\tand tabs', hint="None"),
        row(8, image=3_000_007),  # of a row further on
        row(9, image=str(several)),
        row(10, image=9),
        row(11, image=""),
        row(3_000_007, image=encoded(90)),
        row("VD_1_0", image=7),
    ]
    file = TsvFile(write(tmp_path / "some.tsv", rows))
    found = {one.index: one for one in file.rows()}
    assert list(found) == [str(one["index"]) for one in rows]
    assert found["7"].cells["question"] == 'Lines\nand "marks"\tand tabs'
    assert found["7"].cells["hint"] == "None" and found["8"].cells["hint"] == ""
    assert "image" not in found["7"].cells and "index" not in found["7"].cells
    assert {index: len(one.pictures) for index, one in found.items()} == {
        "7": 1, "8": 1, "9": 2, "10": 2, "11": 0, "3000007": 1, "VD_1_0": 1,
    }  # fmt: skip
    assert found["8"].pictures == (png(90),) and found["10"].pictures == (png(10), png(20))
    assert all(file.pictures(index) == one.pictures for index, one in found.items())
    assert [one.cells for one in file.rows(pictures=False)] == [one.cells for one in found.values()]
    assert TsvFile(file.path).pictures("VD_1_0") == (png(),)  # of a file that nobody has read yet


def test_cells_are_those_that_pandas_reads(tmp_path: Path) -> None:
    rows = [row(number, question=f'"{number}" \u00e9 \n "" end ', image=encoded(number + 1)) for number in range(9)]
    path = write(tmp_path / "some.tsv", rows)
    path.write_bytes("\ufeff".encode() + path.read_bytes())
    theirs = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    ours = [{"index": one.index, **one.cells} for one in TsvFile(path).rows(pictures=False)]
    assert ours == theirs.drop(columns="image").to_dict("records")
    assert [base64.b64encode(one.pictures[0]).decode() for one in TsvFile(path).rows()] == list(theirs["image"])


def test_a_row_that_cannot_be_read_is_named_and_may_be_passed_over(tmp_path: Path) -> None:
    faults: dict[str, tuple[dict[str, Any], str]] = {
        "no base64": (row(2, image="?" * 80), "row '2', column 'image': it is no base64"),
        "no such row": (row(2, image="99"), "row '2', column 'image': '99' is no picture, and no row has it"),
        "a chain": (row(2, image="4"), "row '2', column 'image': it refers to the row '4', which holds no picture"),
        "no list": (row(2, image=f"[{encoded()}]"), "row '2', column 'image'"),
        "a doubled index": (row(1), "the 'index' '1' in line 3 is that of an earlier row"),
        "no index": (row(""), "line 3 has no 'index'"),
    }
    for name, (bad, told) in faults.items():
        file = write(tmp_path / f"{name}.tsv", [row(1), bad, row(3), row(4, image="1")])
        with pytest.raises(BenchmarkError) as raised:
            list(TsvFile(file).rows())
        assert told in str(raised.value), name
        noted: list[BenchmarkError] = []
        assert [one.index for one in TsvFile(file).rows(on_fault=noted.append)] == ["1", "3", "4"], name
        assert [str(one) for one in noted] == [str(raised.value)], name


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda data: data[: data.rindex(b"iVBOR") - 1], "the row in line 3 has 5 cells, and there are 6 columns"),
        (lambda data: data[: data.rindex(b"iVBOR") + 90] + b"?", "row '2', column 'image': it is no base64"),
        (lambda data: data.replace(b"\tanswer", b"\tsolution"), "no column 'answer'"),
        (lambda data: data.replace(b"\timage", b"\tpicture"), "no column 'image'"),
        (lambda data: data.replace(b"\tA\t", b"\tB\t", 1), "two columns 'B'"),
        (lambda data: data.replace(b"red", b"\xffed"), "line 2, is no UTF-8 text"),
        (lambda data: b"", "no column 'index', 'question', 'answer', 'image'"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, spoil: Callable[[bytes], bytes], told: str) -> None:
    file = write(tmp_path / "some.tsv", [row(1), row(2)])
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(BenchmarkError, match=told):
        list(TsvFile(file).rows())


def test_a_missing_file_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="cannot be read: No such file"):
        TsvFile(tmp_path / "none.tsv")
    with pytest.raises(BenchmarkError, match="cannot be read"):
        md5_of(tmp_path / "none.tsv")


def test_a_file_takes_the_memory_of_a_row(tmp_path: Path) -> None:
    path = write(tmp_path / "some.tsv", [row(number, question="x" * 100_000) for number in range(200)])
    tracemalloc.start()
    try:
        assert sum(1 for _ in TsvFile(path).rows()) == 200
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 10
    finally:
        tracemalloc.stop()
