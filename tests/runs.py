"""Runs to show and to read back, made of the real records and real pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from g2u.models.protocol import Capabilities, Identity
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from g2u.state import Answer, Context, Decision, Round, Verdict
from g2u.traces.records import AnswerRecord, DirectRecord, Event, Header, Result, RoundRecord, new_run_id
from g2u.traces.trace import Trace, TraceWriter, read_trace


def drawing(colour: str, size: tuple[int, int] = (32, 24)) -> Image.Image:
    """A coloured disc on white."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).ellipse((4, 4, 20, 20), fill=colour)
    return image


def header(picture: ImageRef, question: str = "What colour is the disc?") -> Header:
    """A header as a run of a small model would write it."""
    return Header(
        run=new_run_id(),
        g2u="0.1.0",
        pictures=[picture],
        question=question,
        options=["red", "blue"],
        gold_edits=["deblur"],
        config=Context(policy="score", seed=7),
        model=Identity(model="small", weights="0" * 64, code="0.1.0"),
        capabilities=Capabilities(
            edits="native",
            max_pictures=2,
            aspect="kept",
            same_weights=True,
            max_batch=4,
            deterministic=True,
            prefix_cache=True,
        ),
        prompts={"edits.yaml": "1" * 64},
    )


def events(store: ImageStore, original: ImageRef, answers: tuple[str, str] = ("red", "blue")) -> list[Event]:
    """A whole run: a thought that is retried, one that is kept, and both answers."""
    first_answer, last_answer = answers
    first, second = store.add_image(drawing("green")), store.add_image(drawing("blue"))
    trace_path = Decision(
        edit="trace_path",
        family="structure",
        arguments={"colour": "red"},
        instruction="Draw the way in red.",
        policy="score",
        scores={'{"edit": "trace_path", "colour": "red"}': 0.75, '{"edit": "none"}': 0.25},
    )
    deblur = Decision(edit="deblur", family="enhancement", instruction="Remove the blur.", policy="score", attempts=2)
    retry = Verdict(
        action="retry", reason="It fits badly.", probabilities={"keep": 0.1, "retry": 0.7, "discard": 0.2}, change=0.3
    )
    keep = Verdict(
        action="keep", reason="It fits well.", probabilities={"keep": 0.9, "retry": 0.06, "discard": 0.04}, change=0.08
    )
    direct = Answer(
        text=first_answer,
        probabilities={first_answer: 0.6, last_answer: 0.4},
        log_probability=float("-inf"),
        pictures=[original],
        seconds=0.5,
    )
    imagined = Answer(
        text=last_answer,
        probabilities={first_answer: 0.01, last_answer: 0.99},
        log_probability=-0.01,
        pictures=[original, second],
        seconds=0.25,
    )
    steps = {"decide": 0.1, "generate": 0.4, "reflect": 0.05}
    return [
        DirectRecord(answer=direct),
        RoundRecord(
            round=Round(number=1, source=original, decision=trace_path, thought=first, verdict=retry, seconds=steps)
        ),
        RoundRecord(round=Round(number=2, source=first, decision=deblur, thought=second, verdict=keep, seconds=steps)),
        AnswerRecord(answer=imagined),
        Result(seconds={"total": 2.0}, engine={"calls": 9}),
    ]


def write_run(
    root: Path,
    question: str = "What colour is the disc?",
    upto: int = 5,
    answers: tuple[str, str] = ("red", "blue"),
    **header_of: Any,
) -> tuple[Trace, ImageStore]:
    """Write the first `upto` events of a run under `root` and read it back."""
    store = ImageStore(root / "pictures")
    original = store.add_image(drawing("red"))
    top = header(original, question).model_copy(update={"options": list(answers)} | header_of)
    with TraceWriter(root / top.run, top) as writer:
        for event in events(store, original, answers)[:upto]:
            writer.write(event)
    return read_trace(root / top.run), store
