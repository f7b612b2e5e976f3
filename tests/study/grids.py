"""A small study of a scripted model: real graph, engine, store and lines; no weights."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

from PIL import Image, ImageOps

from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.files import write_atomic
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.running.folder import LINES
from tests.scripted import Call, Pictures, ScriptedModel


def logged(image: Image.Image, instruction: str, seed: int) -> Image.Image:
    """Draw a negative with the seed in its first pixels, and write into `$DRAWN` which picture that is."""
    drawn = ImageOps.invert(image)
    for place, byte in enumerate(seed.to_bytes(4, "big")):
        drawn.putpixel((place, 0), (byte, crc32(instruction.encode()) % 256, 0))
    if log := os.environ.get("DRAWN"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{crc32(drawn.tobytes())}\n")
    return drawn


def decide(text: str, pictures: Pictures) -> str:
    """Read: deblur at first."""
    return '{"edit": "deblur"}'


def scripted(**changes: object) -> ScriptedModel:
    """A model that deblurs and then keeps what it drew, likes the first option best, and logs its drawings."""
    return ScriptedModel(read_script=decide, draw_script=logged, **changes)  # type: ignore[arg-type]


def study(**changes: object) -> Study:
    """Three arms on six items of the world with two seeds."""
    arms = [
        Arm(name="direct", policy="none", seeds="first"),
        Arm(name="self", policy="self"),
        Arm(name="gold", policy="oracle", reflect=False),
    ]
    whole: dict[str, object] = {"model": "scripted", "arms": arms, "items": Items(count=6), "seeds": 2, **changes}
    return Study.model_validate(whole)


def lines_in(folder: Path) -> int:
    """How many answers a folder has."""
    path = folder / LINES
    return len(path.read_bytes().splitlines()) if path.exists() else 0


LATE = ("g2u.study.running.runner", "g2u.world.judging.metrics")
"""Modules that `answer` imports when it runs."""
ITEMS = 20
LINES_IN_ALL = 5 * ITEMS


def write_questions(folder: Path, words: Sequence[str]) -> str:
    """A file of one question for each word, which stands in it, about a picture of its own; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, word in enumerate(words):
        Image.new("RGB", (32, 24), (10 * number, 90, 150)).save(folder / f"{number}.png")
        asked = {"picture": f"{number}.png", "question": f"Which one is {word}?", "options": ["red", "blue"]}
        rows.append(asked | {"answer": "red", "gold_edits": ["deblur"]})
    file = folder / "own.jsonl"
    write_atomic(file, "".join(json.dumps(row) + "\n" for row in rows).encode())
    return str(file)


def answer(out: str, fatal: str = "") -> None:
    """Run a study of `ITEMS` items: what the tests of kills start again and again.

    Args:
        out: Its folder.
        fatal: Die by a kill in the first call of the model that comes once so many more lines are there.
    """
    from g2u.study.running.runner import run

    folder = Path(out)
    end = lines_in(folder) + int(fatal) if fatal else math.inf

    def die(call: Call) -> None:
        if lines_in(folder) >= end:
            os.kill(os.getpid(), signal.SIGKILL)

    slow = scripted(step_seconds=0.002, before=die).declaring(max_batch=1)  # few answers are under way at once
    register_engine("scripted", Engine(lambda: slow))
    source = write_questions(folder.parent / "questions", [f"number {number}" for number in range(ITEMS)])
    run(study(items=Items(source=source)), folder)
