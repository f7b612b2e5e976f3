"""Runs as HTML: one file that needs nothing from outside, readable on a phone, in the dark and by a screen reader."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from ..scoring.expected import Expected
from ..scoring.scorers import score
from ..state import Answer
from .trace import Trace

_LARGEST: Final = 1024
"""Longest side of an embedded picture, in pixels; larger ones are shown scaled down."""
_LINES: Final = 40
"""Most members of a set that have a line of their own."""


@dataclass(frozen=True, kw_only=True)
class DemoCase:
    """A run on a picture of the world, of which the truth is known."""

    trace: Trace
    task: str
    fault: str
    """`none` for a clean picture."""
    truth: str

    def right(self, answer: Answer | None) -> bool:
        """Whether an answer is the truth, by the rule of every study."""
        expected = Expected(answers=(self.truth,), options=tuple(self.trace.header.options))
        return answer is not None and score(answer.text, expected).right

    @property
    def direct_right(self) -> bool:
        """Whether the answer from the original alone is right."""
        return self.right(self.trace.direct)

    @property
    def imagined_right(self) -> bool:
        """Whether the final answer is right."""
        return self.right(self.trace.answer)


def tally(cases: Sequence[DemoCase]) -> str:
    """How many answers are right with and without imagining, as one sentence."""
    imagined = sum(case.imagined_right for case in cases)
    direct = sum(case.direct_right for case in cases)
    return f"Right answers of {len(cases)}: {imagined} with imagining, {direct} without."


def render_run(trace: Trace, store: ImageStore) -> str:
    """HTML page of one run.

    Raises:
        PictureError: A picture of the run is not in the store.
    """
    return _render(store, title=trace.header.question, traces=[trace], cases=[])


def render_demo(cases: Sequence[DemoCase], store: ImageStore) -> str:
    """HTML page of several runs: a table of all of them, then each in full; the last line counts right answers.

    Raises:
        PictureError: A picture of a run is not in the store.
    """
    return _render(store, title="G2U demo", traces=[case.trace for case in cases], cases=cases, tally=tally(cases))


def _render(store: ImageStore, **variables: object) -> str:
    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["plain"] = plain
    environment.globals.update(asdict=asdict, data_uri=partial(_data_uri, store))
    return environment.get_template("page.html.j2").render(variables)


def plain(value: object) -> object:
    """A value of a table as a person writes it: no brackets, a dash for nothing, a line for each of a small set."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(inner)}" for name, inner in value.items())
    if isinstance(value, Set):
        return ("\n" if len(value) <= _LINES else ", ").join(sorted(map(str, value)))
    if isinstance(value, (list, tuple)):
        return ", ".join(str(plain(inner)) for inner in value)
    return value


def _data_uri(store: ImageStore, ref: ImageRef) -> str:
    """The picture itself as an address: lossless up to 1024 pixels, above that scaled down as JPEG."""
    image = store.open(ref)
    buffer = io.BytesIO()
    if max(image.size) <= _LARGEST:
        kind = "png"
        image.save(buffer, "PNG")
    else:
        kind = "jpeg"
        image.thumbnail((_LARGEST, _LARGEST))
        image.save(buffer, "JPEG", quality=90)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
