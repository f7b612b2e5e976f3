"""A scripted model that an actor finds by its place: `load`, whose weights are a folder of cues.

A question that holds the word `deadly` ends the process that asks it. One with the word `waits` waits once, in the
process whose id it writes into the file `waiting` of that folder. Drawings are entered in `drawn`.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from zlib import crc32

from PIL import Image

from tests.scripted import Call, Pictures, ScriptedModel
from tests.study.grids import decide, logged
from tests.waiting import HUNG


def load(weights: str = "") -> ScriptedModel:
    """What `PLACE` names."""
    cues = Path(weights)

    def obey(call: Call) -> None:
        asked = " ".join(call.texts) if call.kind == "score" else ""
        if "deadly" in asked:
            os.kill(os.getpid(), signal.SIGKILL)
        if "waits" in asked:
            wait_once(cues / "waiting")

    def draw(image: Image.Image, instruction: str, seed: int) -> Image.Image:
        drawn = logged(image, instruction, seed)
        with (cues / "drawn").open("a", encoding="utf-8") as file:
            file.write(f"{crc32(drawn.tobytes())}\n")
        return drawn

    return ScriptedModel(read_script=decide, score_script=prefer_shorter, draw_script=draw, before=obey)


def prefer_shorter(text: str, pictures: Pictures, options: object) -> list[float]:
    """Score: the first option where a thought is shown, else the second."""
    return [0.0, -1.0] if len(pictures) > 1 else [-1.0, 0.0]


def wait_once(file: Path) -> None:
    """Write who waits, and wait to be killed; whoever comes after that goes on."""
    try:
        with file.open("x", encoding="utf-8") as waiting:
            waiting.write(str(os.getpid()))
    except FileExistsError:
        return
    time.sleep(HUNG)
    raise AssertionError("nobody killed it")


PLACE = f"{__file__}:load"
