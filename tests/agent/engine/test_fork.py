"""Forked processes: each begins anew, whatever its parent has asked, holds or is about to do."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import g2u
from g2u.engine import counters, registry
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.pictures import decoding
from tests.scripted import Call, ScriptedModel
from tests.waiting import HUNG

pytestmark = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="nothing forks here")


def in_child(work: Callable[[], Any]) -> Any:
    """What `work` gives in a forked process."""
    context: Any = multiprocessing.get_context("fork")
    here, there = context.Pipe()

    def run() -> None:
        try:
            there.send(work())
        except BaseException as error:
            there.send(repr(error))

    process = context.Process(target=run)
    process.start()
    try:
        assert here.poll(HUNG), "the child hangs"
        return here.recv()
    finally:
        process.kill()
        process.join()


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64), "red").save("picture.png")
    return "picture.png"


def test_fork_after_the_parent_asked_mini(picture: str) -> None:
    def ask() -> str:
        return g2u.ask(picture, "What colour is the disc?", policy="fixed:deblur", rounds=1, out=None).answer

    answer = ask()
    assert in_child(ask) == in_child(ask) == answer == ask()


def test_fork_while_the_model_works_and_locks_are_held(picture: str) -> None:
    at_work, go_on, held, release = (threading.Event() for _ in range(4))
    parent = threading.get_ident()

    def wait(call: Call) -> None:
        if threading.main_thread().ident == parent and not go_on.is_set() and call.kind == "read":
            at_work.set()
            go_on.wait(HUNG)

    model = ScriptedModel(before=wait)
    with Engine(lambda: model) as engine:
        register_engine("scripted", engine)
        engine.recall.entries = 9

        def ask() -> str:
            go_on.set()
            return g2u.ask(picture, "Which?", model="scripted", out=None).answer

        asking = threading.Thread(target=lambda: g2u.ask(picture, "Which?", model="scripted", out=None))
        asking.start()
        assert at_work.wait(HUNG)

        def hold() -> None:
            with registry._LOCK, counters._LOCK, decoding.DECODING, decoding._WARNINGS_LOCK:
                held.set()
                release.wait(HUNG)

        os.register_at_fork(before=release.set)  # called before those of the locks, which wait until they are free
        holding = threading.Thread(target=hold)
        holding.start()
        assert held.wait(HUNG)
        try:
            assert in_child(ask) == '{"edit": "none"}'
        finally:
            go_on.set()
            release.set()
            asking.join()
            holding.join()


def test_fork_counts_and_keeps_nothing_of_its_parent(picture: str) -> None:
    model = ScriptedModel()
    with Engine(lambda: model) as engine:
        register_engine("scripted", engine)
        g2u.ask(picture, "Which?", model="scripted", out=None)
        assert engine.loaded and engine.counters().calls
        assert in_child(lambda: (engine.loaded, engine.waiting, engine.counters().calls)) == (False, 0, 0)
        assert engine.loaded and g2u.ask(picture, "Which?", model="scripted", out=None).answer


def test_fork_of_a_closed_engine_stays_closed(picture: str) -> None:
    engine = Engine(ScriptedModel)
    engine.close()
    assert in_child(lambda: engine.closed)
