"""What files of answers are called, and whose they are by that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

SAMPLES = "_samples_"
"""Stands in the names of lmms-eval between the time and the task."""


@dataclass(frozen=True)
class Named:
    """What a name says."""

    model: str
    """Whatever stands before the benchmark; of lmms-eval's own files the time."""
    benchmark: str


def file_name(model: str, benchmark: str, form: str) -> str:
    """`MODEL_BENCHMARK.xlsx` as VLMEvalKit names them, for `lmms` `MODEL_samples_BENCHMARK.jsonl`.

    A model may be named by a place, `/there/own.py:load`: what parts folders is a dash in the name.
    """
    model = re.sub(r"[/\\]+", "-", model).strip("-")
    return f"{model}{SAMPLES}{benchmark}.jsonl" if form == "lmms" else f"{model}_{benchmark}.{form}"


def named(path: Path, benchmarks: Iterable[str], tasks: Mapping[str, str]) -> Named | None:
    """What a name says; `None` where it names no benchmark.

    Args:
        path: Of the file.
        benchmarks: Names that are known; the longest one that fits is taken.
        tasks: Task of lmms-eval to the name of its benchmark.
    """
    before, samples, task = path.stem.partition(SAMPLES)
    known = sorted({*benchmarks, *tasks}, key=len, reverse=True)
    if samples:
        return Named(before, tasks.get(task, task)) if task in known else None
    for name in known:
        if path.stem == name or path.stem.endswith(f"_{name}"):
            return Named(path.stem.removesuffix(name).removesuffix("_"), tasks.get(name, name))
    return None
