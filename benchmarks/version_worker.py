"""One version of G2U that answers measuring commands: started by `versions.py`, with that version on PYTHONPATH.

Reads lines of `{"first": SEED, "runs": N}` and writes a line for each: what `N` questions cost, asked one after the
other through the whole loop. The questions are about held-out pictures that need exactly one edit.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import g2u


def first_of(*names: str) -> ModuleType:
    """The first of these modules that this version has; they moved into rooms after 1f8c8e9."""
    for name in names[:-1]:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    return importlib.import_module(names[-1])


items = first_of("g2u.world.items.items", "g2u.world.items")
get_store = first_of("g2u.pictures.store", "g2u.pictures").get_store

CELLS: dict[str, Sequence[tuple[str, str]]] = {
    "scene": (
        ("scene", "blur"),
        ("scene", "noise"),
        ("scene", "dark"),
        ("scene", "pixelated"),
        ("maze", "none"),
        ("rotated", "none"),
    ),
    "shapes": (
        ("shapes", "blur"),
        ("shapes", "noise"),
        ("shapes", "dark"),
        ("shapes", "pixelated"),
        ("maze", "untraced"),
        ("turned", "turned"),
    ),
}
"""Task that a version of the world has, to the pairs of task and fault that need one edit there."""


async def measure(first: int, runs: int) -> dict[str, Any]:
    """Ask `runs` questions, of seeds from `first` on; seconds per step and in total, drawings, right answers."""
    cells = next(cells for task, cells in CELLS.items() if task in vars(items)["TASKS"])
    picks = [(seed, *cells[seed % len(cells)]) for seed in range(first, first + runs)]
    asked = [items.sample(task, seed, "held-out", fault) for seed, task, fault in picks]
    store = get_store()
    seconds: dict[str, float] = {}
    drawings = right = 0
    for item in asked:
        picture = store.add_image(item.picture)
        run = await g2u.aask(picture, item.question, options=item.options, out=None)
        for step, value in run.seconds.items():
            seconds[step] = seconds.get(step, 0.0) + value
        drawings += sum(turn.thought is not None for turn in run.rounds)
        right += run.answer == item.answer
    return {"seconds": seconds, "drawings": drawings, "right": right}


def main() -> None:
    """Say which version this is, then answer commands until there are no more."""
    print(json.dumps({"file": g2u.__file__}), flush=True)
    for line in sys.stdin:
        print(json.dumps(asyncio.run(measure(**json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
