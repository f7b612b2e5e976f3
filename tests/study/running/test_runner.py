"""The runner: lines that survive a kill, drawings that are made once, failures that are told."""

import json
import random
import signal
from pathlib import Path
from zlib import crc32

import pytest

from g2u.engine.engine import Engine
from g2u.engine.registry import get_engine, register_engine
from g2u.errors import StudyError, UnknownNameError
from g2u.pictures.references import ImageRef
from g2u.pictures.store import get_store
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.grid.records import Line
from g2u.study.running.folder import LINES, read_study
from g2u.study.running.runner import run
from tests.forks import Forks
from tests.scripted import Call, ScriptedModel
from tests.study.grids import LATE, LINES_IN_ALL, lines_in, scripted, study

KILLS = 10


@pytest.fixture
def model() -> ScriptedModel:
    own = scripted()
    register_engine("scripted", Engine(lambda: own))
    return own


def plain(line: Line) -> dict[str, object]:
    """A line without the times it took."""
    known = line.model_dump(mode="json", exclude={"cost": {"seconds"}, "answer": {"seconds"}, "direct": {"seconds"}})
    for turn in known["rounds"]:
        del turn["seconds"]
    return known


def test_every_arm_answers_every_item_with_its_seeds(tmp_path: Path, model: ScriptedModel) -> None:
    told: list[tuple[int, int]] = []
    found = run(study(), tmp_path / "a", on_progress=lambda *step: told.append(step))
    assert {arm: len(lines) for arm, lines in found.by_arm.items()} == {"direct": 6, "self": 12, "gold": 12}
    assert told[0] == (0, 30) and told[-1] == (30, 30)
    assert not any(line.error or line.left_out for line in found.lines)
    assert all(
        (line.right == (line.answer.text == found.items[line.item].answer)) for line in found.lines if line.answer
    )
    drawn = [line for line in found.by_arm["self"] if line.rounds[0].thought]
    assert drawn and all(line.fidelity[1].keys() == {"psnr", "ssim", "vif"} for line in drawn)


def test_what_arms_share_is_asked_and_drawn_once(tmp_path: Path, model: ScriptedModel) -> None:
    run(study(), tmp_path / "a")
    drawings = [key for call in model.of("draw") for key in zip(call.texts, call.pictures, strict=True)]
    answered = [text for call in model.of("score") for text in call.texts if text.endswith("Answer:")]
    assert len(drawings) == len(list((tmp_path / "a" / "pictures" / "drawings").rglob("*.json")))
    # direct of six items once for all arms and seeds; and with the thought, once for each drawing that was used
    assert len(answered) <= 6 + len(drawings)
    assert get_engine("scripted").counters().recalled >= 24


def test_a_finished_study_asks_nothing_again(tmp_path: Path, model: ScriptedModel) -> None:
    first = run(study(), tmp_path / "a")
    calls = len(model.calls)
    assert run(study(), tmp_path / "a").lines == first.lines and len(model.calls) == calls


def test_a_failure_is_a_line_that_says_so_and_counts_as_wrong(tmp_path: Path) -> None:
    def fail(call: Call) -> None:
        if call.kind == "draw":
            raise RuntimeError("the pen broke")

    register_engine("scripted", Engine(lambda: scripted(before=fail)))
    found = run(study(), tmp_path / "a")
    failed = [line for line in found.lines if line.error]
    assert failed and all(line.error == "RuntimeError: the pen broke" for line in failed)
    assert not any(line.right or line.answer for line in failed)
    assert all(line.answer for line in found.by_arm["direct"])
    assert len(found.lines) == 30


def test_a_folder_of_another_study_is_left_as_it_is(tmp_path: Path, model: ScriptedModel) -> None:
    run(study(), tmp_path / "a")
    before = (tmp_path / "a" / LINES).read_bytes()
    with pytest.raises(StudyError, match="holds another study: reading was 'scored' there"):
        run(study(reading="both"), tmp_path / "a")
    with pytest.raises(StudyError, match=r"items\.paraphrases"):
        run(study(items=Items(count=7, paraphrases=True)), tmp_path / "a")
    assert (tmp_path / "a" / LINES).read_bytes() == before
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("dear")
    with pytest.raises(StudyError, match=r"no study but 'thesis.txt'"):
        run(study(), tmp_path / "b")


@pytest.mark.parametrize("rest", [b'{"arm": "self", "it', b'{"arm": "self"}\n', b"\xff\xfe"])
def test_what_a_kill_left_of_the_last_line_is_cut_off(tmp_path: Path, model: ScriptedModel, rest: bytes) -> None:
    first = run(study(), tmp_path / "a")
    path = tmp_path / "a" / LINES
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-1]) + rest)
    assert len(read_study(tmp_path / "a").lines) == 29
    again = run(study(), tmp_path / "a")
    assert [plain(line) for line in again.lines] == [plain(line) for line in first.lines]
    assert len(path.read_bytes().splitlines()) == 30


def test_damage_before_the_last_line_is_refused(tmp_path: Path, model: ScriptedModel) -> None:
    run(study(), tmp_path / "a")
    path = tmp_path / "a" / LINES
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], b"{}\n", *lines[5:]]))
    with pytest.raises(StudyError, match="Line 5 of"):
        read_study(tmp_path / "a")


def test_arms_of_a_set_that_the_model_cannot_run_are_skipped_and_own_ones_refused(
    tmp_path: Path, model: ScriptedModel
) -> None:
    thinks = Arm(name="thinks", policy="none", think=True, set="paper")
    found = run(study(arms=[Arm(name="direct", policy="none"), thinks]), tmp_path / "a")
    assert list(found.header.skipped) == ["thinks"] and [arm.name for arm in found.arms] == ["direct"]
    own = thinks.model_copy(update={"set": ""})
    with pytest.raises(Exception, match="cannot think"):
        run(study(arms=[own]), tmp_path / "b")


@pytest.mark.parametrize(
    ("arm", "near"),
    [({"policy": "slef"}, "self"), ({"drawer": "orignal"}, "original"), ({"policy": "fixed:deblurr"}, "deblur")],
)
def test_names_that_do_not_exist_are_refused_before_anything_is_written(
    tmp_path: Path, model: ScriptedModel, arm: dict[str, str], near: str
) -> None:
    with pytest.raises(UnknownNameError, match=near):
        run(study(arms=[Arm(name="x", **arm)]), tmp_path / "a")  # type: ignore[arg-type]
    assert not (tmp_path / "a").exists()


def test_an_unfair_grid_is_refused() -> None:
    for change in ({"max_tokens": 512}, {"prompt": "step_by_step"}):
        arms = [{"name": "direct", "policy": "none"}, {"name": "self", **change}]
        with pytest.raises(ValueError, match="all arms need the same"):
            Study.model_validate({"arms": arms})


def test_own_questions_are_read_and_what_has_no_gold_edits_is_left_out(tmp_path: Path, model: ScriptedModel) -> None:
    from PIL import Image

    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    rows = [
        {"picture": "red.png", "question": "What colour?", "options": ["red", "blue"], "answer": "red", "id": "one"},
        {"picture": "red.png", "question": "Which colour?", "answer": " RED. ", "gold_edits": ["deblur"]},
    ]
    file = tmp_path / "own.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    found = run(study(items=Items(source=str(file))), tmp_path / "a")
    assert list(found.items) == ["one", "2"]
    assert {line.item: bool(line.left_out) for line in found.lines if line.arm == "gold"} == {"one": True, "2": False}
    assert found.scores("direct")["one"] == 1.0
    assert all(not line.fidelity for line in found.lines)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "Line 1 of .* is no question"),
        ('{"picture": "x.png", "question": "?", "answer": "a", "optoins": []}', "optoins"),
        ('{"picture": "x.png", "question": "Is it?", "answer": "a", "options": ["b", "c"]}', "none of the options"),
        ("", "There is no question"),
    ],
)
def test_a_file_that_holds_no_questions_is_refused(tmp_path: Path, model: ScriptedModel, row: str, says: str) -> None:
    (tmp_path / "own.jsonl").write_text(row)
    with pytest.raises(StudyError, match=says):
        run(study(items=Items(source=str(tmp_path / "own.jsonl"))), tmp_path / "a")


def test_ten_kills_lose_no_line_and_repeat_no_drawing(tmp_path: Path) -> None:
    chance = random.Random(5)
    log, folder = tmp_path / "drawn", tmp_path / "killed"
    with Forks("tests.study.grids:answer", {"DRAWN": str(log)}, LATE) as forks:

        def end_of(out: Path, *fatal: str) -> int:
            log.write_text("")
            return forks.run(str(out), *fatal)

        for _ in range(KILLS):
            kept = _kept(folder)
            assert end_of(folder, str(chance.randint(1, 6))) == -signal.SIGKILL
            drawn = log.read_text().split()
            assert len(drawn) == len(set(drawn)) and not kept & set(drawn), "a drawing was made twice"
        kept = _kept(folder)
        assert KILLS <= lines_in(folder) < LINES_IN_ALL, "the kills came too late to show anything"
        assert end_of(folder) == 0
        assert not kept & set(log.read_text().split())
        assert end_of(tmp_path / "undisturbed") == 0
    assert _kept(folder) == set(log.read_text().split())
    lines, others = read_study(folder).lines, read_study(tmp_path / "undisturbed").lines
    assert len(lines) == LINES_IN_ALL
    assert [plain(line) for line in lines] == [plain(line) for line in others]


def _kept(folder: Path) -> set[str]:
    """The drawings that were recorded, as the log of drawings names them."""
    store = get_store(folder / "pictures")
    kept = [json.loads(file.read_bytes()) for file in store.root.glob("drawings/*/*.json")]
    refs = [ImageRef.model_validate(one["picture"]) for one in kept]
    return {str(crc32(store.open(ref).tobytes())) for ref in refs}
