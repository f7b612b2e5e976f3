"""Imagining inside a model's own text, for those that declare how, see `Native`: what it is told, draws and answers.

Everything that it saw and wrote is one sequence: a text of its own that says how, the pictures and the question, then
its texts and drawings in turns. All of it is seen as a drawer sees it. The question is told with its options, as the
model was trained, so that what it draws may depend on them: the leak lint is for edits that are picked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from g2u import prompts

from ..models.protocol import Native
from ..pictures.references import ImageRef
from ..scoring.extraction import extract_option
from ..state import Answer, Question, Round
from .drawing import Drawing

Segments = list[ImageRef | str]


def told(prompt_set: str, asked: Question, rounds: Sequence[Round]) -> Segments:
    """All that the model saw and wrote so far, in order.

    Args:
        prompt_set: Of the model.
        asked: What is asked.
        rounds: So far; each has what was written and, where that asked for one, a drawing.
    """
    begun: Segments = [prompts.render(prompt_set, "native"), *asked.pictures]
    question = prompts.render(prompt_set, "native_question", question=asked.question, options=asked.options)
    return [*begun, question, *(part for turn in rounds for part in (turn.plan, turn.thought) if part)]


def as_told(drawing: Drawing, before: Sequence[ImageRef | str], text: str) -> Drawing:
    """A drawing inside the text.

    Args:
        drawing: Of the round.
        before: What was told before the text, see `told`.
        text: Asks for it.
    """
    *segments, last = before
    if isinstance(last, ImageRef):
        return replace(drawing, segments=list(before), instruction=text, plan="")
    return replace(drawing, segments=segments, instruction=last, plan=text)


def tagged(text: str, native: Native) -> str | None:
    """The answer that a text has in its marks, the last one; `None` where there is none."""
    _, begin, rest = text.rpartition(native.answer[0])
    answer, end, _ = rest.partition(native.answer[1])
    return answer.strip() if begin and end and answer.strip() else None


def native_answer(native: Native, asked: Question, rounds: Sequence[Round], began: float) -> Answer:
    """What the model answered in its own text; an answer without a text says why there is none.

    Args:
        native: How the model imagines.
        asked: What was asked.
        rounds: All of them.
        began: When the step began, in `time.perf_counter()` seconds.
    """
    last = rounds[-1].plan if rounds else ""
    found = tagged(last, native)
    text = found or ""
    if found and asked.options:
        text = extract_option(found, asked.options) or found
    why = f"The last text of the model has no {native.answer[0]}...{native.answer[1]}" if last else "It wrote no text"
    return Answer(
        text=text,
        missing="" if found else f"{why}, so that there is no answer.",
        log_probability=None,
        written=found or last,
        reasoning="\n\n".join(turn.plan for turn in rounds if turn.plan),
        pictures=[*asked.pictures, *(turn.thought for turn in rounds if turn.thought)],
        seconds=time.perf_counter() - began,
    )
