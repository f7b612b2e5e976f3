"""What an answer of a study is worth, in each way that it was read."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator, Sequence

from g2u import prompts
from g2u.errors import G2UError, WriterError
from g2u.loop.deciding.writers import get_writer
from g2u.scoring.extraction import extract_option, extract_value
from g2u.scoring.scorers import JUDGE, SCORERS, is_own, score, scorer_of
from g2u.state import Answer

from ..grid.arms import AnswerReading
from ..grid.records import ItemRecord, Judgement, Line, Mark, Marks

AT_ONCE = 16
"""Lines that are marked at the same time."""
VERDICTS = {"yes": 1.0, "partly": 0.5, "no": 0.0}
"""What a judge may reply, at the start of its last line."""


async def marks_of(answer: Answer | None, item: ItemRecord, had: Marks) -> Marks:
    """A mark for each reading of an answer, that which it had where it had a value; none where there is no answer."""
    if answer is None:
        return {}
    known = {reading: mark for reading, mark in had.items() if not mark.unscored}
    return {
        reading: known[reading] if reading in known else await _mark(found, text, item)
        for reading, found, text in _readings(answer, item)
    }


async def marked(line: Line, item: ItemRecord) -> Line:
    """A line with the marks that it lacks, by the answers that it has."""
    marks, direct = await asyncio.gather(
        marks_of(line.answer, item, line.marks), marks_of(line.direct, item, line.direct_marks)
    )
    return line.model_copy(update={"marks": marks, "direct_marks": direct})


async def mark_late(lines: Sequence[Line], items: Sequence[ItemRecord]) -> AsyncIterator[Line]:
    """Lines that lack a value with the marks that can be had now; those of which none can be had are left out.

    The answers stay as they are: nothing is asked of the model again.
    """
    by_id = {item.id: item for item in items}
    for start in range(0, len(lines), AT_ONCE):
        some = lines[start : start + AT_ONCE]
        for line, found in zip(
            some, await asyncio.gather(*(marked(one, by_id[one.item]) for one in some)), strict=True
        ):
            if found != line:
                yield found


def _readings(answer: Answer, item: ItemRecord) -> Iterator[tuple[AnswerReading, str | None, str]]:
    """Each way in which an answer was read: what was found, and the text in which."""
    if answer.probabilities:
        yield "scored", answer.text, answer.text
    if item.options and (answer.written or not answer.probabilities):
        yield "written", extract_option(answer.written, item.options), answer.written
    elif not item.options:
        yield "written", extract_value(answer.text), answer.text


async def _mark(found: str | None, text: str, item: ItemRecord) -> Mark:
    scorer = scorer_of(item.expected)
    name, _, argument = scorer.partition(":")
    try:
        if is_own(scorer):
            known = await asyncio.to_thread(score, text, item.expected)
        elif name == JUDGE:
            return await _judged(argument, found, text, item)
        elif SCORERS[name].whole:
            known = score(text, item.expected)
        elif found is None:
            return Mark(found=None)
        else:
            known = score(found, item.expected)
    except WriterError as error:  # who cannot be reached now may be reached later
        return Mark(found=found, unscored=str(error))
    except Exception as error:  # whatever a function of a user's own raises: the answer was had, and is kept
        if not is_own(scorer):
            raise
        return Mark(found=found, unscored=f"The scorer {scorer!r} failed: {error}")
    return Mark(value=known.value, parts=dict(known.parts), found=found)


async def _judged(judge: str, found: str | None, text: str, item: ItemRecord) -> Mark:
    """Ask a chat model whether an answer is right.

    Raises:
        WriterError: It cannot be made or reached, or gives no verdict.
    """
    prompt = prompts.render(
        "judge", "judge", question=item.question, options=item.options, answers=item.answers, reply=text
    )
    try:
        message = importlib.import_module("langchain_core.messages").HumanMessage(prompt)
        # In a thread, since the clients behind chat models keep to the event loop that they first met.
        reply = str((await asyncio.to_thread(get_writer(judge).invoke, [message])).text)
    except G2UError as error:
        raise WriterError(f"The judge {judge!r} cannot be asked: {error.message}", error.hint) from error
    except Exception as error:  # every provider's client has errors of its own
        raise WriterError(f"The judge {judge!r} gave no reply: {error}") from error
    last = (reply.strip().splitlines() or [""])[-1].strip(" *.\"'").casefold()
    value = next((value for word, value in VERDICTS.items() if last.startswith(word)), None)
    if value is None:
        raise WriterError(f"The judge {judge!r} gave no verdict: {reply[:80]!r}.")
    return Mark(value=value, found=found, judgement=Judgement(judge=judge, prompt=prompt, reply=reply))
