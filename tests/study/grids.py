"""A small study of a scripted model: real graph, engine, store and lines; no weights."""

from __future__ import annotations

import math
import os
import signal
import sys
from pathlib import Path
from zlib import crc32

from PIL import Image, ImageOps

from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
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


def main() -> None:
    """Run the study into the folder of the first argument: what the tests of kills start again and again.

    With a second one, die by a kill in the first call of the model that comes once so many more lines are there.
    """
    from g2u.study.running.runner import run

    folder = Path(sys.argv[1])
    fatal = lines_in(folder) + int(sys.argv[2]) if len(sys.argv) > 2 else math.inf

    def die(call: Call) -> None:
        if lines_in(folder) >= fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    register_engine("scripted", Engine(lambda: scripted(step_seconds=0.002, before=die)))
    run(study(items=Items(count=40)), folder)


if __name__ == "__main__":
    main()
