"""How a model judges its own visual thought."""

from __future__ import annotations

from typing import get_args

from g2u import prompts
from g2u.edits import EditCall, EditLibrary
from g2u.engine import Engine
from g2u.pictures import ImageRef, ImageStore
from g2u.policies import probabilities
from g2u.state import Action

ACTIONS: tuple[Action, ...] = get_args(Action)
"""What may become of a thought."""


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
