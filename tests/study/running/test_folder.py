"""The folder of a study: held by one process, refused as it is, and no line lost where the system does not go along."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from g2u.cli import app
from g2u.engine.engine import Engine
from g2u.engine.registry import get_engine, register_engine
from g2u.errors import MissingExtraError, OutputError, StudyError
from g2u.study.grid.arms import Arm, Items
from g2u.study.grid.records import Line
from g2u.study.running.folder import LINES, LineWriter, locked, read_study
from g2u.study.running.runner import run
from g2u.study.running.sources import code_of
from tests.forks import Forks
from tests.scripted import Call, ScriptedModel
from tests.study.grids import LATE, LINES_IN_ALL, lines_in, scripted, study
from tests.waiting import HUNG, Clock, interruptible, wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def model() -> ScriptedModel:
    own = scripted()
    register_engine("scripted", Engine(lambda: own))
    return own


def contents(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def names(folder: Path) -> set[Path]:
    """Also while another process writes there."""
    return set(folder.rglob("*"))


def test_a_folder_that_is_refused_stays_byte_for_byte(tmp_path: Path, model: ScriptedModel) -> None:
    folder = tmp_path / "a"
    run(study(), folder)
    before = contents(folder)
    with pytest.raises(StudyError, match=r"items\.tasks"):
        run(study(items=Items(count=9, tasks=["maze"])), folder)
    with pytest.raises(StudyError, match="seconds was 600"):
        run(study(seconds=3.0), folder)
    assert contents(folder) == before
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("dear")
    with pytest.raises(StudyError, match="no study but"):
        run(study(), tmp_path / "b")
    assert set(contents(tmp_path / "b")) == {"thesis.txt"}


def test_a_folder_is_held_from_its_beginning_on(tmp_path: Path, model: ScriptedModel) -> None:
    folder = tmp_path / "a"
    with locked(folder), pytest.raises(StudyError, match="Another process runs the study"):
        run(study(), folder)
    assert set(contents(folder)) == {"lock"} and not model.of("draw")
    assert len(run(study(), folder).lines) == 30


def test_what_a_kill_left_of_a_file_is_no_study_of_somebody_else(tmp_path: Path, model: ScriptedModel) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".0f3c.tmp").write_bytes(b"{")
    assert len(run(study(), tmp_path / "a").lines) == 30


def test_a_full_disk_is_one_sentence_and_leaves_what_was_written(tmp_path: Path) -> None:
    (tmp_path / LINES).symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left"), LineWriter(tmp_path, 0) as writer:
        writer.write([Line(arm="direct", item="1", seed=0)])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OutputError("Cannot write 'x': no space."), OutputError),
        (MissingExtraError("It", "scipy", "study"), MissingExtraError),
        (OSError(24, "Too many open files"), StudyError),
    ],
)
def test_errors_of_the_environment_end_the_run_and_the_next_one_goes_on(
    tmp_path: Path, error: Exception, kind: type[Exception]
) -> None:
    def fail(call: Call) -> None:
        if call.kind == "draw":
            raise error

    register_engine("scripted", Engine(lambda: scripted(before=fail)))
    with pytest.raises(kind, match=str(error).split(":")[0].split(".")[0][-10:]):
        run(study(), tmp_path / "a")
    assert not any(line.error for line in read_study(tmp_path / "a").lines)
    register_engine("scripted", Engine(scripted))
    assert len(run(study(), tmp_path / "a").lines) == 30


def test_a_closed_engine_ends_the_run(tmp_path: Path) -> None:
    def close(call: Call) -> None:
        if call.kind == "draw":
            get_engine("scripted").close()

    register_engine("scripted", Engine(lambda: scripted(before=close)))
    with pytest.raises(StudyError, match="engine was closed"):
        run(study(), tmp_path / "a")
    assert not any(line.error for line in read_study(tmp_path / "a").lines)


def test_failed_answers_are_made_anew_when_that_is_asked(tmp_path: Path, model: ScriptedModel) -> None:
    def fail(call: Call) -> None:
        if call.kind == "draw":
            raise RuntimeError("the pen broke")

    model.before = fail
    failed = [line.key for line in run(study(), tmp_path / "a").lines if line.error]
    model.before = None
    assert [line.key for line in run(study(), tmp_path / "a").lines if line.error] == failed != []
    mended = run(study(), tmp_path / "a", again=True)
    assert len(mended.lines) == 30 and all(line.answer for line in mended.lines)
    assert len((tmp_path / "a" / LINES).read_bytes().splitlines()) == 30 + len(failed)


def test_a_line_says_which_budget_ended_its_imagining(tmp_path: Path, model: ScriptedModel) -> None:
    found = run(study(), tmp_path / "a")
    assert {line.stopped for line in found.by_arm["direct"]} == {""}
    assert {line.stopped for line in found.by_arm["self"]} <= {"", "rounds"}
    late = run(study(seconds=1e-6), tmp_path / "b")
    assert {line.stopped for line in late.by_arm["self"]} == {"seconds"}
    assert all(line.answer == line.direct for line in late.by_arm["self"])


def test_a_slow_model_loses_no_thought_to_the_queue(tmp_path: Path, clock: Clock) -> None:
    slow = scripted(between=lambda call, done: clock.advance(0.2 * HUNG)).declaring(max_drawings=1)
    register_engine("scripted", Engine(lambda: slow))
    arms = [Arm(name="fixed", policy="fixed:deblur", reflect=False, rounds=1)]
    found = run(study(arms=arms, items=Items(count=30), seeds=1, seconds=3 * HUNG), tmp_path / "a")
    assert len(slow.of("draw")) == 30  # twice the seconds, one after the other
    assert {line.stopped for line in found.lines} == {"rounds"}


def test_what_is_remembered_ends_with_the_run(tmp_path: Path, model: ScriptedModel) -> None:
    run(study(), tmp_path / "a")
    engine = get_engine("scripted")
    assert engine.counters().recalled and engine.recall.entries == 0
    assert not engine.recall._known


def test_a_question_that_is_too_long_for_the_model_is_a_failure(tmp_path: Path, model: ScriptedModel) -> None:
    from g2u.errors import QuestionError

    def refuse(call: Call) -> None:
        if call.kind == "draw":
            raise QuestionError("The context would have 9 positions.")

    model.before = refuse
    found = run(study(), tmp_path / "a")
    assert any("9 positions" in line.error for line in found.lines)
    assert not any(line.left_out for line in found.lines)


def test_a_skipped_arm_is_made_once_it_can_be_run(tmp_path: Path) -> None:
    arms = [Arm(name="direct", policy="none"), Arm(name="thinks", policy="none", think=True, set="paper")]
    register_engine("scripted", Engine(scripted))
    first = run(study(arms=arms, seeds=1), tmp_path / "a")
    assert "cannot think" in first.header.skipped["thinks"] and len(first.lines) == 6
    register_engine("scripted", Engine(lambda: scripted().declaring(thinks=True)))
    later = run(study(arms=arms, seeds=1), tmp_path / "a")
    assert not later.header.skipped and len(later.lines) == 12
    register_engine("scripted", Engine(scripted))
    assert len(run(study(arms=arms, seeds=1), tmp_path / "a").by_arm["thinks"]) == 6


def test_writers_are_skipped_for_the_first_reason_there_is(tmp_path: Path) -> None:
    arms = [Arm(name="direct", policy="none"), Arm(name="writer", policy="writer:nobody:x", set="paper")]
    taught = scripted().declaring(instructions=frozenset({"Deblur it."}))
    register_engine("scripted", Engine(lambda: taught))
    found = run(study(arms=arms, seeds=1), tmp_path / "a")
    assert "instructions that it was taught" in found.header.skipped["writer"]
    register_engine("scripted", Engine(scripted))
    assert "nobody" in run(study(arms=arms, seeds=1), tmp_path / "b").header.skipped["writer"]


def test_weights_of_a_drawer_are_refused_up_front(tmp_path: Path) -> None:
    arms = [Arm(name="old", policy="oracle", drawer=f"weights:{tmp_path / 'nowhere'}")]
    with pytest.raises(Exception, match="nowhere"):
        run(study(model="mini", arms=arms), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_the_code_of_a_model_is_that_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "own_model"
    package.mkdir()
    (package / "__init__.py").write_text("class Model: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    own = __import__("own_model").Model
    before = code_of(own)
    code_of.cache_clear()
    assert code_of(own) == before != code_of(ScriptedModel)
    (package / "other.py").write_text("edited = True\n")
    code_of.cache_clear()
    assert code_of(own) != before


def test_without_the_extra_it_is_named_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("scipy", "pyarrow", "torchmetrics"):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, package, None)
            done = CliRunner().invoke(app, ["study", "run", "--preset", "quick", "--out", str(tmp_path / "x")])
        assert done.exit_code == 2 and f"needs {package}" in done.output and "g2u[study]" in done.output
    monkeypatch.setitem(sys.modules, "torchmetrics.functional", None)
    register_engine("scripted", Engine(scripted))
    with pytest.raises(MissingExtraError, match="torchmetrics"):
        run(study(), tmp_path / "x")
    assert not (tmp_path / "x").exists()


STOPPED = """
import sys
from pathlib import Path
from g2u.cli import main
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from tests.study.grids import lines_in, scripted

model = scripted(before=lambda call: lines_in(Path("out")) and sys.stdin.read())
register_engine("scripted", Engine(lambda: model))
sys.argv = ["g2u", "study", "run", "--config", "own.yaml", "--out", "out"]
main()
"""
"""The model waits once there is an answer, until its standard input is closed."""


def started(folder: Path, code: str, *arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    return interruptible(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_ends_with_130_and_the_next_run_goes_on(tmp_path: Path, model: ScriptedModel) -> None:
    arms = "[{name: direct, policy: none}, {name: self}, {name: gold, policy: oracle, reflect: false}]"
    (tmp_path / "own.yaml").write_text(f"model: scripted\narms: {arms}\nitems: {{count: 12}}\n")
    with started(tmp_path, STOPPED) as running:
        wait_until(lambda: lines_in(tmp_path / "out") or running.poll() is not None)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=HUNG)
    assert running.returncode == 130 and errors.splitlines()[-1] == "Stopped." and "Traceback" not in errors
    assert 0 < lines_in(tmp_path / "out") < 36
    assert len(run(None, tmp_path / "out").lines) == lines_in(tmp_path / "out") == 36


def test_kills_during_the_beginning_leave_a_folder_that_can_be_used(tmp_path: Path) -> None:
    chance, folder = random.Random(3), tmp_path / "killed"
    with Forks("tests.study.grids:answer", also=LATE) as forks:
        for _ in range(3):
            seen = names(folder)
            process = forks.start(str(folder))
            wait_until(lambda seen=seen, one=process: names(folder) != seen or forks.has_ended(one))
            time.sleep(chance.random() * 0.02)
            os.kill(process, signal.SIGKILL)
            assert forks.end_of(process) in (-signal.SIGKILL, 0)
        assert forks.run(str(folder)) == 0
    assert len(read_study(folder).lines) == LINES_IN_ALL
