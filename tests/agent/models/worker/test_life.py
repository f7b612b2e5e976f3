"""How a worker process begins, ends, is killed and started anew, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import g2u
from g2u.engine.engine import Engine
from g2u.engine.options import EngineOptions
from g2u.engine.registry import get_engine
from g2u.engine.waiting import wait_for
from g2u.errors import ExtensionError, HungError, PictureError, WorkerError
from g2u.models.worker import process as worker_process
from g2u.models.worker.load import worker_loader
from g2u.models.worker.model import MOST_ENDS, WorkerModel
from g2u.pictures.store import ImageStore
from tests.agent.models.worker.conftest import PLAIN
from tests.agent.models.worker.environments import make_environment
from tests.waiting import HUNG, Clock, wait_until

Start = Callable[..., WorkerModel]
ROOT = Path(__file__).parents[4]


class Ended:
    """Watches a process, which may be nobody's child."""

    def __init__(self, number: int) -> None:
        self._descriptor = os.pidfd_open(number)

    def wait(self) -> None:
        ready, _, _ = select.select([self._descriptor], [], [], HUNG)
        assert ready, "it did not end"
        os.close(self._descriptor)


def every(done: int, total: int) -> Sequence[bool]:
    return [True] * 4


def told(model: WorkerModel, prefix: Any, text: str, on_step: Any = every) -> str:
    reading = model.read([prefix], [f"Do: {text}"], 3, on_step)[0]
    assert reading is not None
    return reading.text


def test_a_process_that_is_killed_fails_the_call_and_is_started_anew(
    started: Start, pictures: list[Image.Image]
) -> None:
    model = started()
    first = model.extend([None], pictures[:1])
    both = model.extend(model.extend(first, ["and this one:"]), pictures[1:2])
    drawn_on = model.extend([None], pictures[:1], "draw")
    texts = ["Where?", "Which?", "What?"]

    def read() -> Any:
        return model.read([*both, *first, *drawn_on], texts, 6, every)

    before, number = read(), model.process
    with pytest.raises(WorkerError) as failed:
        told(model, first[0], "die")
    assert str(failed.value) == (
        "The worker process of 'plain.py:load_troubled' was ended by the signal SIGKILL in the middle of `read`. "
        "Ask again: the next request starts it anew."
    )
    assert "about to die" in failed.value.in_full, "what it printed last is a note"
    assert read() == before and model.process != number
    assert told(model, first[0], "living") == "3", "what the prefixes that were made again began with is gone"


def test_a_kill_from_outside_between_two_calls_is_not_noticed(started: Start, pictures: list[Image.Image]) -> None:
    model = started()
    seen, number = model.extend([None], pictures[:1]), model.process
    before = model.read(seen, ["Where?"], 6, every)
    ended = Ended(number)
    os.kill(number, signal.SIGKILL)
    ended.wait()
    assert model.read(seen, ["Where?"], 6, every) == before and model.process != number
    assert model.unknown_words("zebra") == ["zebra"]


def test_who_only_looks_something_up_starts_it_anew_too(started: Start) -> None:
    model = started()
    ended = Ended(model.process)
    os.kill(model.process, signal.SIGKILL)
    ended.wait()
    assert model.unknown_words("zebra") == ["zebra"]


def test_it_is_not_started_for_ever(started: Start, pictures: list[Image.Image]) -> None:
    model = started()
    seen = model.extend([None], pictures[:1])
    for _ in range(2):  # what is done between counts anew
        with pytest.raises(WorkerError, match="SIGKILL"):
            told(model, seen[0], "die")
        assert told(model, seen[0], "shout") == "done"
    for _ in range(MOST_ENDS + 1):
        with pytest.raises(WorkerError, match="SIGKILL"):
            told(model, seen[0], "die")
    with pytest.raises(WorkerError, match=f"started anew {MOST_ENDS} times in a row and is not started again"):
        told(model, seen[0], "shout")


def test_one_that_comes_back_as_another_model_is_refused(started: Start, pictures: list[Image.Image]) -> None:
    model = started("load_other_each_time")
    seen = model.extend([None], pictures[:1])
    with pytest.raises(WorkerError, match="SIGKILL"):
        told(model, seen[0], "die")
    with pytest.raises(WorkerError, match=r"came back as another model\. Its weights or its code were changed"):
        told(model, seen[0], "shout")


def test_prefixes_that_nobody_has_are_given_up_in_the_process(started: Start, pictures: list[Image.Image]) -> None:
    model = started()
    kept = model.extend([None], pictures[:1])
    more = model.extend([None] * 3, pictures[1:])
    assert told(model, kept[0], "living") == "4"
    del more
    gc.collect()
    assert told(model, kept[0], "living") == "1"
    longer = model.extend(kept, pictures[1:2])
    kept.clear()
    assert told(model, longer[0], "living") == "1", "a longer one keeps none of its beginnings alive"


def test_an_exception_of_whoever_is_told_of_steps_is_their_own(started: Start, pictures: list[Image.Image]) -> None:
    model = started()
    seen, number = model.extend([None], pictures[:1]), model.process

    def on_step(done: int, total: int) -> Sequence[bool]:
        if done == 2:
            raise ZeroDivisionError("mine")
        return [True]

    with pytest.raises(ZeroDivisionError, match="mine"):
        told(model, seen[0], "count", on_step)
    assert told(model, seen[0], "count", lambda done, total: [done < 5]) == "5"
    assert model.process == number


def test_words_are_looked_up_while_it_does_something_else(started: Start, pictures: list[Image.Image]) -> None:
    model = started()
    seen, found = model.extend([None], pictures[:1]), list[list[str]]()

    def on_step(done: int, total: int) -> Sequence[bool]:
        looking = threading.Thread(target=lambda: found.append(model.unknown_words("a zebra")))
        looking.start()
        looking.join(HUNG)
        return [done < 2]

    assert told(model, seen[0], "count", on_step) == "2"
    assert found == [["a", "zebra"]] * 2


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("fail", WorkerError, "The model of 'plain.py:load_troubled' raised KeyError: 'token', in its worker process."),
        ("refuse", PictureError, "The picture is too narrow."),
        ("leave", WorkerError, "ended with code 7 in the middle of `read`"),
    ],
)
def test_what_the_model_raises_is_told(
    text: str, error: type[Exception], message: str, started: Start, pictures: list[Image.Image]
) -> None:
    model = started()
    seen = model.extend([None], pictures[:1])
    with pytest.raises(error) as raised:
        told(model, seen[0], text)
    assert message in str(raised.value) and str(PLAIN.parent) not in str(raised.value)
    assert told(model, seen[0], "shout") == "done"


def test_a_log_has_what_it_prints_and_goes_with_it(started: Start, pictures: list[Image.Image]) -> None:
    model = started()
    told(model, model.extend([None], pictures[:1])[0], "shout")
    log = Path(model.log)
    assert log.read_text() == "loud\nlouder\n"
    assert log.stat().st_mode & 0o077 == 0
    model.close()
    assert not log.exists()


def test_of_a_long_log_its_end_alone_is_read(started: Start, pictures: list[Image.Image]) -> None:
    model = started()
    seen = model.extend([None], pictures[:1])
    with open(model.log, "r+b") as log:
        log.seek(2**26)
        log.write(b"the end")
    tracemalloc.start()
    with pytest.raises(WorkerError, match="raised KeyError") as raised:
        told(model, seen[0], "fail")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert raised.value.__notes__[-1].endswith("the end)") and most < 2**24


def test_it_has_nothing_of_the_environment_of_this_process(
    started: Start, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    model = started()
    assert told(model, model.extend([None], pictures[:1])[0], "find g2u tests process child") == "[]"


def test_it_ends_with_the_last_reference(started: Start, python: Path) -> None:
    model: Any = worker_loader(python, f"{PLAIN}:load")()
    log, ended = Path(model.log), Ended(model.process)
    del model
    gc.collect()
    ended.wait()
    assert not log.exists()


def test_a_process_that_the_model_forked_hides_no_end(started: Start, pictures: list[Image.Image]) -> None:
    model = started()
    seen = model.extend([None], pictures[:1])
    forked = Ended(int(told(model, seen[0], "fork")))
    with pytest.raises(WorkerError, match="SIGKILL"):
        told(model, seen[0], "die")
    assert told(model, seen[0], "shout") == "done"
    model.close()
    forked.wait()


ORPHAN = """
import os, sys, time
from PIL import Image
from g2u.models.worker.load import worker_loader
python, place, mark = sys.argv[1:]
model = worker_loader(python, place)()
if os.fork() == 0:  # a fork that lives on
    print(model.process, os.getpid(), flush=True)
    time.sleep(600)
seen = model.extend([None], [Image.new("RGB", (4, 4))])
model.read(seen, [f"Do: hang {mark}"], 3, lambda done, total: [True])
"""


def test_it_ends_with_the_process_that_started_it(python: Path, tmp_path: Path) -> None:
    mark = tmp_path / "hangs"
    command = [sys.executable, "-c", ORPHAN, str(python), f"{PLAIN}:load_troubled", str(mark)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        number, fork = map(int, parent.stdout.readline().split())
        ended = Ended(number)
        wait_until(mark.exists)
        parent.kill()
        ended.wait()
        os.kill(fork, signal.SIGKILL)


def test_a_fork_of_this_process_ends_nothing(started: Start, pictures: list[Image.Image]) -> None:
    model = started()
    seen = model.extend([None], pictures[:1])
    child = os.fork()
    if child == 0:
        try:
            model.close()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert told(model, seen[0], "shout") == "done"


def test_what_cannot_be_started_says_why(tmp_path: Path, python: Path, started: Start) -> None:
    with pytest.raises(
        ExtensionError, match=r"'python' cannot be started: No such file or directory\. Name the Python"
    ):
        worker_loader(tmp_path / "none/bin/python", f"{PLAIN}:load")()
    bare = make_environment(tmp_path / "bare", pillow=False)
    with pytest.raises(ExtensionError, match=r"has no Pillow\. `.*python -m pip install pillow` installs it"):
        worker_loader(bare, f"{PLAIN}:load")()
    with pytest.raises(WorkerError, match="raised ModuleNotFoundError: No module named 'nowhere'"):
        worker_loader(python, "nowhere.at_all:load")()
    with pytest.raises(WorkerError, match="raised FileNotFoundError"):
        worker_loader(python, f"{tmp_path}/none.py:load")()
    with pytest.raises(PictureError, match=r"^no weights in there$"):
        started("load_failing", "there")
    with pytest.raises(WorkerError, match="was ended by the signal SIGKILL while it was loaded"):
        started("load_dying")


def test_another_version_of_the_messages_is_refused(started: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "VERSION", 2)
    with pytest.raises(WorkerError, match=r"speaks version 1 of the messages, and 2 was expected\. G2U was changed"):
        started()


def test_an_engine_goes_on_after_a_kill(started: Start, pictures: list[Image.Image], tmp_path: Path) -> None:
    store, model = ImageStore(tmp_path), started()
    refs = [store.add_image(picture) for picture in pictures]

    async def use(engine: Engine) -> None:
        async def read(text: str) -> str:
            return (await engine.read(store, refs[:2], text, max_tokens=6)).text

        before = await read("Where?")
        with pytest.raises(WorkerError, match="in the middle of `read`"):
            await read("Do: die")
        assert await read("Where?") == before
        assert engine.counters().prefix_hits == 2, "prefixes are those that were kept, made again in the process"

    with Engine(lambda: model) as engine:
        wait_for(lambda: use(engine))


@pytest.mark.parametrize("closes", [False, True])
def test_a_process_that_hangs_is_ended_once_it_is_given_up(
    closes: bool, started: Start, pictures: list[Image.Image], tmp_path: Path, clock: Clock
) -> None:
    store, place = ImageStore(tmp_path), tmp_path / "hangs"
    refs = [store.add_image(picture) for picture in pictures]

    async def use(engine: Engine) -> None:
        hanging = asyncio.create_task(engine.read(store, refs[:1], f"Do: hang {place}"))
        ended = Ended((await engine.ready()).process)  # type: ignore[attr-defined]
        while not place.exists():
            await asyncio.sleep(0.01)
        if closes:
            await asyncio.to_thread(engine.close)
        else:
            clock.advance(301)
        with pytest.raises(RuntimeError if closes else HungError):
            await hanging
        await asyncio.to_thread(ended.wait)
        if not closes:
            assert (await engine.read(store, refs[:1], "Where?", max_tokens=6)).text

    options = EngineOptions(grace_seconds=0.1 if closes else 30, hang_seconds=300)
    with Engine(lambda: started(), options) as engine:
        wait_for(lambda: use(engine))


def test_an_engine_halves_a_batch_that_the_process_has_no_room_for(
    started: Start, pictures: list[Image.Image], tmp_path: Path
) -> None:
    store, model = ImageStore(tmp_path), started()
    refs = [store.add_image(picture) for picture in pictures]

    async def use(engine: Engine) -> None:
        asked = [engine.read(store, [ref], "Do: narrow", max_tokens=3) for ref in refs]
        assert [one.text for one in await asyncio.gather(*asked)] == ["room for one"] * 4

    with Engine(lambda: model) as engine:
        wait_for(lambda: use(engine))


def test_the_example_answers_and_ends_with_its_engine(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".venv-old").symlink_to(python.parents[1])
    picture = Image.new("RGB", (64, 48), (160, 160, 160))
    picture.paste((10, 10, 10), (32, 0, 64, 48))
    picture.save("picture.png")
    place = f"{ROOT}/examples/worker_model.py:load"
    run = g2u.ask("picture.png", "Which is darker?", model=place, out=None, values={"cutoff": 5})
    assert (run.answer, run.rounds[0].decision.edit) == ("right", "expose")
    engine = get_engine(place)
    model = engine.model
    assert isinstance(model, WorkerModel) and model.identity.code == f"1.0, Pillow {Image.__version__}"
    ended = Ended(model.process)
    engine.close()
    del model
    gc.collect()
    ended.wait()
