"""Cases whose figures the kit itself computed: `tests/data/scoring`, made-up questions in each benchmark's form."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from g2u.study.benchmarks.predictions.reading import read_predictions
from g2u.study.benchmarks.rows import Row
from g2u.study.benchmarks.tsv import TsvFile

FOLDER = Path(__file__).parents[2] / "data" / "scoring"
CASES = sorted(path.name for path in FOLDER.iterdir())


def benchmark(case: str) -> str:
    """Its name: what stands before `__` in that of the folder."""
    return case.partition("__")[0]


@cache
def rows(case: str) -> list[Row]:
    return list(TsvFile(FOLDER / case / f"{benchmark(case)}.tsv").rows(pictures=False))


@cache
def predictions(case: str) -> dict[str, str]:
    return read_predictions(FOLDER / case / "predictions.jsonl")


@cache
def expected(case: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / case / "expected.json").read_text("utf-8"))
    return found
