"""Runs of before: those in the folder of runs, the newest first."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

from ..errors import PictureError, TraceError
from ..traces.page import render_run
from ..traces.trace import Trace, read_trace, store_of
from .problems import RequestError

MOST: Final = 12
"""Runs that are listed at a time."""
MOST_READ: Final = 2000
"""Runs that are read for one list, where a filter lets few through."""
_NAME: Final = re.compile(r"\d{8}-\d{6}-\d{3}-[0-9a-f]{8}")
"""What `new_run_id` makes; nothing else is ever opened."""


def list_runs(runs: Path, before: str = "", words: str = "") -> dict[str, Any]:
    """Some runs in short, whether there are more, and the last that was looked at, before which those are.

    Args:
        runs: The folder.
        before: Name of a run; those that are older are listed. Empty for the newest.
        words: Each is in the question, the answers, the edits or the status of every run listed, in either case.
    """
    try:
        with os.scandir(runs) as entries:
            names = [entry.name for entry in entries if _NAME.fullmatch(entry.name)]
    except OSError:  # no run was made yet
        names = []
    older = sorted((name for name in names if not before or name < before), reverse=True)
    wanted = words.casefold().split()
    rows: list[dict[str, Any]] = []
    read = 0
    for name in older[:MOST_READ]:
        row = _row(runs / name)
        read += 1
        if all(word in _text_of(row) for word in wanted):
            rows.append(row)
        if len(rows) == MOST:
            break
    return {"runs": rows, "more": read < len(older), "last": older[read - 1] if read else before}


def find_run(runs: Path, name: str) -> Trace:
    """The trace of a run.

    Raises:
        RequestError: There is none of that name, or its record is damaged.
    """
    if not _NAME.fullmatch(name):
        raise RequestError(404, f"{name!r} is no name of a run.", "Names look like 20260101-120000-000-0123abcd.")
    try:
        return read_trace(runs / name)
    except TraceError as error:  # which would tell where the folder of runs is
        raise RequestError(404, f"The record of {name} is damaged, or gone.") from error


def page_of_run(runs: Path, name: str) -> str:
    """A run as one self-contained page.

    Raises:
        RequestError: There is none of that name, its record is damaged, or a picture of it is gone.
    """
    trace = find_run(runs, name)
    try:
        return render_run(trace, store_of(trace))
    except PictureError as error:
        raise RequestError(404, f"A picture of {name} is damaged, or gone.") from error


def _row(folder: Path) -> dict[str, Any]:
    try:
        trace = find_run(folder.parent, folder.name)
    except RequestError as error:
        return {"run": folder.name, "damaged": error.message}
    header, shown = trace.header, trace.shown
    return {
        "run": folder.name,
        "created": header.created.isoformat(),
        "question": header.question,
        "status": trace.status,
        "pictures": [ref.model_dump() for ref in header.pictures],
        "thought": shown.thought.model_dump() if shown and shown.thought else None,
        "edits": [turn.decision.edit for turn in trace.drawn],
        "direct": trace.direct.text if trace.direct else None,
        "answer": trace.answer.text if trace.answer else None,
    }


def _text_of(row: dict[str, Any]) -> str:
    """What a filter looks for words in."""
    texts = (row.get(name) or "" for name in ("question", "direct", "answer", "status", "damaged"))
    return "\n".join((*texts, *row.get("edits", ()))).casefold()
