"""Items of one's own, and studies and selections as data: what is refused, and in which words."""

import json
from pathlib import Path
from statistics import fmean

import pytest
from PIL import Image
from typer.testing import CliRunner

from g2u.cli import app
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import G2UError, StudyError, UnknownNameError
from g2u.pictures.store import ImageStore
from g2u.study.grid.arms import Arm, Items
from g2u.study.grid.items import make_items
from g2u.study.grid.own import count_items, read_items
from g2u.study.grid.presets import load_arms, make_study
from g2u.study.running.folder import read_study
from g2u.study.selection import select
from tests.study.grids import scripted, study


def write(folder: Path, *rows: dict[str, object], begin: bytes = b"") -> Path:
    Image.new("RGB", (40, 30), "red").save(folder / "red.png")
    whole = ({"picture": "red.png", "question": "Which?", "answer": "red", **row} for row in rows)
    (folder / "own.jsonl").write_bytes(
        begin + "\r\n".join(json.dumps(row, ensure_ascii=False) for row in whole).encode()
    )
    return folder / "own.jsonl"


def test_a_file_may_have_a_mark_and_any_separator_inside_a_question(tmp_path: Path) -> None:
    file = write(tmp_path, {"question": "Which\u2028one?"}, {}, begin=b"\xef\xbb\xbf")
    records = read_items(file, ImageStore(tmp_path / "store"))
    assert [record.id for record in records] == ["1", "2"] and records[0].question == "Which\u2028one?"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"picture": "blue.png"}, "Line 2 of .*no picture at"),
        ({"gold_edits": []}, "Line 2 of .*empty list says nothing"),
        ({"id": "1"}, "two questions with the id '1'"),
    ],
)
def test_an_unfit_row_is_named(tmp_path: Path, row: dict[str, object], says: str) -> None:
    with pytest.raises(StudyError, match=says):
        read_items(write(tmp_path, {}, row), ImageStore(tmp_path / "store"))


def test_all_items_of_a_file_are_asked_or_the_first_ones(tmp_path: Path) -> None:
    file = write(tmp_path, *({} for _ in range(210)), {"picture": "gone.png"})
    assert count_items(file) == 211
    store = ImageStore(tmp_path / "store")
    with pytest.raises(StudyError, match="Line 211"):
        make_items(Items(source=str(file)), store)
    assert len(make_items(Items(source=str(file), count=210), store)) == 210  # the picture of the last is not read


def test_the_command_says_that_it_asks_a_part(tmp_path: Path) -> None:
    file = write(tmp_path, {}, {}, {})
    (tmp_path / "own.yaml").write_text("arms: [{name: direct, policy: none}]\n")
    common = ["study", "run", "--config", str(tmp_path / "own.yaml"), "--source", str(file), "--out"]
    done = CliRunner().invoke(app, [*common, str(tmp_path / "a"), "--items", "2"])
    assert done.exit_code == 0 and "2 of 3 questions" in done.output, done.output
    assert "of 3 questions" not in CliRunner().invoke(app, [*common, str(tmp_path / "b")]).output


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"items": 5}, "`items` of a study cannot be 5"),
        ({"items": "world"}, "`items` of a study cannot be 'world'"),
        ({"items": {"cuont": 5}}, "Did you mean count"),
        ({"arms": [{"name": "x", "polcy": "self"}]}, "Did you mean policy"),
        ({"arms": [{"name": "x", "set": "paper"}]}, "cannot be of the set 'paper'"),
    ],
)
def test_unfit_studies_are_refused_in_a_sentence(data: dict[str, object], says: str) -> None:
    with pytest.raises(G2UError, match=says):
        make_study({"sets": ["choices"], **data})


def test_own_arms_are_of_no_set_and_have_known_fields(tmp_path: Path) -> None:
    (tmp_path / "arms.yaml").write_text("- {name: x, set: paper}\n")
    with pytest.raises(StudyError, match="of the set 'paper'"):
        load_arms(tmp_path / "arms.yaml")
    (tmp_path / "arms.yaml").write_text("- {name: x, polcy: self}\n")
    with pytest.raises(UnknownNameError, match="Did you mean policy"):
        load_arms(tmp_path / "arms.yaml")


SELF = Arm(name="self", reflect=False)


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        (Arm(name="direct"), "two arms are called 'direct'"),
        (Arm(name="held-out"), "No variant can be called 'held-out'"),
        (Arm(name="thinks", think=True, set="paper"), "'thinks' cannot be run: .*cannot think"),
    ],
)
def test_a_variant_that_cannot_be_compared_is_refused(tmp_path: Path, variant: Arm, says: str) -> None:
    register_engine("scripted", Engine(scripted))
    with pytest.raises(StudyError, match=says):
        select(study(seeds=1), [variant, SELF], tmp_path / "s")
    assert not (tmp_path / "s" / "held-out").exists()


def test_variants_are_compared_on_what_all_of_them_answered(tmp_path: Path) -> None:
    """A fixed edit that would name an option is left out, so the others do not count there either."""
    register_engine("scripted", Engine(scripted))
    leaks = Arm(name="leaks", policy="fixed:trace_path(colour=blue)", rounds=1, reflect=False)
    found = select(study(seeds=1, items=Items(count=3, tasks=["maze"])), [leaks, SELF], tmp_path / "s")
    answered = read_study(tmp_path / "s" / "leaks").scores("leaks")
    own = read_study(tmp_path / "s" / "self").scores("self")
    assert 0 < len(answered) < len(own) == 3
    assert found.scores["self"] == fmean(own[item] for item in answered)
    with pytest.raises(StudyError, match="no item that all variants answered; 'leaks' answered 0"):
        select(study(seeds=1, items=Items(count=1, tasks=["tangle"])), [leaks, SELF], tmp_path / "t")
