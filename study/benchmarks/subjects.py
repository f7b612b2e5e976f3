"""What is scored, and by what: benchmarks that are named, and answers of a file, of a study, or of several models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from g2u.errors import BenchmarkError

from ..running.folder import read_study
from ..running.model_folders import studies_in
from .catalogue import benchmarks as catalogue
from .exchange import rows_of, said
from .kits.kits import benchmarks
from .predictions.names import named as by_name
from .predictions.reading import check_form, read_predictions
from .rows import FAILED, Row
from .sources import is_benchmark, open_source


@dataclass(frozen=True)
class Data:
    """A benchmark to score by."""

    name: str
    """Whose rules count."""
    told: str
    """What it is called in tables: with its file, where there are several of one name."""
    rows: Sequence[Row]


@dataclass(frozen=True)
class Subject:
    """Answers to score."""

    benchmark: str
    names: Mapping[str, str]
    """What tells them from others, by heading: nothing for a file."""
    predictions: Mapping[str, str]
    failed: int = 0
    model: str = ""
    """Who answered, of a study."""


def opened(named: Sequence[str]) -> list[Data]:
    """The benchmarks that are named.

    Args:
        named: Names or files; NAME=FILE for another file of one that is known.

    Raises:
        BenchmarkError: One is not here, or cannot be read.
    """
    found = []
    for text in named:
        name, equals, file = text.partition("=")
        source = open_source(file if equals else text)
        name = name if equals else source.name
        before = name.partition("__")[0]
        found.append((before if before in benchmarks() else name, source))
    names = [name for name, _ in found]
    return [
        Data(
            name,
            f"{name} ({source.version.what if source.version else source.path.name})"
            if names.count(name) > 1
            else name,
            list(source.reader.rows(pictures=False)),
        )
        for name, source in found
    ]


def data_of_file(path: Path, named: Sequence[str]) -> list[Data]:
    """The benchmarks that a file of answers is scored by.

    Args:
        path: Of the file, whose name says one where none is named.
        named: As for `opened`.

    Raises:
        BenchmarkError: None is named, or one cannot be read.
    """
    check_form(path)
    if named:
        return opened(named)
    tasks = {one.lmms: name for name, one in catalogue().items() if one.lmms}
    found = by_name(path, catalogue(), tasks)
    if found is None:
        hint = "Add `--benchmark NAME` or `--benchmark FILE.tsv`; `g2u bench list` has the names."
        raise BenchmarkError(f"The name of {str(path)!r} says no benchmark.", hint)
    return opened([found.benchmark])


def data_of_study(folder: Path, named: Sequence[str]) -> tuple[list[Data], str]:
    """The benchmarks of a study: those that are named, those of its sources, else what its items say of themselves.

    Args:
        folder: Of the study, or of those of several models.
        named: As for `opened`.

    Returns:
        The benchmarks, and why the questions of the study stand in for its sources; empty where they do not.

    Raises:
        BenchmarkError: One that is named cannot be read.
    """
    if named:
        return opened(named), ""
    results = read_study(_studies(folder)[0])
    sources = [source for source in results.header.study.items.sources if is_benchmark(source)]
    why = ""
    try:
        if sources:
            return opened(sources), why
    except BenchmarkError as error:
        why = f"{error.message} The questions of the study stand in for it."
    return [Data(name, name, rows) for name, rows in rows_of(results).items()], why


def said_in(folder: Path, data: Sequence[Data], arms: Sequence[str]) -> list[Subject]:
    """What the arms of a study said, or those of each study of a folder of several.

    Args:
        folder: Of the study, or of those of several models.
        data: What was asked.
        arms: Names of those to take; none for all.

    Raises:
        BenchmarkError: It has no answer to any of `data`.
        UnknownNameError: There is no such arm.
    """
    rows = {one.name: one.rows for one in data}
    results = [read_study(one) for one in _studies(folder)]
    found = [(one, told) for one in results for told in said(one, rows, arms)]
    if not found:
        raise BenchmarkError(
            f"{str(folder)!r} has no answer to {', '.join(rows)}.", "Name the benchmark that was asked."
        )
    seeds = len({told.seed for _, told in found}) > 1
    return [
        Subject(
            told.benchmark,
            ({"model": one.folder.name} if len(results) > 1 else {})
            | {"arm": told.arm, "reading": told.reading}
            | ({"seed": f"seed{told.seed}"} if seeds else {}),
            told.predictions,
            told.failed,
            one.header.model.model,
        )
        for one, told in found
    ]


def _studies(folder: Path) -> list[Path]:
    """The folder itself, or those of the studies of several models in it."""
    return studies_in(folder) or [folder]


def answers_in(path: Path, data: Sequence[Data]) -> list[Subject]:
    """The answers of a file, once for each benchmark that they may be of.

    Raises:
        BenchmarkError: The file cannot be read.
    """
    once = {one.name: one for one in data}
    found = {name: read_predictions(path, one.rows) for name, one in once.items()}
    return [
        Subject(name, {}, told, failed=sum(text == FAILED for text in told.values())) for name, told in found.items()
    ]
