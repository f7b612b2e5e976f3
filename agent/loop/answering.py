"""The answer: one reader prompt after whatever is shown, and the message that tells it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from langchain_core.messages import AIMessage

from g2u import prompts

from ..engine.engine import Engine
from ..pictures.links import picture_block, picture_url, server_url
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from ..scoring.extraction import extract_option
from ..state import Answer, Context, Round
from .asked import AUTHOR
from .deciding.situation import probabilities
from .free_answers import possible_answer
from .fusions import Shown
from .native import tagged
from .thinking import split, think_and_read

MARKDOWN_SIZE = 512
"""Longest side of the pictures that the text of an answer links to, in pixels."""


async def read_answer(
    engine: Engine,
    store: ImageStore,
    prompt_set: str,
    context: Context,
    shown: Shown,
    question: str,
    options: Sequence[str] = (),
) -> Answer:
    """Let the model answer: of options the likeliest, or the one that it writes where it does not declare `scores`.

    Args:
        engine: Of the model.
        store: Where the pictures are.
        prompt_set: Of the model.
        context: Names the reader prompt and the most tokens of a written answer, the same in all answers of a run.
        shown: What the model sees before the prompt.
        question: Its stem.
        options: What may be answered; empty for a free answer.
    """
    began = time.perf_counter()
    able = (await engine.ready()).capabilities
    temperature, seed = context.temperature, context.seed
    segments, view = list(shown.segments), shown.view
    prompt = prompts.render(prompt_set, context.reader, question=question, options=options, note=shown.note)
    # A model that compares no texts writes in any case; the answer says so by what is written where chances would be.
    reads = context.reading if able.scores else "written"
    writes = not options or reads != "scored"
    reasoning, written, tokens, most = "", "", 0, context.max_tokens if writes else 0
    if context.think:
        segments, reading = await think_and_read(
            engine,
            store,
            prompt_set,
            segments,
            view,
            prompt,
            goes_on=shown.goes_on,
            answer_tokens=most,
            temperature=temperature,
            seed=seed,
        )
        reasoning, written = split(reading.text)
        if able.native:  # it was trained to mark its answer
            written = tagged(written, able.native) or written
        log_probability, tokens = reading.log_probability, reading.tokens
        if reasoning:  # the options come after it, as a drawing comes after its plan
            segments, prompt = [*segments, prompt], reasoning
    elif writes:
        reading = await engine.read(
            store, segments, prompt, max_tokens=most, temperature=temperature, seed=seed, view=view
        )
        written, log_probability, tokens = reading.text, reading.log_probability, reading.tokens
    sure: dict[str, float] = {}
    if not options:
        text, log_probability = await possible_answer(engine, store, segments, prompt, view, written, log_probability)
    elif reads == "written":
        text = extract_option(written, options) or written
    else:
        scores = await engine.score(store, segments, prompt, options, view=view)
        sure = probabilities(options, scores)
        text = max(sure, key=sure.__getitem__)
        log_probability = scores[list(options).index(text)]
    return Answer(
        text=text,
        probabilities=sure,
        log_probability=log_probability,
        written=written if writes else "",
        tokens=tokens if writes else 0,
        reasoning=reasoning,
        pictures=[part for part in shown.segments if isinstance(part, ImageRef)],
        seconds=time.perf_counter() - began,
    )


def answer_message(answer: Answer, kept: Sequence[Round]) -> AIMessage:
    """An answer for people: its text and, where a server shows pictures, the thoughts that it rests on.

    They come twice, as links in the text and as blocks, since chat clients show one or the other. Without a server the
    message is the text alone, which every chat model takes back.

    Args:
        answer: The final one.
        kept: Rounds whose thoughts count for it.
    """
    thoughts = [(turn.decision.edit, turn.thought) for turn in kept if turn.thought]
    if not server_url() or not thoughts:
        return AIMessage(answer.text or answer.missing, name=AUTHOR)
    shown = [f"![{edit}]({picture_url(ref)}?size={MARKDOWN_SIZE})" for edit, ref in thoughts]
    text = {"type": "text", "text": "\n\n".join([answer.text or answer.missing, *shown])}
    return AIMessage([text, *(picture_block(ref) for _, ref in thoughts)], name=AUTHOR)
