"""Where questions of others come from: a benchmark by its name, a file of one, a column map or a task of lmms-eval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from g2u.errors import BenchmarkError

from .cache import benchmark_file, fetch
from .catalogue import Benchmark, Version, benchmarks, described, get_benchmark
from .lmms_tasks import is_task, read_task, read_task_file
from .maps import read_map
from .rows import Row
from .tsv import OnFault, TsvFile


class Reader(Protocol):
    """Rows, wherever they are: `TsvFile` and `Documents`."""

    @property
    def name(self) -> str:
        """What errors call it."""
        ...

    @property
    def columns(self) -> list[str]:
        """Their names."""
        ...

    def rows(self, *, pictures: bool = True, on_fault: OnFault | None = None) -> Iterator[Row]:
        """As `TsvFile.rows`."""
        ...

    def pictures(self, index: str) -> tuple[bytes, ...]:
        """As `TsvFile.pictures`, of a row that was read."""
        ...


@dataclass(frozen=True)
class Source:
    """A benchmark that can be read."""

    benchmark: Benchmark
    reader: Reader
    path: Path
    """Of the file that was named or found."""
    version: Version | None = None
    """Which published file it is; `None` for one of your own, and where no sum is known."""

    @property
    def name(self) -> str:
        """What the ids of its questions begin with in a study."""
        return self.benchmark.name


def is_benchmark(source: str) -> bool:
    """Whether a source is read here: a name of the catalogue, or a file that ends in .tsv, .yaml or .yml."""
    return source in benchmarks() or Path(source).suffix in (".tsv", ".yaml", ".yml")


def parts_of(sources: Sequence[str]) -> list[str]:
    """The sources, with its benchmarks in the place of each suite."""
    found: list[str] = []
    for source in sources:
        known = benchmarks().get(source)
        found += parts_of(known.parts) if known and known.parts else [source]
    return found


def open_source(source: str, *, download: bool = False) -> Source:
    """A benchmark by its name or file.

    Args:
        source: Name of the catalogue, no suite; or the path of a TSV file, a column map or a task of lmms-eval.
        download: Whether what is not here may be fetched.

    Raises:
        UnknownNameError: There is no benchmark of that name.
        BenchmarkError: Its file is not here, is another one than was published, or cannot be read.
        MissingExtraError: It needs the extra `benchmarks`.
    """
    path = Path(source).expanduser()
    if path.suffix == ".tsv":
        return Source(described(path.stem), TsvFile(path), path)
    if path.suffix in (".yaml", ".yml"):
        data = read_task_file(path)
        if is_task(data):
            return Source(*read_task(data, path, download=download), path)
        known, rows = read_map(data, path, download=download)
        return Source(known, TsvFile(rows) if isinstance(rows, Path) else rows, path)
    benchmark = get_benchmark(source)
    if benchmark.parts:
        parts = ", ".join(benchmark.parts)
        raise BenchmarkError(f"{source} is several benchmarks: {parts}.", "Name one of them.")
    if download:
        fetch(benchmark)
    path, version = benchmark_file(benchmark)
    return Source(benchmark, TsvFile(path), path, version)
