"""The same study over Ray: the lines of one process, whatever ends in between."""

import asyncio
import json
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import ray

from g2u.errors import StudyError
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.grid.presets import load_study
from g2u.study.grid.records import Line
from g2u.study.running.folder import LINES
from g2u.study.running.journals import JOURNALS, left_behind
from g2u.study.running.runner import arun, run
from tests.study.grids import write_questions
from tests.study.running.on_cue import PLACE
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]

ARMS = [
    Arm(name="direct", policy="none", seeds="first"),
    Arm(name="fixed", policy="fixed:deblur", reflect=False, rounds=1),
]


@pytest.fixture(scope="module", autouse=True)
def one_ray() -> Iterator[None]:
    """Started once, with as many processors as the largest pool takes, whatever the machine has."""
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


def questions(folder: Path, *words: str) -> Study:
    """One question for each word, which stands in it, about a picture of its own."""
    items = Items(source=write_questions(folder, words))
    return Study(model=PLACE, weights=str(folder), arms=ARMS, items=items, seeds=2)


def plain(line: Line) -> dict[str, object]:
    """A line without the times it took and what it cost, which depend on batches."""
    known = line.model_dump(mode="json", exclude={"seconds": True, "cost": True, "answer": {"seconds"}})
    for answer in (known["direct"], *known["rounds"]):
        if answer:
            answer.pop("seconds", None)
    return known


def keys_in_file(folder: Path) -> Counter[tuple[str, str, int]]:
    rows = [json.loads(line) for line in (folder / LINES).read_bytes().splitlines()]
    return Counter((row["arm"], row["item"], row["seed"]) for row in rows)


def test_four_actors_bring_the_lines_of_one_process_and_draw_nothing_twice(tmp_path: Path) -> None:
    study = questions(tmp_path / "own", *"abcdefgh")
    here = run(study, tmp_path / "here")
    drawn = Counter((tmp_path / "own/drawn").read_text().split())
    told: list[tuple[int, int]] = []
    there = run(study, tmp_path / "there", engine="ray", actors=4, on_progress=lambda *step: told.append(step))
    assert [plain(line) for line in there.lines] == [plain(line) for line in here.lines]
    assert set(keys_in_file(tmp_path / "there").values()) == {1} and len(there.lines) == 24
    assert told[0] == (0, 24) and told[-1] == (24, 24) and len(told) > 4
    assert Counter((tmp_path / "own/drawn").read_text().split()) == drawn + drawn
    assert not (tmp_path / "there" / JOURNALS).exists()


def test_a_study_of_mini_grows_over_two_actors(tmp_path: Path) -> None:
    arms = [Arm(name="direct", policy="none", seeds="first"), Arm(name="self", reflect=False, rounds=1)]
    grid = Study(arms=arms, items=Items(count=3))
    here = run(grid, tmp_path / "here")
    run(grid.model_copy(update={"items": Items(count=1)}), tmp_path / "there")
    there = run(grid, tmp_path / "there", engine="ray", actors=2)
    assert set(keys_in_file(tmp_path / "there").values()) == {1} and not there.missing
    for one, other in zip(here.lines, there.lines, strict=True):  # numbers differ by rounding between sizes of batches
        assert one.key == other.key and one.answer and other.answer and one.answer.text == other.answer.text
        assert one.answer.probabilities == pytest.approx(other.answer.probabilities, abs=1e-3)
        assert [turn.decision.edit for turn in one.rounds] == [turn.decision.edit for turn in other.rounds]


def test_a_worker_that_is_killed_and_an_item_that_kills_cost_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g2u.study.running.on_ray.DEATHS", 2)
    whole = questions(tmp_path / "own", "a", "waits", "b", "deadly", "c", "d", "e", "f")
    study = whole.model_copy(update={"arms": ARMS[1:], "seeds": 1})
    waiting = tmp_path / "own" / "waiting"

    def kill() -> None:
        wait_until(lambda: waiting.exists() and waiting.read_text())
        os.kill(int(waiting.read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    there = run(study, tmp_path / "there", engine="ray", actors=2)
    killer.join()
    assert set(keys_in_file(tmp_path / "there").values()) == {1} and len(there.lines) == 8
    (failed,) = [line for line in there.lines if line.error]
    assert failed.item == "4" and failed.error == "2 times the process ended that was answering this item."
    drawn = (tmp_path / "own/drawn").read_text().split()
    assert len(drawn) == len(set(drawn)), "a drawing that was kept was made again"
    calm = questions(tmp_path / "calm", "a", "waited", "b", "mild", "c", "d", "e", "f")
    here = run(calm.model_copy(update={"arms": ARMS[1:], "seeds": 1}), tmp_path / "here")
    assert [plain(line) for line in there.lines if line != failed] == [
        plain(line) for line in here.lines if line.item != "4"
    ]


async def test_what_an_actor_had_when_the_run_was_stopped_is_not_asked_again(tmp_path: Path) -> None:
    study, folder = questions(tmp_path / "own", "a", "waits", "b"), tmp_path / "there"
    waiting, drawn = tmp_path / "own" / "waiting", tmp_path / "own" / "drawn"
    running = asyncio.create_task(arun(study, folder, engine="ray", actors=1))
    await asyncio.to_thread(wait_until, lambda: waiting.exists() and left_behind(folder))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    had, written = {line.key for line in left_behind(folder)}, keys_in_file(folder)
    assert had - set(written), "the answers came before they could be lost"
    before = drawn.read_text().split()
    told: list[tuple[int, int]] = []
    found = await arun(None, folder, on_progress=lambda *step: told.append(step))  # here: journals are no matter of Ray
    assert told[0] == (len(had | set(written)), 9)
    assert set(keys_in_file(folder).values()) == {1} and len(found.lines) == 9 and not found.missing
    assert len(drawn.read_text().split()) == len(set(drawn.read_text().split())) >= len(before)
    assert not (folder / JOURNALS).exists()


def test_an_own_model_and_own_policies_run_in_actors_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by a file seen from here, and by a module of this folder, as a YAML file names them."""
    name = f"own_{uuid4().hex}"
    shutil.copy(ROOT / "examples/own_model.py", tmp_path / "model.py")
    shutil.copy(ROOT / "examples/own_policy.py", tmp_path / f"{name}.py")
    (tmp_path / "mine.yaml").write_text(f"""
model: model.py:load
items: {{count: 3}}
arms:
  - {{name: direct, policy: none}}
  - {{name: by-module, policy: "{name}:by_brightness", rounds: 1, values: {{contrast: 4}}}}
  - {{name: by-file, policy: "{name}.py:by_brightness", rounds: 1}}
  - {{name: writer, policy: "writer:{name}.py:writer", rounds: 1}}
""")
    monkeypatch.chdir(tmp_path)
    study = load_study("mine.yaml")
    here = run(study, tmp_path / "here")
    assert {
        line.arm: [turn.decision.policy for turn in line.rounds]
        for line in here.lines
        if line.item == here.lines[0].item
    } == {
        "direct": ["none"],
        "by-module": [f"{name}:by_brightness"],
        "by-file": [f"{name}.py:by_brightness"],
        "writer": [f"writer:{name}.py:writer"],
    }
    there = run(study, tmp_path / "there", engine="ray", actors=1)
    for one, other in zip(here.lines, there.lines, strict=True):
        assert one.key == other.key and one.answer and other.answer and one.answer.text == other.answer.text
        assert [turn.decision for turn in one.rounds] == [turn.decision for turn in other.rounds]
    assert "writer" in {line.arm for line in here.lines for turn in line.rounds if turn.thought}


def test_more_actors_than_gpus_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4.0, "GPU": 2.0})
    with pytest.raises(StudyError, match=r"3 actors need a GPU each, and Ray has 2\. Name as many: `--actors 2`"):
        run(questions(tmp_path / "own", "a"), tmp_path / "there", engine="ray", actors=3)
    assert not (tmp_path / "there").exists()
