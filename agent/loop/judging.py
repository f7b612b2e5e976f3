"""The model's judgement of a thought beside what it was drawn from, as a step of a round."""

from __future__ import annotations

import asyncio
import time

from PIL import Image, ImageChops, ImageStat

from ..engine.counters import count_step
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from ..state import Asked, Round, Verdict
from .host import Host
from .verdicts import ACTIONS, judge


async def judged(host: Host, state: Asked, turn: Round) -> Round:
    """A round with its verdict.

    Args:
        host: Of the run.
        state: Holds the question.
        turn: Has its thought.
    """
    began = time.perf_counter()
    assert turn.thought is not None, "it was drawn"
    host.tell({"step": "reflect", "round": turn.number, "done": 0, "total": 1})
    sure, change = await asyncio.gather(
        judge(host.engine, host.store, turn.source, turn.thought, state["asked"].question, turn.decision.call),
        asyncio.to_thread(_change, host.store, turn.source, turn.thought),
    )
    action = max(ACTIONS, key=sure.__getitem__)
    second, third = sorted(set(ACTIONS) - {action}, key=sure.__getitem__, reverse=True)
    reason = f"{action} at {sure[action]:.2f}, before {second} at {sure[second]:.2f} and {third} at {sure[third]:.2f}."
    verdict = Verdict(action=action, reason=reason, probabilities=sure, change=change)
    return timed(turn.model_copy(update={"verdict": verdict}), "reflect", began)


def timed(turn: Round, step: str, began: float) -> Round:
    """A round with the wall time of a step, from `began` in `time.perf_counter()` seconds until now; it is counted."""
    seconds = time.perf_counter() - began
    count_step(step, seconds)
    return turn.model_copy(update={"seconds": {**turn.seconds, step: seconds}})


def _change(store: ImageStore, source: ImageRef, thought: ImageRef) -> float:
    """Mean absolute difference of two pictures, in [0, 1]; the thought is scaled to the source where sizes differ."""
    before, after = store.open(source), store.open(thought)
    if after.size != before.size:
        after = after.resize(before.size, Image.Resampling.BICUBIC)
    bands = ImageStat.Stat(ImageChops.difference(before, after)).mean
    return sum(bands) / len(bands) / 255
