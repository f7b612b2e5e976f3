"""The edit matrix: what every edit makes of one picture under each of its conditions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from g2u.edits.library import NONE, EditCall, EditLibrary
from g2u.engine.registry import get_engine
from g2u.models.protocol import Sampler
from g2u.pictures.store import ImageStore

from ..items.items import Item, case_name, sample, to_world_size
from ..items.tasks import TASKS, check_task
from ..materials.layers import SIZE
from .sheets import EDGE, FAULT, GREY, INK, PAPER, RIGHT, TEXT, TITLE, font

STEP = SIZE + 16
"""Pixels from one cell to the next, both ways."""
LABELS, HEADERS = 190, 96
"""Width of the names of the edits at the left, height of title and cases above."""
FRAME = 5
"""Width of the frame around a cell whose edit fits."""

Drawer = Callable[[Sequence[tuple[Item, EditCall]]], Sequence[Image.Image]]
"""Makes the picture of each pair of item and call."""


def edit_matrix(
    task: str = "shapes", seed: int = 0, split: str = "held-out", draw: Drawer | None = None
) -> Image.Image:
    """Every edit of the library on one picture under each of its single conditions; those that fit have a frame.

    Args:
        task: Key of `TASKS`.
        seed: Of the picture.
        split: Key of `SPLITS`.
        draw: Draws what the edits come to; `None` for the true results.

    Raises:
        UnknownNameError: No such task or split.
        WorldError: The split has no such seed.
    """
    items, calls = matrix_items(task, seed, split), matrix_calls()
    pairs = [(item, call) for call in calls for item in items]
    results = (draw or true_results)(pairs)
    width, height = LABELS + len(items) * STEP, HEADERS + len(calls) * STEP
    title = f"{task}, {split} {seed}. {items[0].question} {items[0].answer.capitalize()}."
    width = max(width, round(font(TITLE).getlength(title)))
    sheet = Image.new("RGB", (width + 2 * EDGE, height + 2 * EDGE), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((EDGE, EDGE), title, INK, font(TITLE))
    for column, item in enumerate(items):
        left, top = cell(0, column)
        pen.text((left + SIZE // 2, top - 12), item.fault, FAULT if item.case else GREY, font(TEXT), "ms")
    for row, call in enumerate(calls):
        middle = cell(row, 0)[1] + SIZE // 2
        pen.text((EDGE, middle - 4), call.edit, INK, font(TEXT + 1), "ls")
        family = "the picture as it is" if call.edit == NONE else EditLibrary.load().get(call.edit).family
        pen.text((EDGE, middle + 14), family, GREY, font(TEXT - 2), "ls")
    for number, ((item, call), result) in enumerate(zip(pairs, results, strict=True)):
        left, top = cell(*divmod(number, len(items)))
        if fits(item, call):
            box = (left - FRAME, top - FRAME, left + SIZE + FRAME - 1, top + SIZE + FRAME - 1)
            pen.rectangle(box, RIGHT)
        sheet.paste(result, (left, top))
    return sheet


def matrix_items(task: str, seed: int, split: str) -> list[Item]:
    """The columns of a matrix: one picture plain and under each single condition that its task knows."""
    check_task(task)
    return [sample(task, seed, split, case_name(case)) for case in TASKS[task].cases if len(case) <= 1]


def matrix_calls() -> list[EditCall]:
    """The rows of a matrix: `none`, then the edits of the library with their default arguments."""
    library = EditLibrary.load()
    names = sorted(library.names, key=lambda name: name != NONE)
    return [library.call(name) for name in names]


def cell(row: int, column: int) -> tuple[int, int]:
    """Left and top of a picture in a matrix, in pixels."""
    return EDGE + LABELS + column * STEP, EDGE + HEADERS + row * STEP


def fits(item: Item, call: EditCall) -> bool:
    """Whether an edit is what a picture needs; `none` is, where that is nothing."""
    return call.edit in item.gold_edits


def true_results(pairs: Sequence[tuple[Item, EditCall]]) -> list[Image.Image]:
    """What each call comes to in the world; an edit that does not fit leaves its picture as it is."""
    return [item.truth(call) for item, call in pairs]


async def own_drawings(
    pairs: Sequence[tuple[Item, EditCall]], store: ImageStore, model: str = "mini", weights: str = "", steps: int = 1
) -> list[Image.Image]:
    """What a model draws for each call; `none` leaves the picture as it is.

    Args:
        pairs: What to draw.
        store: For the pictures.
        model: Key of the model.
        weights: Folder of its weights; empty for its own.
        steps: Sampler steps per drawing.
    """
    engine, library = get_engine(model, weights), EditLibrary.load()
    await engine.ready()

    async def one(item: Item, call: EditCall) -> Image.Image:
        if call.edit == NONE:
            return item.picture
        told = library.instruction(call, item.question)
        return to_world_size(await engine.draw(store, [store.add_image(item.picture)], told, Sampler(steps=steps), 0))

    return list(await asyncio.gather(*(one(*pair) for pair in pairs)))
