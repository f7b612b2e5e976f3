"""What reading a benchmark takes: `python benchmarks/reading.py [--json]`.

A file in the form of VLMEvalKit with as many rows as asked, each with a picture, is read whole in a process of its own:
by `TsvFile`, every picture decoded from base64, and by `pandas.read_csv`, which is how the kit begins and which decodes
none. Memory is the most that the process had, its modules among it.
"""

from __future__ import annotations

import base64
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

BAR = 300.0
"""MB that our reader may take."""
COPY = 1_000_000
"""Every fourth row refers to the picture of the row before it, as circular copies do."""

_MEASURED = """
import json, resource, sys, time
began = time.perf_counter()
rows = read(sys.argv[1])
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
print(json.dumps({"rows": rows, "seconds": time.perf_counter() - began, "megabytes": peak}))
"""
READERS = {
    "TsvFile": """
from pathlib import Path
from g2u.study.benchmarks.tsv import TsvFile
def read(path):
    return sum(1 for row in TsvFile(Path(path)).rows() if row.pictures)
""",
    "pandas.read_csv": """
import pandas
def read(path):
    return len(pandas.read_csv(path, sep="\\t"))
""",
}
"""Programs, each with a function `read`."""


def main(
    rows: Annotated[int, typer.Option(min=4, help="Of the file.")] = 20_000,
    kilobytes: Annotated[int, typer.Option(min=1, help="Of a picture, before base64.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")] = False,
) -> None:
    """Measure our reader beside pandas."""
    with tempfile.TemporaryDirectory(prefix="g2u-") as folder:
        path = Path(folder) / "made.tsv"
        write(path, rows, kilobytes * 1000)
        size = path.stat().st_size / 1e6
        found = {name: measure(program, path) for name, program in READERS.items()}
    if as_json:
        typer.echo(json.dumps({"rows": rows, "megabytes": size, "bar": BAR, "readers": found}, indent=2))
        return
    table = Table("reader", "rows", "seconds", "MB at most", box=None)
    for name, one in found.items():
        table.add_row(name, f"{one['rows']:,}", f"{one['seconds']:.1f}", f"{one['megabytes']:,.0f}")
    Console().print(table)
    typer.echo(f"A file of {size:,.0f} MB with {rows:,} rows; the bar is {BAR:g} MB.")


def write(path: Path, rows: int, size: int) -> None:
    """A file of chance bytes where pictures would be: no reader decodes more than base64."""
    chance = np.random.default_rng(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["index", "question", "A", "B", "answer", "image"])
        for number in range(rows):
            copy = number % 4 == 3
            index = number - 1 + COPY if copy else number
            image = str(number - 1) if copy else base64.b64encode(chance.bytes(size)).decode()
            table.writerow([index, f"Which one, {number}?", "red", "blue", "A", image])


def measure(program: str, path: Path) -> dict[str, Any]:
    """Rows, seconds and the most memory of a program that reads a file."""
    done = subprocess.run(
        [sys.executable, "-c", program + _MEASURED, str(path)], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    typer.run(main)
