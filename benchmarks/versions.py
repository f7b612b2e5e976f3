"""What the loop costs in this tree and in another commit: `python benchmarks/versions.py --against COMMIT [--json]`.

Either version has a process of its own that stays alive, so that no start and no import is counted. They take turns
within every repeat, each first in every other one, so that a machine that slows down slows both; the figure is the
median over the repeats of the ratio within a repeat. The questions are about held-out pictures of the world of either
version that need exactly one edit, each asked once, by `g2u.aask` with its defaults and without a trace.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).parents[1]
ROOMS = ("graphs", "prompts", "world")
"""Folders that are sub-packages of `g2u`; what is in `agent` is `g2u` itself."""
BAR = 2.5
"""The most that the loop may take now, as a multiple of then."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One measurement of one version."""

    seconds: dict[str, float]
    """Of each step and in `total`, over all questions."""
    drawings: int
    right: int


class Version:
    """A version of G2U in a process of its own.

    Args:
        name: How to call it.
        tree: Its files, as in the repository.
        folder: An empty folder to work in.
    """

    def __init__(self, name: str, tree: Path, folder: Path) -> None:
        """Give the tree the layout of the installed package and start its worker."""
        self.name, self._folder = name, folder
        package = folder / "lib" / "g2u"
        package.mkdir(parents=True)
        for path in [*(tree / "agent").iterdir(), *(tree / room for room in ROOMS)]:
            (package / path.name).symlink_to(path)
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("version_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(package.parent), "G2U_PICTURES": str(folder / "pictures")},
        )

    def __enter__(self) -> Version:
        """Wait until it is there, and make sure that it is this one."""
        found = Path(self._told()["file"])
        if not found.is_relative_to(self._folder):
            raise SystemExit(f"{self.name}: the worker took g2u from {found}, not from its own tree.")
        return self

    def __exit__(self, *_: object) -> None:
        """End the worker."""
        self._process.kill()
        self._process.wait()

    def measure(self, first: int, runs: int) -> Sample:
        """Let it answer questions about the held-out pictures from `first` on."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"first": first, "runs": runs}) + "\n")
        self._process.stdin.flush()
        return Sample(**self._told())

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}: the worker ended with code {self._process.wait()}; its error is above.")
        told: dict[str, Any] = json.loads(line)
        return told


def unpack(commit: str, folder: Path) -> str:
    """Put the files of a commit into a folder; returns its short hash."""
    name = _git("rev-parse", "--short", f"{commit}^{{commit}}").decode().strip()
    with tarfile.open(fileobj=io.BytesIO(_git("archive", name, "agent", *ROOMS))) as archive:
        archive.extractall(folder, filter="data")
    return name


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"git {' '.join(arguments)}: {done.stderr.decode().strip()}")
    return done.stdout


def ratios(now: list[Sample], then: list[Sample], step: str = "total") -> list[float]:
    """Seconds of a step now over those then, for each repeat."""
    return [one.seconds[step] / other.seconds[step] for one, other in zip(now, then, strict=True)]


def summary(samples: list[Sample], runs: int) -> dict[str, Any]:
    """Medians over the repeats of the seconds per question, for each step; drawings and right answers of all."""
    steps = {step: median(sample.seconds[step] / runs for sample in samples) for step in samples[0].seconds}
    asked = runs * len(samples)
    return {
        "seconds": steps,
        "questions": asked,
        "drawings": sum(sample.drawings for sample in samples),
        "right": sum(sample.right for sample in samples),
    }


def main(
    against: Annotated[str, typer.Option(help="Commit to compare with.")],
    runs: Annotated[int, typer.Option(min=1, help="Questions per measurement.")] = 8,
    repeats: Annotated[int, typer.Option(min=1, help="Measurements of each version, after one to warm up.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare the loop with that of another commit; exit code 1 when the bar is missed."""
    measured: dict[str, list[Sample]] = {"now": [], "then": []}
    with tempfile.TemporaryDirectory(prefix="g2u-") as name, ExitStack() as running:
        folder = Path(name)
        commit = unpack(against, folder / "then-tree")
        now = running.enter_context(Version("this tree", ROOT, folder / "now"))
        then = running.enter_context(Version(commit, folder / "then-tree", folder / "then"))
        turns = [("now", now), ("then", then)]
        for repeat in track(range(repeats + 1), "measuring", console=Console(stderr=True), transient=True):
            for key, version in turns if repeat % 2 else reversed(turns):
                measured[key].append(version.measure(repeat * runs, runs))
    kept = {key: samples[1:] for key, samples in measured.items()}
    each = ratios(kept["now"], kept["then"])
    ratio, versions = median(each), {key: summary(samples, runs) for key, samples in kept.items()}
    both = [step for step in versions["now"]["seconds"] if step in versions["then"]["seconds"]]
    steps = {step: median(ratios(kept["now"], kept["then"], step)) for step in both}
    setting = {
        "against": commit,
        "runs": runs,
        "repeats": repeats,
        "cores": os.cpu_count(),
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
    }
    if as_json:
        figure = {"name": "loop now over then", "value": ratio, "bar": BAR, "ok": ratio <= BAR, "repeats": each}
        print(json.dumps({"figures": [figure], "ratios": steps, "versions": versions, "setting": setting}))
    else:
        _show(each, steps, versions, setting)
    raise typer.Exit(0 if ratio <= BAR else 1)


def _show(
    each: list[float], steps: dict[str, float], versions: dict[str, dict[str, Any]], setting: dict[str, Any]
) -> None:
    console, ratio = Console(), median(each)
    console.print(f"{setting['runs']} runs each, medians of {setting['repeats']} repeats, {setting['cores']} cores")
    bars = Table("figure", "value", "least to most", "bar", "ok")
    ok = "yes" if ratio <= BAR else "NO"
    bars.add_row("loop now over then", f"{ratio:.2f}", f"{min(each):.2f} to {max(each):.2f}", f"<= {BAR:g}", ok)
    seconds = Table("seconds per question", "now", f"then ({setting['against']})", "ratio")
    for step, value in steps.items():
        shown = (f"{versions[key]['seconds'][step]:.4f}" for key in ("now", "then"))
        seconds.add_row(step, *shown, f"{value:.2f}")
    for name in ("drawings", "right", "questions"):
        seconds.add_row(name, *(str(versions[key][name]) for key in ("now", "then")), "")
    console.print(bars, seconds)


if __name__ == "__main__":
    typer.run(main)
