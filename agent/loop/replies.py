"""What a model meant that writes where others are compared: of models that do not declare `scores`."""

from __future__ import annotations

from collections.abc import Sequence

from ..edits.library import leaks


def meant(reply: str, choices: Sequence[str]) -> str | None:
    """The one choice that a reply names: it alone, whatever its case and outer marks, or as its whole words.

    Where one of several named choices holds all the others, as `light blue` holds `blue`, it is meant.

    Args:
        reply: As the model wrote it.
        choices: Texts of which one is expected.

    Returns:
        `None` where the reply names none of them, or several.
    """
    for choice in choices:
        if _plain(reply) == _plain(choice):
            return choice
    named = leaks(reply, choices)
    whole = [choice for choice in named if all(other in leaks(choice, named) for other in named)]
    return whole[0] if len(whole) == 1 else None


def _plain(text: str) -> str:
    return " ".join(text.split()).strip(" .,:;!?\"'`*()[]").casefold()
