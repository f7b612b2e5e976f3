"""How a model judges its own visual thought: what becomes of it, and how faithful it is."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import get_args

from g2u import prompts

from ..edits.library import EditCall, EditLibrary
from ..engine.engine import Engine
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from ..state import Action
from .deciding.situation import probabilities

ACTIONS: tuple[Action, ...] = get_args(Action)
"""What may become of a thought."""
RATINGS = ("followed", "kept")
"""What is rated, and the templates that ask for it: the instruction was done; the rest was left as it is."""
SCALE = tuple(str(number) for number in range(11))
"""What a rating may be."""


async def judge(
    engine: Engine, store: ImageStore, source: ImageRef, thought: ImageRef, question: str, call: EditCall
) -> dict[Action, float]:
    """Let the model compare a thought with what it was drawn from.

    Args:
        engine: Of the model.
        store: Where the pictures are.
        source: The picture that was edited.
        thought: What came of it.
        question: Its stem.
        call: The edit.

    Returns:
        The probability of each action; they sum to one.
    """
    model = await engine.ready()
    instruction = EditLibrary.load().instruction(call)  # without the question, which the prompt has already
    prompt = prompts.render(model.prompt_set, "reflect", question=question, instruction=instruction)
    scores = await engine.score(store, [source, thought], prompt, ACTIONS)
    return dict(zip(ACTIONS, probabilities(ACTIONS, scores).values(), strict=True))


async def rate(
    engine: Engine, store: ImageStore, source: ImageRef, thought: ImageRef, instruction: str, question: str
) -> dict[str, float] | None:
    """Let the model rate the fidelity of a drawing, where nothing is known of what it should have been.

    A rating is the mean of the numbers 0 to 10, weighted with the probability that the model gives each.

    Args:
        engine: Of the model.
        store: Where the pictures are.
        source: The picture that was edited.
        thought: What came of it.
        instruction: What the drawer was told.
        question: Its stem.

    Returns:
        `followed`, whether the instruction was done, and `kept`, whether the rest was left as it is, 0 to 10 each;
        `None` for a model whose prompt set does not ask for them.
    """
    model = await engine.ready()
    if not set(RATINGS) <= set(prompts.templates(model.prompt_set)):
        return None
    variables = {"instruction": instruction, "question": question}
    asked = [prompts.render(model.prompt_set, name, **variables) for name in RATINGS]
    scores = await asyncio.gather(*(engine.score(store, [source, thought], prompt, SCALE) for prompt in asked))
    return {name: _mean(values) for name, values in zip(RATINGS, scores, strict=True)}


def _mean(log_probabilities: Sequence[float]) -> float:
    return math.fsum(int(number) * weight for number, weight in probabilities(SCALE, log_probabilities).items())
