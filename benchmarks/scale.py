"""What a study of BAGEL takes, from what was measured: `python benchmarks/scale.py [--json]`.

Seconds are those of the table of docs/bagel.md (one H200, 1024x1024, random weights), rows those of the catalogue of
benchmarks. Nothing is measured here but how long a line of a study takes to be read.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from g2u.pictures.references import ImageRef
from g2u.state import Answer, Decision, Round
from g2u.study.benchmarks.catalogue import benchmarks
from g2u.study.grid.records import Line

PAGE = Path(__file__).parents[1] / "docs" / "bagel.md"
LOOPS = {"paper": "loop, 30 timesteps, 2 branches", "edit": "loop, 50 timesteps, 3 branches"}
"""By preset, the row of a drawing."""
AROUND = ("edit context", "autoencoder, decode")
"""Rows of what a drawing takes beside its steps."""
CHOICE = "two pictures read and 128 words written"
"""Row that a choice of the edit takes at most: it reads one picture and writes fewer."""
ANSWER = "two pictures read and 4 words written"
"""Row of an answer, also of a direct one, which reads one picture and takes less."""
LINES = 2_000
"""That are read to see how long one takes."""


def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")] = False,
) -> None:
    """Reckon, and print."""
    measured = seconds_of(PAGE.read_text("utf-8"))
    direct = measured[ANSWER]
    items = {
        preset: measured[CHOICE] + measured[loop] + sum(measured[row] for row in AROUND) + 2 * measured[ANSWER]
        for preset, loop in LOOPS.items()
    }
    known = {name: one.rows for name, one in benchmarks().items() if one.rows and not name.endswith("NO_MASK")}
    rows = sum(known.values())
    each, size = line_costs()
    found = {
        "seconds_of_an_item": {"direct": direct, **items},
        "items_per_gpu_hour": {name: 3600 / took for name, took in {"direct": direct, **items}.items()},
        "rows": known,
        "rows_in_all": rows,
        "rows_unknown": [name for name, one in benchmarks().items() if one.public and not one.rows and not one.parts],
        "gpu_hours": {
            name: {times: times * rows * took / 3600 for times in (1, 10, 100)}
            for name, took in {"direct": direct, **items}.items()
        },
        "line": {"seconds_to_read": each, "bytes": size},
    }
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("", "seconds an item", "items a GPU-hour", "GPU-hours", "10 times", "100 times", box=None)
    for name, took in {"direct": direct, **items}.items():
        hours = [f"{times * rows * took / 3600:,.1f}" for times in (1, 10, 100)]
        table.add_row(name, f"{took:.2f}", f"{3600 / took:,.0f}", *hours)
    Console().print(table)
    typer.echo(f"{rows:,} rows of {len(known)} benchmarks: {', '.join(f'{name} {n:,}' for name, n in known.items())}.")
    typer.echo(f"A line has {size:,} bytes and is read in {1000 * each:.2f} ms.")


def seconds_of(page: str) -> dict[str, float]:
    """What was measured, by row of the table, in seconds."""
    found = {}
    for name, number, unit in re.findall(r"^\| ([^|]+?) \| ([\d.]+) (ms|s) \|", page, re.M):
        found.setdefault(name, float(number) * (0.001 if unit == "ms" else 1))
    return found


def line_costs() -> tuple[float, int]:
    """Seconds to read a line, and its bytes: one drawing, options, an answer before it and one after."""
    picture = ImageRef(sha256="0" * 64, width=1024, height=1024, mime="image/png")
    sure = {"the first of them": 0.7, "the second": 0.2, "the third": 0.05, "none": 0.05}
    answer = Answer(text="the second", probabilities=sure, log_probability=-0.1, pictures=[picture], seconds=0.3)
    decision = Decision(edit="deblur", family="enhancement", policy="self", instruction="Remove the blur.")
    turn = Round(number=1, source=picture, decision=decision, thought=picture)
    data = Line(arm="self", item="MMStar/1234", seed=0, answer=answer, direct=answer, rounds=[turn]).to_json()
    began = time.perf_counter()
    for _ in range(LINES):
        Line.model_validate_json(data)
    return (time.perf_counter() - began) / LINES, len(data)


if __name__ == "__main__":
    typer.run(main)
