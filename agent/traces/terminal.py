"""Runs in the terminal, pictures included where it can show them."""

from __future__ import annotations

import logging
import os
import sys

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from ..state import Answer, Round
from .trace import Trace

_COLOURS = {"keep": "green", "retry": "yellow", "discard": "red"}
_WIDTH = 40
"""Of a picture and the panel under it, in character cells."""


def show_trace(trace: Trace, store: ImageStore, console: Console) -> None:
    """Print a run: its pictures, decisions and verdicts, both answers and the timings.

    Pictures are drawn as well as the terminal can, down to coloured half blocks; where `console` is no terminal there
    is text only.

    Raises:
        PictureError: A picture is to be drawn and is not in the store.
    """
    header = trace.header
    console.print(Text(header.question, style="bold"))
    if header.options:
        console.print(Text("Options: " + ", ".join(header.options), style="dim"))
    for picture in header.pictures:
        _show_picture(picture, store, console)
        size = Text(f"{picture.width} x {picture.height} pixels, {picture.sha256[:12]}", style="dim")
        console.print(_panel(trace.name_of(picture), [size]))
    for round in trace.rounds:
        if round.thought:
            _show_picture(round.thought, store, console)
        console.print(_panel(f"round {round.number}", _lines(trace, round)))
    stands = trace.answer is not None and not trace.imagined
    answers = Table("direct answer", "the direct answer stands" if stands else "imagined answer")
    answers.add_row(_answer(trace, trace.direct), _answer(trace, trace.answer))
    console.print(answers)
    steps = ", ".join(f"{step} {value:.3f}" for step, value in trace.timings)
    console.print(Text(f"Seconds: {steps}", style="dim"))
    for caveat in trace.caveats:
        console.print(Text(caveat, style="yellow"))
    for stop in trace.stops:
        console.print(Text(f"Stopped ({stop.cause}). {stop.message}", style="yellow"))
    if trace.status != "done" and (record := trace.under_way):
        line = f"Round {record.round} was under way: {record.decision.edit}. {record.decision.instruction}"
        console.print(Text(line, style="yellow"))
    if trace.damaged:
        console.print(Text(trace.damaged, style="yellow"))
    console.print(Text(f"Run {header.run}, {trace.status}: {trace.folder}", style="dim"))


def _show_picture(ref: ImageRef, store: ImageStore, console: Console) -> None:
    """Draw a picture at the left margin, where pixel graphics (sixel) come out right in every terminal."""
    if _can_draw(console):
        # Imported here, because the import asks the terminal what it can show and waits for the reply.
        # A terminal that does not reply is no mistake: it logs a traceback and goes on with an assumption.
        logging.getLogger("textual_image").setLevel(logging.CRITICAL)
        from textual_image.renderable import Image

        console.print(Image(store.open(ref), width=_WIDTH, height="auto"))


def _can_draw(console: Console) -> bool:
    """Whether there is a terminal at both ends, to ask and to draw on, and one that knows its size.

    Without these textual-image fails: it asks through standard input, and divides by the rows, which some containers
    give as 0.
    """
    ends = (sys.__stdin__, sys.__stdout__)
    if not console.is_terminal or not all(end is not None and end.isatty() for end in ends):
        return False
    return 0 not in os.get_terminal_size()


def _panel(title: str, lines: list[RenderableType]) -> Panel:
    return Panel(Group(*lines), title=Text(title), title_align="left", width=_WIDTH)


def _lines(trace: Trace, round: Round) -> list[RenderableType]:
    decision, verdict = round.decision, round.verdict
    lines: list[RenderableType] = [Text.assemble((decision.edit, "bold"), f" by {decision.policy}")]
    if decision.instruction:
        lines.append(Text(f"“{decision.instruction}”"))
    if decision.reason:
        lines.append(Text(decision.reason, style="dim"))
    if round.thought:
        lines.append(Text(f"from {trace.name_of(round.source)}, {round.thought.sha256[:12]}", style="dim"))
    if verdict:
        lines.append(Text(verdict.action, style=f"bold {_COLOURS[verdict.action]}"))
        lines.append(_bars({str(action): value for action, value in verdict.probabilities.items()}))
        lines.append(Text(f"{verdict.reason} Mean change {verdict.change:.1%}.", style="dim"))
    return lines


def _answer(trace: Trace, answer: Answer | None) -> RenderableType:
    if answer is None:
        return Text(f"none: the run is {trace.status}", style="dim")
    seen = Text("read " + ", ".join(map(trace.name_of, answer.pictures)), style="dim")
    said = Text(answer.text, style="bold") if answer.text else Text(answer.missing, style="yellow")
    lines = [said, seen]
    if answer.written and trace.header.options:
        lines.append(
            Text(f"{'in its words' if answer.probabilities else 'by its words'}: {answer.written}", style="dim")
        )
    return Group(*lines, _bars(answer.probabilities))


def _bars(values: dict[str, float]) -> Table:
    table = Table.grid(padding=(0, 1))
    for label, value in sorted(values.items(), key=lambda item: -item[1]):
        bar = ProgressBar(total=1, completed=value, width=10, complete_style="cyan", finished_style="cyan")
        table.add_row(Text(label), bar, Text(f"{value:6.1%}"))
    return table
