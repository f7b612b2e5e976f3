"""How VLMEvalKit reads an option out of a reply, version by version; quirks and all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..rows import FAILED

NONE_FITS: Final = "Z"
"""What the kit reads where a reply says that no option fits, or refuses in words that it knows."""
_REFUSALS: Final = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_BLANKS: Final = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_AMONG_LAST: Final = 4
"""Words at the end of a reply among which a letter counts as the answer."""


@dataclass(frozen=True)
class ChoiceRule:
    """What differs between versions of the kit.

    Attributes:
        said: Searched for where no letter stands alone: its group is the letter, whatever its case; `None`: nothing is.
    """

    said: re.Pattern[str] | None = None


def read_choice(reply: object, options: Mapping[str, Any], rule: ChoiceRule) -> str | None:
    """The label that the kit reads.

    Args:
        reply: What was answered, as the kit's tables hold it; a number is read as its digits.
        options: Label to what it stands for, in order.
        rule: Of the kit's version.

    Returns:
        A label, `NONE_FITS`, or `None` where the kit reads nothing.
    """
    text = str(reply)
    return _lettered(text, options, rule) or _worded(text, options)


def _lettered(text: str, options: Mapping[str, Any], rule: ChoiceRule) -> str | None:
    if FAILED.rstrip(".") in text:
        return None
    if any(refusal in text for refusal in _REFUSALS):
        return NONE_FITS
    words = text.translate(_BLANKS).split()
    found = [label for label in options if label in words]
    if len(found) == 1 and words.index(found[0]) >= len(words) - _AMONG_LAST:
        return found[0]
    if not found and NONE_FITS in words:
        return NONE_FITS
    said = rule.said and rule.said.search(text)
    if said and said[1].upper() in options:
        return said[1].upper()
    return None


def _worded(text: str, options: Mapping[str, Any]) -> str | None:
    """The one option whose words are part of a reply that is not much longer than all of them."""
    told, words = text.lower(), {label: str(option).lower() for label, option in options.items()}
    if len(told) > 2 * sum(len(str(option)) for option in options.values()):
        return None
    found = [label for label, option in words.items() if option in told]
    return found[0] if len(found) == 1 else None
