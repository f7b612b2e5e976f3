"""How a kept thought meets the question: what the reader sees before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from g2u.models.protocol import View
from g2u.pictures import ImageRef
from g2u.state import Fusion, Round

Shown = tuple[list[ImageRef | str], View]
"""Pictures, and texts between them, in order; and whether as those that are read or as those that are drawn on."""


def concat(original: ImageRef, kept: Sequence[Round]) -> Shown:
    """The last kept thought beside the original."""
    return [original, _thoughts(kept)[-1]], "read"


def replace(original: ImageRef, kept: Sequence[Round]) -> Shown:
    """The last kept thought in the place of the original."""
    return [_thoughts(kept)[-1]], "read"


def continued(original: ImageRef, kept: Sequence[Round]) -> Shown:
    """The original and each kept thought after its instruction, all as the drawer sees them.

    A model whose view for drawing is its own then goes on from what it has computed for the first drawing.
    """
    pairs = [(turn.decision.instruction, turn.thought) for turn in kept if turn.thought]
    return [original, *(part for pair in pairs for part in pair)], "draw"


def _thoughts(kept: Sequence[Round]) -> list[ImageRef]:
    return [turn.thought for turn in kept if turn.thought]


FUSIONS: Mapping[Fusion, Callable[[ImageRef, Sequence[Round]], Shown]] = {
    "concat": concat,
    "replace": replace,
    "continued": continued,
}
"""Every fusion, as a function of the original and the kept rounds, at least one."""
