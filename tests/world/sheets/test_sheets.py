"""Sheets, curves and the table of ablations: what is shown is what was painted, drawn and logged."""

import builtins
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops
from typer.testing import CliRunner

from g2u.cli import app
from g2u.edits.library import EditCall
from g2u.errors import G2UError, UnknownNameError, WorldError
from g2u.world.items.conditions import CONDITIONS
from g2u.world.items.items import Item, sample
from g2u.world.items.tasks import TASKS
from g2u.world.materials.layers import SIZE
from g2u.world.sheets.curves import training_curve
from g2u.world.sheets.matrix import FRAME, cell, edit_matrix, matrix_calls, matrix_items, own_drawings
from g2u.world.sheets.sheets import COLUMNS, EDGE, PITCH, RIGHT, contact_sheet, png
from g2u.world.training.logs import ablation, ablations, read_log

LOSSES = {"read": 1.0, "answer": 0.5, "verdict": 0.0, "decision": 0.1, "drawing": 0.2}
MEASURES = {
    "shapes/none": {"direct": 0.9, "decide": 1.0},
    "maze/none": {"direct": 0.7, "decide": 0.0},
    "shapes/blur": {"direct": 0.3, "decide": 0.8, "wrong": 0.4, "gold": 0.9, "truth": 1.0, "psnr": 30.0},
    "maze/untraced": {"direct": 0.1, "decide": 0.6, "wrong": 0.2, "gold": 0.5, "truth": 1.0, "psnr": 20.0},
    "shapes/blur+dark": {"direct": 0.0, "decide": 0.4, "wrong": 0.0, "gold": 0.8, "truth": 1.0, "psnr": 10.0},
}


def write_log(path: Path, lines: Sequence[dict[str, Any]], torn: str = "") -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + torn, encoding="utf-8")
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines: list[dict[str, Any]] = [
        {"step": 10, "seconds": 5.0, **LOSSES},
        {"step": 20, "seconds": 9.5, **LOSSES, "measures": MEASURES},
        {"step": 30, "seconds": 14.0, "measures": MEASURES},
    ]
    return write_log(tmp_path / "nothing.jsonl", lines)


def crop(sheet: Image.Image, left: int, top: int) -> Image.Image:
    return sheet.crop((left, top, left + SIZE, top + SIZE))


def same(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one, other).getbbox() is None


def framed(sheet: Image.Image, row: int, column: int) -> bool:
    left, top = cell(row, column)
    corners = [(left - FRAME, top - FRAME), (left + SIZE + FRAME - 1, top + SIZE + FRAME - 1)]
    found = {sheet.getpixel(corner) == RIGHT for corner in corners}
    assert len(found) == 1, "half a frame"
    return found.pop()


@pytest.mark.parametrize("task", ["shapes", "faint"])
def test_a_contact_sheet_has_a_picture_of_every_case(task: str) -> None:
    sheet = contact_sheet([task], seed=4)
    cases = TASKS[task].cases
    assert sheet.width == min(COLUMNS, len(cases)) * PITCH + 2 * EDGE <= 1800
    shown = sample(task, 4, fault="none").picture
    places = [(EDGE, top) for top in range(EDGE, sheet.height - SIZE)]
    assert sum(same(crop(sheet, *place), shown) for place in places) == 1


def test_short_tasks_stand_beside_each_other() -> None:
    both, one = contact_sheet(["maze", "tangle"]), contact_sheet(["maze"])
    assert both.width == (len(TASKS["maze"].cases) + len(TASKS["tangle"].cases)) * PITCH + 2 * EDGE
    assert both.height == one.height


def test_frames_mark_the_edits_that_fit_and_no_other() -> None:
    sheet, items, calls = edit_matrix("maze", seed=1), matrix_items("maze", 1, "held-out"), matrix_calls()
    assert [item.fault for item in items] == ["none", "untraced"]
    assert calls[0].edit == "none"
    marked = {
        (call.edit, item.fault)
        for row, call in enumerate(calls)
        for column, item in enumerate(items)
        if framed(sheet, row, column)
    }
    assert marked == {("none", "none"), ("trace_path", "untraced")}


def test_cells_of_a_matrix_are_the_true_results() -> None:
    sheet, items, calls = edit_matrix("turned", seed=2), matrix_items("turned", 2, "held-out"), matrix_calls()
    for row, call in enumerate(calls):
        for column, item in enumerate(items):
            assert same(crop(sheet, *cell(row, column)), item.truth(call)), (call.edit, item.fault)


def test_columns_are_single_conditions() -> None:
    faults = [item.fault for item in matrix_items("shapes", 0, "held-out")]
    assert faults == ["none", *(name for name in faults if name in CONDITIONS)]
    assert len({item.question for item in matrix_items("shapes", 0, "held-out")}) == 1


def test_drawings_stand_in_for_true_results() -> None:
    def draw(pairs: Sequence[tuple[Item, EditCall]]) -> list[Image.Image]:
        return [Image.new("RGB", (SIZE, SIZE), (number, 0, 0)) for number in range(len(pairs))]

    sheet = edit_matrix("faint", draw=draw)
    assert [crop(sheet, *cell(row, column)).getpixel((0, 0)) for row in (0, 1) for column in (0, 1)] == [
        (number, 0, 0) for number in range(4)
    ]


def test_a_picture_too_large_for_docs_loses_bits_not_size() -> None:
    picture = Image.effect_noise((200, 200), 80).convert("RGB")
    small = Image.open(io.BytesIO(png(picture, limit=len(png(picture)) - 1)))
    assert small.size == picture.size and not same(small, picture)
    assert max(ImageChops.difference(small, picture).tobytes()) <= 16
    assert same(Image.open(io.BytesIO(png(picture))), picture)


@pytest.mark.parametrize("make", [lambda: contact_sheet(["shape"]), lambda: edit_matrix("shape")])
def test_an_unknown_task_is_refused(make: Any) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean shapes"):
        make()


def test_a_torn_last_line_is_left_out(log: Path) -> None:
    whole = read_log(log)
    log.write_text(log.read_text(encoding="utf-8") + '{"step": 40, "seco', encoding="utf-8")
    assert read_log(log) == whole


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no line"),
        ('{"step": 1, "seconds"\n{"step": 2, "seconds": 3}\n', "Line 1"),
        ('{"loss": 3}\n', "Line 1"),
        ('{"seconds": 3}\n[]\n', "Line 2"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WorldError, match=says):
        read_log(path)


def test_a_missing_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="No such file"):
        read_log(tmp_path / "log.jsonl")


def test_the_figures_of_an_ablation_are_means_over_its_cells(log: Path) -> None:
    row = ablation("nothing", read_log(log))
    assert row.seconds == 14.0
    assert row.plain_direct == pytest.approx(0.8)
    assert (row.direct, row.gold, row.wrong) == pytest.approx((0.2, 0.7, 0.3))
    assert row.gain == pytest.approx(0.5)
    assert row.wrong_share == pytest.approx(0.2)
    assert row.decide == pytest.approx(0.6)
    assert row.psnr == pytest.approx(20.0)


def test_without_a_gain_there_is_no_share_of_it(tmp_path: Path) -> None:
    measures = {"shapes/blur": {"direct": 0.5, "decide": 1.0, "wrong": 0.5, "gold": 0.5, "psnr": 9.0}}
    row = ablation("flat", read_log(write_log(tmp_path / "a.jsonl", [{"seconds": 1.0, "measures": measures}])))
    assert row.gain == 0 and row.wrong_share is None and row.plain_direct is None


def test_ablations_come_by_name_after_the_run_without_one(log: Path) -> None:
    for name in ("b", "a", "z"):
        (log.parent / f"{name}.jsonl").write_bytes(log.read_bytes())
    assert [row.name for row in ablations(log.parent)] == ["nothing", "a", "b", "z"]
    write_log(log.parent / "c.jsonl", [{"seconds": 1.0, **LOSSES}])
    with pytest.raises(WorldError, match="'c' has no measures"):
        ablations(log.parent)


def test_a_folder_without_logs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="no log in"):
        ablations(tmp_path)


def test_ablations_as_json(log: Path) -> None:
    done = CliRunner().invoke(app, ["world", "ablations", str(log.parent), "--json"])
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)
    assert row["name"] == "nothing" and row["gain"] == pytest.approx(0.5) and row["wrong_share"] == pytest.approx(0.2)


def test_a_curve_is_the_same_bytes_for_the_same_logs(log: Path) -> None:
    pytest.importorskip("matplotlib")
    lines = read_log(log)
    one = training_curve({"run": lines})
    assert one == training_curve({"run": lines}) and one.startswith(b"<?xml")
    assert b"dc:date" not in one
    assert training_curve({"run": lines, "other": lines[:1]}) != one


def test_a_curve_needs_the_extra(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(G2UError, match=r"g2u\[study\]"):
        training_curve({"run": read_log(log)})


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["sheet", "--tasks", "mase"], "Did you mean maze"),
        (["matrix", "--task", "mase"], "Did you mean maze"),
        (["sheet", "--out", "sheet.jpg"], "has another ending"),
    ],
)
def test_commands_say_what_is_wrong(tmp_path: Path, command: list[str], says: str) -> None:
    out = [] if "--out" in command else ["--out", str(tmp_path / "a.png")]
    done = CliRunner().invoke(app, ["world", *command, *out])
    assert done.exit_code == 2
    assert says in done.output
    assert not list(tmp_path.iterdir())


def test_commands_write_their_files(log: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for command, name in (
        (["sheet", "--tasks", "faint,maze"], "sheet.png"),
        (["matrix", "--task", "faint"], "matrix.png"),
        (["curve", str(log)], "curve.svg"),
    ):
        done = CliRunner().invoke(app, ["world", *command, "--out", str(tmp_path / "new" / name)])
        assert done.exit_code == 0, done.output
        assert (tmp_path / "new" / name).stat().st_size > 1000


async def test_the_model_draws_what_a_matrix_shows(tmp_path: Path) -> None:
    from g2u.pictures.store import get_store

    (item,) = matrix_items("faint", 0, "held-out")[1:]
    calls = [call for call in matrix_calls() if call.edit in ("none", "outline")]
    kept, drawn = await own_drawings([(item, call) for call in calls], get_store(tmp_path))
    assert same(kept, item.picture)
    assert drawn.size == (SIZE, SIZE) and not same(drawn, item.picture)
