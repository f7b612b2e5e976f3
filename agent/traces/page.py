"""Runs as HTML that needs nothing from outside: a page, also for a phone and a screen reader, and a notebook's cell."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..errors import PictureError
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from ..scoring.expected import Expected
from ..scoring.scorers import score
from ..state import Answer, Question, Round, Stop
from .trace import Trace

_LARGEST: Final = 1024
"""Longest side of an embedded picture, in pixels; larger ones are shown scaled down."""
_LARGEST_IN_CELL: Final = 320
"""The same in a notebook, which keeps what its cells put out."""
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


def render_cell(
    store: ImageStore,
    *,
    asked: Question,
    rounds: Sequence[Round],
    direct: Answer,
    final: Answer,
    imagined: bool,
    stopped: Stop | None,
    caveats: Sequence[str],
) -> str:
    """HTML of one run for the output of a notebook's cell; a picture that is not in the store is shown as missing.

    Args:
        store: That should have the pictures.
        asked: The originals and the question.
        rounds: Edits, thoughts and verdicts.
        direct: Answer from the original alone.
        final: With the kept thought, or the direct one.
        imagined: Whether a thought was kept.
        stopped: Why the run drew no more.
        caveats: What the model says about the limits of its answer.
    """
    return _environment(lambda ref: _address_within(store, ref)).get_template("cell.html.j2").render(
        asked=asked, rounds=rounds, direct=direct, final=final, imagined=imagined, stopped=stopped, caveats=caveats
    )  # fmt: skip


def _render(store: ImageStore, **variables: object) -> str:
    return _environment(lambda ref: _data_uri(store, ref, _LARGEST)).get_template("page.html.j2").render(variables)


def _environment(data_uri: Callable[[ImageRef], str]) -> Environment:
    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["plain"] = plain
    environment.globals.update(asdict=asdict, data_uri=data_uri)
    return environment


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


def _address_within(store: ImageStore, ref: ImageRef) -> str:
    """The same for a notebook, empty where the picture is gone: what is left of a run is shown all the same."""
    try:
        return _data_uri(store, ref, _LARGEST_IN_CELL)
    except PictureError:
        return ""


def _data_uri(store: ImageStore, ref: ImageRef, largest: int) -> str:
    """The picture itself as an address: lossless up to so many pixels, above that scaled down as JPEG."""
    image = store.open(ref)
    buffer = io.BytesIO()
    if max(image.size) <= largest:
        kind = "png"
        image.save(buffer, "PNG")
    else:
        kind = "jpeg"
        image.thumbnail((largest, largest))
        image.save(buffer, "JPEG", quality=90)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
