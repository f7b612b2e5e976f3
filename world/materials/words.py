"""The words of the world: what pictures can show and what questions and answers can say.

Tensors hold indices into `WORDS`. Every one of them is a single token for mini, so that a batch of training is a
look-up.
"""

from __future__ import annotations

from collections.abc import Iterable

from .atlas import CONCEPTS

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.87, 0.12, 0.14),
    "orange": (0.97, 0.58, 0.12),
    "yellow": (0.98, 0.88, 0.15),
    "green": (0.16, 0.66, 0.25),
    "teal": (0.12, 0.78, 0.78),
    "blue": (0.10, 0.22, 0.80),
    "purple": (0.60, 0.28, 0.82),
    "pink": (0.98, 0.66, 0.80),
    "brown": (0.44, 0.25, 0.10),
    "black": (0.07, 0.07, 0.07),
    "gray": (0.55, 0.55, 0.55),
    "white": (0.99, 0.99, 0.99),
}
"""The eleven basic colour words of English (Berlin and Kay 1969) and teal; no two have the same lightness, so that a
picture without colour can still be given its colours back."""

SHAPES: tuple[str, ...] = (
    "circle", "square", "triangle", "diamond", "star", "cross", "ring", "heart", "oval", "pentagon", "hexagon",
    "crescent",
)  # fmt: skip

SYNONYMS: dict[str, str] = {
    "disc": "circle",
    "box": "square",
    "rhombus": "diamond",
    "plus": "cross",
    "hoop": "ring",
    "ellipse": "oval",
    "grey": "gray",
    "violet": "purple",
    "turquoise": "teal",
}
"""Other words for the same, used in questions only, never as options or answers."""

WRITTEN: tuple[str, ...] = (
    "ACE", "AIR", "ALL", "ARM", "ART", "BAR", "BIG", "CUP", "DAY", "EAR", "END", "EYE", "FIN", "FUN", "GAS", "HOT",
    "JOB", "LAW", "LEG", "LOW", "MAP", "NET", "NEW", "OIL", "OLD", "PAN", "RUN", "SEA", "SIX", "SKY", "TEN", "TOP",
    "TWO", "VAN", "WAY", "ZIP", "ACID", "BACK", "BLUE", "CAFE", "CITY", "COLD", "DARK", "EAST", "EXIT", "FAST",
    "GOLD", "HALF", "HIGH", "HOME", "JUMP", "KING", "LAKE", "LIFT", "MILK", "NORTH", "OPEN", "PARK", "QUIZ", "RIVER",
    "SHOP", "SLOW", "STOP", "TAXI",
)  # fmt: skip
"""Words that pictures show in letters."""

NUMBERS: tuple[str, ...] = tuple(str(number) for number in range(100))
LETTERS: tuple[str, ...] = ("A", "B", "C", "D")
"""Names of lines in a tangle."""
PLACES: tuple[str, ...] = ("top", "middle", "bottom", "left", "right")
YES_NO: tuple[str, ...] = ("yes", "no")

WORDS: tuple[str, ...] = (
    *COLOURS, *SHAPES, *CONCEPTS, *SYNONYMS, *WRITTEN, *NUMBERS, *LETTERS, *PLACES, *YES_NO,
)  # fmt: skip
"""Every word that can be a subject, an option or an answer; no two are equal."""

ANSWERS: frozenset[str] = frozenset(WORDS) - frozenset(SYNONYMS)
"""Every word that can be an option or an answer."""

_INDEX = {word: index for index, word in enumerate(WORDS)}

COLOUR, SHAPE, CONCEPT = (_INDEX[words[0]] for words in (tuple(COLOURS), SHAPES, CONCEPTS))
"""Where the colours, the shapes and the concepts begin in `WORDS`."""


def indices(words: Iterable[str]) -> tuple[int, ...]:
    """Places of words in `WORDS`."""
    return tuple(_INDEX[word] for word in words)
