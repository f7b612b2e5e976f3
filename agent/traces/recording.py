"""What a run writes down: its header, the events that the graph's stream means, its end and its page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from g2u import prompts

from ..edits.library import EditLibrary
from ..engine.engine import Engine
from ..errors import DeadlineError
from ..files import write_atomic
from ..loop.admission import sampler_of
from ..models.protocol import UnifiedModel
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from ..state import Context
from ..version import __version__
from .caveats import unknown_words
from .page import render_run
from .records import (
    AnswerRecord,
    DecisionRecord,
    DirectRecord,
    DomainRecord,
    Event,
    Header,
    RoundRecord,
    StopRecord,
    new_run_id,
)
from .trace import TraceWriter, read_trace, store_of


def finish(trace: TraceWriter | None, last: Event) -> None:
    """Write the last record and then the page; nothing without a trace.

    Raises:
        OutputError: One of them cannot be written.
        PictureError: A picture of the run is not in the store any more.
    """
    if trace is None:
        return
    with trace:
        trace.write(last)
    found = read_trace(trace.path.parent)
    write_atomic(found.folder / "index.html", render_run(found, store_of(found)).encode())


def header_of(
    context: Context,
    model: UnifiedModel,
    pictures: Sequence[ImageRef],
    question: str,
    options: list[str],
    gold_edits: list[str],
) -> Header:
    """The first record of a run: all that decides it."""
    own_edits = EditLibrary.load().digest
    return Header(
        run=new_run_id(),
        g2u=__version__,
        pictures=list(pictures),
        question=question,
        options=options,
        gold_edits=gold_edits,
        out_of_vocabulary=unknown_words(model, question, options),
        config=context,
        model=model.identity,
        capabilities=model.capabilities,
        sampler=sampler_of(context, model),
        prompts=prompts.digest()
        | prompts.own_digest(model.prompt_set)
        | ({"$G2U_EDITS": own_edits} if own_edits else {}),
    )


async def domain_of(
    engine: Engine, store: ImageStore, pictures: Sequence[ImageRef], context: Context
) -> DomainRecord | None:
    """How far the farthest of the pictures lies; the time that this takes is the run's.

    Returns:
        `None` for a model that cannot say, and where the seconds were over first.
    """
    began = time.perf_counter()
    try:
        deadline = time.monotonic() + context.seconds
        shares = await asyncio.gather(*(engine.out_of_domain(store, ref, deadline=deadline) for ref in pictures))
    except DeadlineError:  # the run goes on to its answer, as it does when there is no time for a round
        return None
    known = [share for share in shares if share is not None]
    return DomainRecord(out_of_domain=max(known), seconds=time.perf_counter() - began) if known else None


def events_of(kind: str, data: Mapping[str, Any]) -> Iterator[Event]:
    """What one part of the graph's stream means for the trace.

    Args:
        kind: `updates` or `custom`, as LangGraph calls it.
        data: What came with it.
    """
    if kind == "custom":
        if data["step"] == "stop":
            yield StopRecord(cause=data["cause"], message=data["message"])
        return
    for node, update in data.items():
        if node == "begin" or update is None:
            continue
        if node == "decide" and (pending := update.get("pending")):
            yield DecisionRecord(round=pending.number, decision=pending.decision)
        for turn in update.get("rounds", []):
            yield RoundRecord(round=turn)
        if node == "answer":
            yield DirectRecord(answer=update["direct"])
            yield AnswerRecord(answer=update["answer"])


def seconds_of(events: Sequence[Event]) -> dict[str, float]:
    """Wall time per step in seconds, summed over the rounds."""
    seconds: dict[str, float] = {}
    for event in events:
        if isinstance(event, DomainRecord):
            seconds["domain"] = event.seconds
        elif isinstance(event, RoundRecord):
            for step, value in event.round.seconds.items():
                seconds[step] = seconds.get(step, 0.0) + value
        elif isinstance(event, DirectRecord | AnswerRecord):
            seconds[event.kind] = event.answer.seconds
    return seconds
