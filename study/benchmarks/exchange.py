"""Between a study's folder and files of answers: what its arms said, as predictions for benchmarks, and back."""

from __future__ import annotations

import asyncio
import string
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from g2u import prompts
from g2u.errors import BenchmarkError, StudyError, UnknownNameError
from g2u.models.protocol import Identity
from g2u.pictures.store import ImageStore
from g2u.state import Answer
from g2u.version import __version__

from ..grid.arms import DIRECT, READINGS, AnswerReading, Arm, Items, Study
from ..grid.benchmarks import NAME
from ..grid.items import make_items
from ..grid.records import Header, ItemRecord, Line
from ..running.folder import LineWriter, header_in, keep, keep_pictures, locked
from ..running.marking import marks_of
from ..running.results import Results
from .rows import FAILED, Row


@dataclass(frozen=True)
class Said:
    """What one arm said about the items of one benchmark, read in one way, with one seed."""

    benchmark: str
    arm: str
    reading: AnswerReading
    seed: int
    predictions: Mapping[str, str]
    """Answer by index; a failure is `FAILED`, and what was left out is absent."""
    failed: int
    """How many of them are failures."""


def said(results: Results, rows: Mapping[str, Sequence[Row]], arms: Sequence[str] = ()) -> list[Said]:
    """What the arms of a study said, each reading and seed by itself.

    The likeliest option goes out as its letter, as the kits ask for it; what was written goes out as it was written.

    Args:
        results: Of the study.
        rows: By benchmark, see `rows_of`; items of other benchmarks are left out.
        arms: Names of those to take; none for all that ran.

    Raises:
        UnknownNameError: There is no such arm.
    """
    names = [arm.name for arm in results.arms]
    if strange := next((name for name in arms if name not in names), None):
        raise UnknownNameError("arm of the study", strange, names)
    by_index = {name: {row.index: row for row in some} for name, some in rows.items()}
    found: dict[tuple[str, str, AnswerReading, int], dict[str, str]] = {}
    lines = [line for arm in arms or names for line in results.by_arm[arm]]
    places = {item.id: place_of(item, results.header) for item in results.items.values()}
    readings: dict[tuple[str, str], set[AnswerReading]] = {}
    for line in lines:
        own = readings.setdefault((places[line.item][0], line.arm), set())
        own.update(reading for reading, _ in _readings(line.answer))
    for line in lines:
        name, index = places[line.item]
        row = by_index.get(name, {}).get(index)
        if row is None:
            continue
        known = readings[name, line.arm] or _usual(results.items[line.item], results.header)
        failed = [(reading, FAILED) for reading in READINGS if reading in known] if line.error else []
        for reading, text in failed or _readings(line.answer):
            told = _letter(text, row, results.items[line.item]) if reading == "scored" else text
            found.setdefault((name, line.arm, reading, line.seed), {})[index] = told
    return [Said(*key, told, sum(text == FAILED for text in told.values())) for key, told in found.items()]


def place_of(item: ItemRecord, header: Header) -> tuple[str, str]:
    """Benchmark and index of an item; of other items the name of their file, and their id in it."""
    name, sources = item.groups.get(NAME, ""), header.study.items.sources
    if name and item.id.startswith(f"{name}/"):
        return name, item.id.removeprefix(f"{name}/")
    if len(sources) > 1:  # the ids of each begin with its name
        name, _, index = item.id.partition("/")
        return name, index
    return Path(sources[0]).stem, item.id


def rows_of(results: Results) -> dict[str, list[Row]]:
    """The items of a study as rows of benchmarks, as far as they say: where the file of a benchmark is not at hand.

    Raises:
        StudyError: An item has more options than there are letters.
    """
    found: dict[str, list[Row]] = {}
    for item in results.items.values():
        if item.paraphrase_of:
            continue
        name, index = place_of(item, results.header)
        if len(item.options) > len(string.ascii_uppercase):
            raise StudyError(f"The item {item.id!r} has {len(item.options)} options, and there are 26 letters.")
        options = dict(zip(string.ascii_uppercase, item.options, strict=False))
        answer = next((label for label, option in options.items() if option == item.answer), item.answer)
        cells = {"question": item.question, **options, "answer": answer, **item.groups}
        found.setdefault(name, []).append(Row(index, cells))
    return found


def import_answers(folder: Path, items: Items, predictions: Mapping[str, str], model: str) -> tuple[int, int]:
    """Make a study of answers that were had elsewhere: one arm, `direct`, whose answers are what was written.

    So they can be reported, scored by every kit, and compared item by item with the arm `direct` of a study of the same
    benchmark. Nothing is claimed of a model but its name.

    Args:
        folder: New.
        items: The benchmark.
        predictions: Answer by the index of its row.
        model: Who answered.

    Returns:
        How many items have an answer, and how many have none: these are not in the study.

    Raises:
        StudyError: There is a study in the folder, or something else; or the benchmark cannot be asked.
        BenchmarkError: The benchmark is not here, or no prediction is for an item of it.
    """
    if header_in(folder) is not None:
        raise StudyError(f"There is a study in {str(folder)!r}.", "Name a new folder.")
    about = f"Answers of {model}, had elsewhere"
    arm = Arm(name=DIRECT, policy="none", reflect=False, rounds=1, seeds="first", about=about)
    header = Header(
        g2u=__version__,
        study=Study(name="imported", about=f"{about}.", model=model, arms=[arm], items=items, reading="written"),
        model=Identity(model=model, weights="", code=""),
        prompts=prompts.digest(),
        items="",
    )
    with tempfile.TemporaryDirectory(prefix="g2u-") as place:
        made = ImageStore(place)
        asked = make_items(items, made)
        told = {item.id: predictions.get(place_of(item, header)[1]) for item in asked}
        there = [item for item in asked if told[item.id] is not None]
        if not there:
            raise BenchmarkError(f"No prediction is for an item of {items.told}.", "Name the benchmark that was asked.")
        with locked(folder):
            keep_pictures(folder, there, made)
            keep(folder, header, there)
            with LineWriter(folder, 0) as writer:
                writer.write(asyncio.run(_lines(there, told)))
    return len(there), len(asked) - len(there)


async def _lines(items: Sequence[ItemRecord], told: Mapping[str, str | None]) -> list[Line]:
    answers = [_imported(told[item.id] or "", item) for item in items]
    marks = await asyncio.gather(*(marks_of(answer, item, {}) for answer, item in zip(answers, items, strict=True)))
    return [
        Line(arm=DIRECT, item=item.id, seed=0, marks=own, direct_marks=own, answer=answer, direct=answer)
        for item, own, answer in zip(items, marks, answers, strict=True)
    ]


def _imported(text: str, item: ItemRecord) -> Answer:
    return Answer(text=text, written=text, log_probability=None, pictures=item.pictures, seconds=0.0)


def _usual(item: ItemRecord, header: Header) -> set[AnswerReading]:
    """How the answers to an item are read, where none was had that shows it."""
    study = header.study.reading
    if not item.options or study == "written":
        return {"written"}
    return {"scored"} if study == "scored" else set(READINGS)


def _readings(answer: Answer | None) -> Iterator[tuple[AnswerReading, str]]:
    """Each way in which an answer can be read, with its text; the likeliest option first."""
    if answer is None:
        return
    if answer.probabilities:
        yield "scored", answer.text
    if answer.written or not answer.probabilities:
        yield "written", answer.written or answer.text


def _letter(text: str, row: Row, item: ItemRecord) -> str:
    """The letter that an option has in its row; its words where the row has no letters."""
    labels = [label for label in string.ascii_uppercase if row.cells.get(label)]
    named = [label for label in labels if row.cells[label] == text]
    if len(named) == 1:
        return named[0]
    place = item.options.index(text) if text in item.options else len(labels)
    return labels[place] if place < len(labels) else text
