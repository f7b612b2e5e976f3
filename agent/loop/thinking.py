"""Writing before drawing and before answering, for models that declare `thinks`.

A text of the prompt set that asks for a thought comes before the pictures. The thought before a drawing is a text
after the instruction; the thought before an answer ends with a mark, and what stands after it is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from g2u import prompts

from ..engine.engine import Engine
from ..engine.requests import ProgressCallback
from ..models.protocol import Reading, View
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore

TOKENS: Final = 1000
"""Of a thought at most, as in the official program of BAGEL."""
END: Final = "</think>"
"""Where a thought before an answer ends."""

Segments = list[ImageRef | str]
"""What a model sees before a text."""


async def plan_drawing(
    engine: Engine,
    store: ImageStore,
    prompt_set: str,
    source: ImageRef,
    instruction: str,
    *,
    temperature: float,
    seed: int,
    deadline: float,
    on_progress: ProgressCallback,
) -> tuple[Segments, str]:
    """Let the model plan a drawing.

    Returns:
        What the drawing is made from before its instruction, and the plan.
    """
    segments: Segments = [prompts.render(prompt_set, "think_draw"), source]
    reading = await engine.read(
        store,
        segments,
        instruction,
        max_tokens=TOKENS,
        temperature=temperature,
        seed=seed,
        view="draw",
        deadline=deadline,
        on_progress=on_progress,
    )
    return segments, reading.text


async def think_and_read(
    engine: Engine,
    store: ImageStore,
    prompt_set: str,
    segments: Sequence[ImageRef | str],
    view: View,
    prompt: str,
    *,
    goes_on: bool,
    answer_tokens: int,
    temperature: float,
    seed: int,
) -> tuple[Segments, Reading]:
    """Let the model think before it answers.

    Args:
        engine: Of the model.
        store: Where the pictures are.
        prompt_set: Of the model.
        segments: What is asked about.
        view: How the model sees that.
        prompt: The rendered reader prompt.
        goes_on: Whether it goes on from a drawing, which a text that asks for a plan came before.
        answer_tokens: Tokens of the answer at most, beside those of the thought; 0 where options are compared instead.
        temperature: Of the chance by which the model writes.
        seed: Of that chance.

    Returns:
        What the answer is made from before its prompt, and thought and answer in one text, for `split`.
    """
    asks = prompts.render(prompt_set, "think_answer")
    begun = prompts.render(prompt_set, "think_draw")
    if not goes_on:
        thinking: Segments = [asks, *segments]
    else:  # one text may ask for both
        thinking = [begun, *segments, *([asks] if asks != begun else [])]
    return thinking, await engine.read(
        store, thinking, prompt, max_tokens=TOKENS + answer_tokens, temperature=temperature, seed=seed, view=view
    )


def split(text: str) -> tuple[str, str]:
    """A thought, its end included, and the answer after it; all is answer where no thought came to its end."""
    thought, end, answer = text.rpartition(END)
    return thought + end, answer.strip()
