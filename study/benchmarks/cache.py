"""Where the files of benchmarks are: `$G2U_BENCHMARKS`, and the folder of VLMEvalKit, which is looked at only.

Nothing is fetched unless that is asked for; what is missing is named with its address and its sum.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from g2u.errors import BenchmarkError
from g2u.files import replacing

from .catalogue import Benchmark, Version
from .tsv import md5_of

if TYPE_CHECKING:
    from collections.abc import Callable

KIT: Final = "LMUData"
"""The variable of the kit."""
KIT_AT_HOME: Final = "~/LMUData"
PIECE: Final = 2**20
"""Bytes that are fetched at a time."""


def cache_folder() -> Path:
    """`$G2U_BENCHMARKS`, or `g2u/benchmarks` in the user's cache folder."""
    if named := os.environ.get("G2U_BENCHMARKS"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "g2u" / "benchmarks"


def kit_folder() -> Path:
    """`$LMUData`, or `LMUData` in the user's home: the folder of VLMEvalKit, in which nothing is written."""
    return Path(os.environ.get(KIT) or KIT_AT_HOME).expanduser()


def found_file(benchmark: Benchmark) -> Path | None:
    """The file of a benchmark, in our folder or in that of the kit; `None` where it is in neither."""
    places = (folder / benchmark.file for folder in (cache_folder(), kit_folder()))
    return next((place for place in places if place.is_file()), None)


def benchmark_file(benchmark: Benchmark) -> tuple[Path, Version | None]:
    """The file of a benchmark and which one it is, by its sum; `None` where no sum is known.

    Raises:
        BenchmarkError: It is not there, or is none of those that were published.
    """
    path = found_file(benchmark)
    if path is None:
        raise _missing(benchmark)
    return path, _version(benchmark, path)


def fetch(benchmark: Benchmark, on_progress: Callable[[int, int], None] = lambda done, total: None) -> Path:
    """Have the file of a benchmark: fetched into our folder where it is in neither, or is another one.

    Args:
        benchmark: Of the catalogue.
        on_progress: Called as `on_progress(done, total)`, in bytes; 0 in all where that is not told.

    Raises:
        BenchmarkError: It has no address, cannot be fetched, or is none of those that were published; then nothing is
            kept.
        OutputError: It cannot be written.
    """
    import httpx

    if there := found_file(benchmark):
        with suppress(BenchmarkError):  # another one: ours is replaced, that of the kit is left alone
            _version(benchmark, there)
            return there
    path = cache_folder() / benchmark.file
    if not benchmark.url:
        raise _missing(benchmark)
    try:
        with (
            httpx.stream("GET", benchmark.url, follow_redirects=True, timeout=60) as reply,
            replacing(path) as file,
        ):
            reply.raise_for_status()
            total, done = int(reply.headers.get("content-length", 0)), 0
            for piece in reply.iter_bytes(PIECE):
                file.write(piece)
                done += len(piece)
                on_progress(done, total)
            file.flush()
            _version(benchmark, Path(file.name), fetched=True)
    except httpx.HTTPError as error:
        hint = f"Fetch it by other means and put it there as {str(path)!r}."
        raise BenchmarkError(f"{benchmark.url} was not got: {error}.", hint) from error
    return path


def _version(benchmark: Benchmark, path: Path, *, fetched: bool = False) -> Version | None:
    if not benchmark.versions:
        return None
    found = md5_of(path)
    for version in benchmark.versions:
        if version.md5 == found:
            return version
    expected = ", or ".join(f"{one.md5} ({one.what})" for one in benchmark.versions)
    again = f"Fetch it again: `g2u bench check {benchmark.name} --download`."
    name, hint = repr(str(path)), f"{again} To use it as it is, name it by its path: `--source {path}`."
    if fetched:
        name = benchmark.url
        hint = (
            f"Nothing was kept. {again} To use it as it is, fetch it yourself and name its path: `--source FILE.tsv`."
        )
    raise BenchmarkError(f"{name} has the MD5 sum {found}; expected {expected}.", hint)


def _missing(benchmark: Benchmark) -> BenchmarkError:
    if not benchmark.public:
        return BenchmarkError(f"The data of {benchmark.name} are not public.", benchmark.note)
    if not benchmark.url:
        return BenchmarkError(
            f"Nobody has published {benchmark.file}: {benchmark.note}", f"Its owners: {benchmark.page}"
        )
    sums = " or ".join(f"{one.md5} ({one.what})" for one in benchmark.versions) or "not known"
    message = (
        f"The benchmark {benchmark.name} is not here: {benchmark.file} is neither in {str(cache_folder())!r} nor in "
        f"{str(kit_folder())!r}. It is at {benchmark.url}; its MD5 sum is {sums}."
    )
    return BenchmarkError(message, f"Fetch it: `g2u bench check {benchmark.name} --download`.")
