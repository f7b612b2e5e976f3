"""The world as a benchmark like any other: its questions as a file in the form of VLMEvalKit."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from pathlib import Path

from g2u.files import replacing
from g2u.world.items.items import Item, spread

from .questions import GOLD, GROUP

_LETTERS = "ABCD"
"""Of the options: no question of the world has more."""


def write_world(
    path: Path, items: int, *, split: str = "held-out", tasks: Sequence[str] = (), first: int = 0
) -> list[str]:
    """Write items of the world as a benchmark, whole or not at all.

    `category` is the task and `l2-category` the fault; gold edits and what else is known are columns of their own.

    Args:
        path: Of the file.
        items: How many, tasks and cases in turn, as in a study.
        split: Key of `SPLITS`.
        tasks: Keys of `TASKS`; empty for all.
        first: Seed of the first one.

    Returns:
        Its columns.

    Raises:
        UnknownNameError: No such task or split.
        OutputError: It cannot be written.
    """
    known = [f"{GROUP}{name}" for name in ("kind", "taught")]
    columns = ["index", "question", *_LETTERS, "answer", "category", "l2-category", "split", GOLD, *known, "image"]
    with replacing(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        rows = csv.writer(text, delimiter="\t", lineterminator="\n")
        rows.writerow(columns)
        for index, item in enumerate(spread(items, split, first, tasks)):
            rows.writerow([index, *_cells(item)])
        text.detach()
    return columns


def _cells(item: Item) -> list[str]:
    buffer = io.BytesIO()
    item.picture.save(buffer, "PNG")
    return [
        item.question,
        *item.options,
        *[""] * (len(_LETTERS) - len(item.options)),
        _LETTERS[item.options.index(item.answer)],
        item.task,
        item.fault,
        item.split,
        ",".join(item.gold_edits),
        item.kind,
        "no" if item.unseen else "yes",
        base64.b64encode(buffer.getvalue()).decode(),
    ]
