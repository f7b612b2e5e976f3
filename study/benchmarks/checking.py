"""Whether a benchmark can be asked: its sum, columns, pictures and answers, row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from g2u.errors import BenchmarkError, PictureError
from g2u.pictures.decoding import decode

from .questions import clusters_of, question_of
from .sources import Source

MAX_PIXELS: Final = 64_000_000
"""Of a picture, as the image store takes it."""


@dataclass
class Checked:
    """What was found."""

    rows: int = 0
    """That can be asked."""
    pictures: int = 0
    """Of those."""
    without: int = 0
    """Rows without a picture, which are not asked."""
    clusters: int = 0
    """Of rows that are right together only."""
    groups: dict[str, int] = field(default_factory=dict)
    """How many values each of them has."""
    faults: list[str] = field(default_factory=list)
    """One for each row that cannot be asked."""


def check(source: Source, on_progress: Callable[[int], None] = lambda rows: None) -> Checked:
    """Look at every row, and decode every picture.

    Args:
        source: A benchmark that was opened, its sum and columns with it.
        on_progress: Told how many rows were looked at.

    Raises:
        BenchmarkError: The file cannot be read as a whole.
    """
    found, where = Checked(), source.reader.name
    indices: list[str] = []
    values: dict[str, set[str]] = {}

    def fault(error: BenchmarkError) -> None:
        found.faults.append(str(error))

    for number, row in enumerate(source.reader.rows(on_fault=fault), 1):
        on_progress(number)
        try:
            asked = question_of(row, source.benchmark, where)
            clusters_of([row.index], source.benchmark.form, where)
            for place, data in enumerate(row.pictures, 1):
                name = f"{where}: row {row.index!r}, column 'image': picture {place}"
                decode(data, name, MAX_PIXELS)
        except PictureError as error:
            fault(BenchmarkError(error.message, error.hint))
            continue
        except BenchmarkError as error:
            fault(error)
            continue
        if not row.pictures:
            found.without += 1
            continue
        found.rows += 1
        found.pictures += len(row.pictures)
        indices.append(row.index)
        for name, value in asked.groups.items():
            values.setdefault(name, set()).add(value)
    found.clusters = len(set(filter(None, clusters_of(indices, source.benchmark.form, where).values())))
    found.groups = {name: len(own) for name, own in values.items()}
    return found
