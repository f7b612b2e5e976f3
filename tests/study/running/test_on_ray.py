"""The same study over Ray: the lines of one process, whatever ends in between."""

import asyncio
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from PIL import Image

from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.grid.records import Line
from g2u.study.running.folder import LINES, read_study
from g2u.study.running.journals import JOURNALS
from g2u.study.running.runner import arun, run
from tests.study.running.on_cue import PLACE
from tests.waiting import wait_until

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
    folder.mkdir(parents=True)
    rows = []
    for number, word in enumerate(words):
        Image.new("RGB", (32, 24), (20 * number, 90, 150)).save(folder / f"{number}.png")
        rows.append({"picture": f"{number}.png", "question": f"Which one is {word}?", "options": ["red", "blue"]})
        rows[-1]["answer"] = "red"
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    items = Items(source=str(folder / "own.jsonl"))
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


@pytest.mark.parametrize("actors", [2, 4])
def test_actors_bring_the_lines_of_one_process(tmp_path: Path, actors: int) -> None:
    study = questions(tmp_path / "own", *"abcdefgh")
    here = run(study, tmp_path / "here")
    drawn = Counter((tmp_path / "own/drawn").read_text().split())
    told: list[tuple[int, int]] = []
    there = run(study, tmp_path / "there", engine="ray", actors=actors, on_progress=lambda *step: told.append(step))
    assert [plain(line) for line in there.lines] == [plain(line) for line in here.lines]
    assert set(keys_in_file(tmp_path / "there").values()) == {1} and len(there.lines) == 24
    assert told[0] == (0, 24) and told[-1] == (24, 24) and len(told) > actors
    assert Counter((tmp_path / "own/drawn").read_text().split()) == drawn + drawn, "a drawing was made twice"
    assert not (tmp_path / "there" / JOURNALS).exists()


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
