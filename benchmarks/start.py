"""How long a start takes: `python benchmarks/start.py [--json]`.

Every measurement is a process of its own, from its beginning to its end, as a user waits for it. What is measured takes
turns, and each repeat begins with another one, so that a machine that slows down slows them all. A ratio is that to
`import torch` in the same repeat; the figures are medians over the repeats, after one to warm up. `g2u ask` is asked
about a blurred picture of the world, which it draws anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

BAR = 2.6
"""The most that `g2u ask` may take, as a multiple of `import torch`."""
BASE = "import torch"
ASK = "g2u ask"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")

_COMMAND = "from g2u.cli import main; main()"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the result."""

    name: str
    seconds: float
    ratio: float
    """To `import torch`."""
    bar: float | None = None
    """The most that the ratio may be; `None` where it is only there to compare with."""

    @property
    def ok(self) -> bool:
        """Whether the bar, if any, is kept."""
        return self.bar is None or self.ratio <= self.bar


def run(folder: Path, code: str, *arguments: str) -> str:
    """Run Python in a process of its own and wait for its end; returns what it printed."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join([code, *arguments])}: {done.stderr.strip()}")
    return done.stdout


def starts(folder: Path) -> dict[str, tuple[str, ...]]:
    """What is measured: code and its arguments, by name; makes the picture to ask about."""
    sample = run(folder, _COMMAND, "world", "sample", "--task", "objects", "--fault", "blur", "--seed", "3", "--json")
    item: dict[str, Any] = json.loads(sample)
    options = [part for option in item["options"] for part in ("--option", option)]
    return {
        BASE: ("import torch",),
        "import g2u": ("import g2u",),
        "g2u --help": (_COMMAND, "--help"),
        "g2u edits": (_COMMAND, "edits"),
        "g2u models": (_COMMAND, "models"),
        ASK: (_COMMAND, "ask", item["picture"], item["question"], *options),
    }


def figures(measured: list[dict[str, float]]) -> list[Figure]:
    """Medians over the repeats of the seconds, and of the ratios within each."""
    return [
        Figure(
            name=name,
            seconds=median(repeat[name] for repeat in measured),
            ratio=median(repeat[name] / repeat[BASE] for repeat in measured),
            bar=BAR if name == ASK else None,
        )
        for name in measured[0]
    ]


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Measurements of each, after one to warm up.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure starts; exit code 1 when the bar is missed."""
    measured: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="g2u-") as name:
        folder = Path(name)
        ways = starts(folder)
        for repeat in range(repeats + 1):
            names = [*ways]
            turn = repeat % len(names)
            seconds: dict[str, float] = {}
            for way in names[turn:] + names[:turn]:
                began = time.perf_counter()
                run(folder, *ways[way])
                seconds[way] = time.perf_counter() - began
            measured.append({way: seconds[way] for way in names})
            told = ", ".join(f"{way} {value:.2f} s" for way, value in measured[-1].items())
            typer.echo(f"{f'repeat {repeat} of {repeats}' if repeat else 'to warm up'}: {told}", err=True)
    result = figures(measured[1:])
    threads = {name: os.environ[name] for name in THREADS if name in os.environ}
    setting = {"repeats": repeats, "cores": os.cpu_count(), "threads": threads}
    if as_json:
        print(json.dumps({"figures": [asdict(figure) | {"ok": figure.ok} for figure in result], "setting": setting}))
    else:
        print(f"medians of {repeats}, {setting['cores']} cores; ratios are to `{BASE}`")
        for figure in result:
            bar = "" if figure.bar is None else f"  bar {figure.bar:g}: {'kept' if figure.ok else 'MISSED'}"
            print(f"{figure.name:<14}{figure.seconds:>7.2f} s {figure.ratio:>6.2f}{bar}")
    raise typer.Exit(0 if all(figure.ok for figure in result) else 1)


if __name__ == "__main__":
    typer.run(main)
