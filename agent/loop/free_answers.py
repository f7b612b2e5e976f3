"""Free answers of models that declare the only ones they can give."""

from __future__ import annotations

from collections.abc import Sequence

from ..engine.engine import Engine
from ..models.protocol import View
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore


async def possible_answer(
    engine: Engine,
    store: ImageStore,
    segments: Sequence[ImageRef | str],
    prompt: str,
    view: View,
    text: str,
    log_probability: float | None,
) -> tuple[str, float | None]:
    """What a model wrote, where that is one of its answers or it declares none; else the likeliest of its answers.

    Args:
        engine: Of the model.
        store: Where the pictures are.
        segments: What it saw before the prompt.
        prompt: What it answered.
        view: How it saw the pictures.
        text: What it wrote.
        log_probability: Of that, natural logarithm; `None` of a model that does not tell it.

    Returns:
        The answer and its log-probability.
    """
    answers = (await engine.ready()).capabilities.answers
    if answers is None or text in answers:
        return text, log_probability
    choices = sorted(answers)
    scores = await engine.score(store, segments, prompt, choices, view=view)
    likeliest = max(scores)
    return choices[scores.index(likeliest)], likeliest
