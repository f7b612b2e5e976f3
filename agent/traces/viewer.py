"""The viewer of a folder of runs: one page beside them that lists, filters and compares; no server is needed.

The page holds the words of all runs; pictures stay where they are, in the store, and are shown from there. So it is
small with hundreds of runs, and moves with its folder.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..errors import TraceError
from ..files import write_atomic
from ..pictures.references import ImageRef
from ..state import Answer
from .catalogue import Catalogue, find_runs, summary_of
from .page import plain
from .trace import Trace, store_of

FILE: Final = "runs.html"
"""Of the viewer, in the folder of runs."""
RUN_PAGE: Final = "index.html"
"""Of a run, in its own folder."""


def write_viewer(folder: Path) -> Path:
    """Write the page of a folder of runs.

    Args:
        folder: Above the runs.

    Returns:
        The page.

    Raises:
        TraceError: There is no run in the folder, or it is a run itself.
        OutputError: The page cannot be written.
    """
    catalogue = find_runs(folder)
    if not catalogue.traces:
        what = f" {catalogue.unreadable[0]}" if catalogue.unreadable else ""
        raise TraceError(f"There is no run in {str(folder)!r}.{what}", "Make one: `g2u ask PICTURE QUESTION`.")
    if any(trace.folder == folder for trace in catalogue.traces):
        raise TraceError(f"{str(folder)!r} is a run, not a folder above runs.", f"Its page is {folder / RUN_PAGE}.")
    page = folder / FILE
    write_atomic(page, render_viewer(catalogue, folder).encode())
    return page


def render_viewer(catalogue: Catalogue, folder: Path) -> str:
    """HTML of the viewer.

    Args:
        catalogue: The runs.
        folder: Where the page will be.
    """
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    data = json.dumps([_entry(trace, folder) for trace in catalogue.traces], separators=(",", ":"))
    return environment.get_template("viewer.html.j2").render(
        folder=str(folder),
        unreadable=catalogue.unreadable,
        data=data.replace("<", "\\u003c"),  # nothing in it can end the element that holds it
        script=(here / "viewer.js").read_text("utf-8"),
    )


def _entry(trace: Trace, folder: Path) -> dict[str, Any]:
    """What the page knows of a run."""
    store, top = store_of(trace), trace.header

    def address(path: Path) -> str:
        return quote(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix())

    def shown(ref: ImageRef | None) -> dict[str, Any] | None:
        return None if ref is None else {"at": address(store.path(ref)), "size": [ref.width, ref.height]}

    def said(answer: Answer | None) -> dict[str, Any] | None:
        if answer is None:
            return None
        sure = {option: round(share, 4) for option, share in answer.probabilities.items()}
        return {"text": answer.text, "sure": sure, "read": [trace.name_of(ref) for ref in answer.pictures]}

    page = trace.folder / RUN_PAGE
    return summary_of(trace).model_dump(mode="json") | {
        "page": address(page) if page.is_file() else None,
        "pictures": [shown(ref) for ref in top.pictures],
        "notes": [*trace.caveats, *(f"Stopped ({stop.cause}): {stop.message}" for stop in trace.stops)],
        "rounds": [
            {
                "edit": turn.decision.edit,
                "instruction": turn.decision.instruction,
                "from": trace.name_of(turn.source),
                "reason": turn.decision.reason,
                "verdict": turn.verdict.action if turn.verdict else None,
                "why": turn.verdict.reason if turn.verdict else "",
                "thought": shown(turn.thought),
            }
            for turn in trace.rounds
        ],
        "direct": said(trace.direct),
        "final": said(trace.answer),
        "settings": {name: str(plain(value)) for name, value in asdict(top.config).items() if name != "store"}
        | {"weights hash": top.model.weights[:12] or "-", "g2u": top.g2u, "gold edits": str(plain(top.gold_edits))},
        "timings": {name: round(value, 4) for name, value in trace.timings},
    }
