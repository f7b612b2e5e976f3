"""One question of a benchmark, as its file has it, and what stands for an answer that could not be had."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

FAILED: Final = "Failed to obtain answer via API."
"""What VLMEvalKit has in the place of an answer that could not be had; it says nothing."""


@dataclass(frozen=True)
class Row:
    """A row of a benchmark's file: what readers yield and scorers take.

    Attributes:
        index: As text; unique in its file.
        cells: The text of every other column but the pictures, by the name of the column; an empty cell is empty text.
        pictures: Encoded pictures (PNG, JPEG and the like) in order; empty where only the text was asked for.
    """

    index: str
    cells: dict[str, str]
    pictures: tuple[bytes, ...] = field(default=(), repr=False)
