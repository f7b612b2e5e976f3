"""What the page is told of a run: the same events while it is under way and when it is opened again later."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import to_json

from ..engine.previews import Preview
from ..traces.caveats import caveats
from ..traces.records import AnswerRecord, DirectRecord, DomainRecord, Event, Header, RoundRecord
from ..traces.trace import Trace

PREVIEW_SIDE: Final = 192
"""Longest side of a preview, in pixels."""
BEAT: Final = b": still here\n\n"
"""A comment that keeps a quiet stream open."""

_SHOWN: Final = {"kind", "run", "created", "pictures", "question", "options", "model"}
"""Of a header; folders of the server and versions are nobody's business on a page."""
_SETTINGS: Final = {"policy", "rounds", "reflect", "seed", "steps"}


def event_of(record: Header | Event, model: str) -> dict[str, Any]:
    """A record of a run as the page gets it.

    Args:
        record: Of the trace.
        model: Key of the model that runs, for what it says of its limits.
    """
    if isinstance(record, Header):
        told: dict[str, Any] = record.model_dump(mode="json", include=_SHOWN)
        told["model"] = model
        told["settings"] = {name: getattr(record.config, name) for name in sorted(_SETTINGS)}
        told["caveats"] = list(caveats(model, record.out_of_vocabulary, None, record.capabilities.edits))
        return told
    told = record.model_dump(mode="json", exclude={"engine"})
    if isinstance(record, DomainRecord):
        told["caveats"] = list(caveats(model, [], record.out_of_domain, "native"))
    return told


def events_of_trace(trace: Trace) -> Iterator[dict[str, Any]]:
    """What the page would have been told of a run that is over."""
    records: list[Header | Event] = [trace.header]
    if trace.out_of_domain is not None:
        records.append(DomainRecord(out_of_domain=trace.out_of_domain))
    records += [RoundRecord(round=turn) for turn in trace.rounds]
    if trace.under_way:
        records.append(trace.under_way)
    if trace.direct:
        records.append(DirectRecord(answer=trace.direct))
    if trace.answer:
        records.append(AnswerRecord(answer=trace.answer))
    records += trace.stops
    if trace.result:
        records.append(trace.result)
    for record in records:
        yield event_of(record, trace.header.model.model)


def event_of_preview(preview: Preview) -> dict[str, Any]:
    """A preview with its picture as an address that holds it."""
    picture = preview.picture.copy()
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=70, method=0)
    return {
        "kind": "preview",
        "step": preview.step,
        "round": preview.round,
        "done": preview.done,
        "total": preview.total,
        "picture": f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}",
    }


def sent(event: dict[str, Any]) -> bytes:
    """An event as a server sends it."""
    # A log-probability may be -inf, which is no JSON.
    return b"event: %s\ndata: %s\n\n" % (event["kind"].encode(), to_json(event, inf_nan_mode="strings"))
