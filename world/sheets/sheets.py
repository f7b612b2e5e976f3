"""Contact sheets: many pictures of the world on one, for docs and for eyes that look for mistakes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from ..items.items import Item, case_name, sample
from ..items.tasks import TASKS, check_task
from ..materials.layers import SIZE

COLUMNS = 9
"""Pictures beside each other on a contact sheet; a task with more cases takes several rows."""
PITCH = 186
"""Pixels from one picture of a contact sheet to the next; the text under it has nearly as many."""
EDGE = 24
"""Pixels around everything."""
PAPER, INK, GREY, RULE = (255, 255, 255), (24, 24, 27), (113, 113, 122), (212, 212, 216)
FAULT, RIGHT = (190, 40, 40), (16, 150, 72)
"""Colours of what is in the way, and of answers and edits that are right."""
TEXT, TITLE = 15, 22
"""Sizes of fonts."""

_LINE, _HEAD = 19, 48

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class _Block:
    """A task on a contact sheet."""

    task: str
    items: list[Item]
    columns: int

    @property
    def rows(self) -> list[list[Item]]:
        return [self.items[at : at + self.columns] for at in range(0, len(self.items), self.columns)]


def contact_sheet(tasks: Sequence[str] = (), seed: int = 0, split: str = "held-out") -> Image.Image:
    """One picture of every case of some tasks, with its fault, question and answer.

    Args:
        tasks: Keys of `TASKS`; empty for all.
        seed: Of the first picture of each task; every further one has the next.
        split: Key of `SPLITS`.

    Raises:
        UnknownNameError: No such task or split.
        WorldError: The split has no such seed.
    """
    names = list(tasks) or list(TASKS)
    for name in names:
        check_task(name)
    shelves = list(_shelves([_block(name, seed, split) for name in names]))
    heights = [_HEAD + sum(_row_height(row) for row in _rows_of(shelf)) for shelf in shelves]
    width = PITCH * max(sum(block.columns for block in shelf) for shelf in shelves)
    sheet = Image.new("RGB", (width + 2 * EDGE, sum(heights) + 2 * EDGE), PAPER)
    pen, top = ImageDraw.Draw(sheet), EDGE
    for shelf, height in zip(shelves, heights, strict=True):
        left = EDGE
        for block in shelf:
            right = left + block.columns * PITCH - (PITCH - SIZE) // 2
            pen.line((left, top, right, top), RULE)
            pen.text((left, top + 8), block.task, INK, font(TITLE))
            after = left + font(TITLE).getlength(block.task) + 10
            pen.text((after, top + 15), TASKS[block.task].family, GREY, font(TEXT))
            left += block.columns * PITCH
        y = top + _HEAD
        for row in _rows_of(shelf):
            for column, item in row:
                _show_item(sheet, pen, item, EDGE + column * PITCH, y)
            y += _row_height(row)
        top += height
    return sheet


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of all sheets."""
    return ImageFont.load_default(size)


def png(picture: Image.Image, limit: int = 1_500_000) -> bytes:
    """A picture as the bytes of a PNG file, with so many bits per value that it has at most `limit` bytes, or 4."""
    for bits in (8, 7, 6, 5, 4):
        steps = (1 << bits) - 1
        buffer = io.BytesIO()
        rounded = [round((value >> (8 - bits)) * 255 / steps) for value in range(256)]
        picture.point(rounded * len(picture.getbands())).save(buffer, "PNG", optimize=True)
        if len(buffer.getvalue()) <= limit:
            break
    return buffer.getvalue()


def _block(task: str, seed: int, split: str) -> _Block:
    cases = TASKS[task].cases
    items = [sample(task, seed + number, split, case_name(case)) for number, case in enumerate(cases)]
    return _Block(task, items, min(COLUMNS, len(items)))


def _shelves(blocks: Sequence[_Block]) -> Iterator[list[_Block]]:
    """Put blocks beside each other, in order, while there is room."""
    shelf: list[_Block] = []
    for block in blocks:
        if shelf and sum(other.columns for other in shelf) + block.columns > COLUMNS:
            yield shelf
            shelf = []
        shelf.append(block)
    yield shelf


def _rows_of(shelf: Sequence[_Block]) -> list[list[tuple[int, Item]]]:
    """The rows of a shelf, each item with its column."""
    rows: list[list[tuple[int, Item]]] = [[] for _ in range(max(len(block.rows) for block in shelf))]
    first = 0
    for block in shelf:
        for row, items in zip(rows, block.rows, strict=False):
            row.extend(enumerate(items, first))
        first += block.columns
    return rows


def _row_height(row: Sequence[tuple[int, Item]]) -> int:
    return SIZE + 10 + _LINE * (2 + max(len(_wrapped(item.question)) for _, item in row)) + 14


def _show_item(sheet: Image.Image, pen: ImageDraw.ImageDraw, item: Item, left: int, top: int) -> None:
    sheet.paste(item.picture, (left, top))
    lines: list[tuple[str, Colour]] = [
        (item.fault, FAULT if item.case else GREY),
        *((line, INK) for line in _wrapped(item.question)),
        (item.answer, RIGHT),
    ]
    for number, (line, colour) in enumerate(lines):
        pen.text((left, top + SIZE + 6 + number * _LINE), line, colour, font(TEXT))


def _wrapped(text: str) -> list[str]:
    """A text in lines that fit under a picture of a contact sheet."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font(TEXT).getlength(longer) <= PITCH - 14:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
