"""What a model says about the limits of its own answer, in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

from ..models.protocol import Edits, UnifiedModel, VocabularyModel

OUTSIDE: Final = 0.98
"""From this score on a picture lies outside of what a model was trained on.

By what the score means, this is a false alarm for about one in fifty pictures of the world itself. A higher bound would
raise fewer and would let more photographs pass: `docs/mini.md` has figures.
"""


def unknown_words(model: UnifiedModel, question: str, options: Sequence[str]) -> list[str]:
    """The words of a question and its options that a model was never taught, in order and without repeats."""
    if not model.capabilities.closed_vocabulary:
        return []
    unknown = cast(VocabularyModel, model).unknown_words
    return list(dict.fromkeys(word for text in (question, *options) for word in unknown(text)))


def caveats(model: str, out_of_vocabulary: Sequence[str], out_of_domain: float | None, edits: Edits) -> Iterator[str]:
    """One sentence for each limit that a run met.

    Args:
        model: Its key.
        out_of_vocabulary: Words that it does not know.
        out_of_domain: How far the picture lies from what it was trained on; `None` where it cannot say.
        edits: How its drawings come about.
    """
    if edits == "reimagine":
        yield f"{model} edits no pixels: it draws anew what it has read, and what it did not read is made up."
    if out_of_vocabulary:
        words = f"word{'s' if len(out_of_vocabulary) > 1 else ''} {', '.join(out_of_vocabulary)}"
        yield f"{model} does not know the {words}; it answers from the rest."
    if out_of_domain is not None and out_of_domain >= OUTSIDE:
        yield f"This picture lies outside of what {model} was trained on; its answer makes no claim."
