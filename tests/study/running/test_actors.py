"""What an actor of Ray tells of its batches; here in this process."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import OutputError
from g2u.study.grid.arms import Items, Study
from g2u.study.grid.records import Line
from g2u.study.running.actors import SETTINGS, Actor
from g2u.study.running.beginning import begun
from g2u.study.running.folder import HEADER
from g2u.study.running.jobs import Job
from g2u.study.running.journals import Journal, begun_run, left_behind, stop
from g2u.study.running.on_ray import batches
from g2u.study.running.runner import run
from tests.scripted import Call, ScriptedModel
from tests.study.grids import scripted, study
from tests.waiting import HUNG

DEATHS = 3


@pytest.fixture
def model() -> ScriptedModel:
    own = scripted()
    register_engine("scripted", Engine(lambda: own))
    return own


class Room:
    """A study whose folder is there, and an actor that is given its answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.items = asyncio.run(self._begun(study(items=Items(count=2), seeds=1)))
        self.run = begun_run(folder)
        settings = {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)}
        self.actor = Actor(str(folder), str(self.run), DEATHS, str(folder), [], settings)

    async def _begun(self, grid: Study) -> list[str]:
        async with begun(grid, self.folder) as plan:
            return [item.id for item in plan.items]

    def ask(self, *arms: str) -> tuple[list[Line], str]:
        jobs = json.dumps([(arm, self.items[1], 0) for arm in arms])
        found = self.actor({"number": ["0"], "jobs": [jobs]})
        return [Line.model_validate_json(line) for line in found["lines"][0].splitlines()], found["error"][0]


@pytest.fixture
def room(tmp_path: Path, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.chdir(Path.cwd())  # an actor goes to the folder of its study
    yield Room(tmp_path / "a")


def test_what_ends_the_study_is_told_in_a_sentence(room: Room, model: ScriptedModel) -> None:
    def fail(call: Call) -> None:
        if call.kind == "draw":
            raise OutputError("Cannot write 'x': no space left.")

    model.before = fail
    [line], error = room.ask("direct", "gold")
    assert line.answer and error == "Cannot write 'x': no space left."


def test_what_was_had_is_not_asked_again(room: Room, model: ScriptedModel) -> None:
    lines, _ = room.ask("direct", "gold")
    calls = len(model.calls)
    assert room.ask("direct", "gold") == (lines, "") and len(model.calls) == calls
    assert {line.key for line in left_behind(room.folder)} == {line.key for line in lines}


def test_an_item_that_was_under_way_at_every_end_is_given_up_and_others_are_not(room: Room) -> None:
    for _ in range(DEATHS):
        with Journal(room.run / "0") as journal:
            journal.begin(("gold", room.items[1], 0))
    with Journal(room.run / "0") as journal:
        journal.begin(("gold", room.items[0], 0))
    assert (journal.past.deaths, journal.past.idle) == ({room.items[1]: DEATHS}, 0)
    [line], error = room.ask("gold")
    assert (line.error, error) == ("3 times the process ended that was answering this item.", "")
    assert not any(line.error for line in read_other(room))


def read_other(room: Room) -> list[Line]:
    """The answers to the other item, one of which was under way once."""
    jobs = json.dumps([(arm, room.items[0], 0) for arm in ("direct", "gold")])
    found = room.actor({"number": ["0"], "jobs": [jobs]})
    return [Line.model_validate_json(line) for line in found["lines"][0].splitlines()]


def test_an_actor_that_ends_before_it_asks_anything_ends_the_study(room: Room) -> None:
    for _ in range(DEATHS):
        Journal(room.run / "0").__exit__(None, None, None)
    lines, error = room.ask("direct")
    assert not lines and error.startswith("3 times an actor of Ray ended before it had asked the model anything")


def test_a_last_entry_that_was_cut_off_is_none(room: Room) -> None:
    with Journal(room.run / "0") as journal:
        journal.begin(("direct", room.items[1], 0))
    journal.path.write_bytes(journal.path.read_bytes()[:-9])
    with Journal(room.run / "0") as next_one:
        assert (next_one.past.deaths, next_one.past.idle) == ({}, 1)


def test_a_run_that_was_stopped_is_not_gone_on_with(room: Room, model: ScriptedModel) -> None:
    told = threading.Event()

    def hold(call: Call) -> None:
        stop(room.run)
        told.wait(HUNG)

    model.before = hold
    lines, error = room.ask("direct")
    told.set()
    assert not lines and error.startswith("The run was stopped.")


def test_an_actor_that_computes_otherwise_refuses(room: Room) -> None:
    header = json.loads((room.folder / HEADER).read_text())
    (room.folder / HEADER).write_text(json.dumps(header | {"device": "cuda"}))
    assert "the device was 'cuda' there and is 'cpu' now" in room.ask("direct")[1]


def test_batches_are_of_whole_items(model: ScriptedModel, tmp_path: Path) -> None:
    found = run(study(items=Items(count=5), seeds=1), tmp_path / "a")
    arms = found.header.study.arms
    jobs = [Job(arm, item, 0) for item in found.items.values() for arm in arms]
    for size, lengths in ((1, [3] * 5), (4, [6, 6, 3]), (99, [15])):
        parts = batches(jobs, size)
        assert [len(part) for part in parts] == lengths and [job for part in parts for job in part] == jobs
