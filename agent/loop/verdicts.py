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
    """Let the model compare a thought with what it was drawn from; it declares `scores`.

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
    scores = await engine.score(store, [source, thought], await _asked(engine, question, call), ACTIONS)
    return dict(zip(ACTIONS, probabilities(ACTIONS, scores).values(), strict=True))


async def write_verdict(
    engine: Engine,
    store: ImageStore,
    source: ImageRef,
    thought: ImageRef,
    question: str,
    call: EditCall,
    *,
    temperature: float,
    seed: int,
) -> str:
    """Let the model compare them in words, where it does not declare `scores`.

    Args:
        engine: As for `judge`, and so are the others.
        store: Where the pictures are.
        source: The picture that was edited.
        thought: What came of it.
        question: Its stem.
        call: The edit.
        temperature: Of the chance by which it writes.
        seed: Of that chance.

    Returns:
        What it wrote.
    """
    prompt = await _asked(engine, question, call)
    reading = await engine.read(store, [source, thought], prompt, temperature=temperature, seed=seed)
    return reading.text


async def _asked(engine: Engine, question: str, call: EditCall) -> str:
    instruction = EditLibrary.load().instruction(call)  # without the question, which the prompt has already
    prompt_set = (await engine.ready()).prompt_set
    return prompts.render(prompt_set, "reflect", question=question, instruction=instruction)


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
        `None` for a model whose prompt set does not ask for them, or that does not declare `scores`.
    """
    model = await engine.ready()
    if not model.capabilities.scores or not set(RATINGS) <= set(prompts.templates(model.prompt_set)):
        return None
    variables = {"instruction": instruction, "question": question}
    asked = [prompts.render(model.prompt_set, name, **variables) for name in RATINGS]
    scores = await asyncio.gather(*(engine.score(store, [source, thought], prompt, SCALE) for prompt in asked))
    return {name: _mean(values) for name, values in zip(RATINGS, scores, strict=True)}


def _mean(log_probabilities: Sequence[float]) -> float:
    return math.fsum(int(number) * weight for number, weight in probabilities(SCALE, log_probabilities).items())
