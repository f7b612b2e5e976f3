"""What a task of lmms-eval asks: the text of a request, taken apart where it holds a drawing prompt of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ...errors import QuestionError

_PARTS: Final = {name: re.compile(rf"\[{name}\](.*?)\[/{name}\]", re.DOTALL) for name in ("GEN_PROMPT", "QUESTION")}
"""The form of UniG2U; between the two parts there is nothing, or a line break."""


@dataclass(frozen=True)
class Asked:
    """The text of a request."""

    question: str
    """What the model is to answer, as the task wrote it, options among it."""
    instruction: str
    """What the task wants drawn first; empty where it leaves that to the model."""


def asked_in(text: str) -> Asked:
    """Take the text of a request apart.

    Args:
        text: `[GEN_PROMPT]...[/GEN_PROMPT][QUESTION]...[/QUESTION]`, or a question as it is. A literal `{question}` in
            the first part stands for the second.

    Raises:
        QuestionError: It has one of the two parts alone, or an empty one.
    """
    found = {name: part.search(text) for name, part in _PARTS.items()}
    if not any(found.values()):
        return Asked(text.strip(), "")
    parts = {name: match[1].strip() if match else "" for name, match in found.items()}
    for name, part in parts.items():
        if not part:
            hint = "Both stand in the text, [GEN_PROMPT]...[/GEN_PROMPT][QUESTION]...[/QUESTION], or neither does."
            raise QuestionError(f"The task's text has no [{name}], or an empty one.", hint)
    return Asked(parts["QUESTION"], parts["GEN_PROMPT"].replace("{question}", parts["QUESTION"]))
