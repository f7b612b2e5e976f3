"""What the graph and the engine cost and win around the model: `python benchmarks/loop.py [--json]`.

Questions of the picture world go through the graph with the shipped model, one after the other and all at once, with
the engine as it ships and with prefix reuse and batching off. The four ways take turns within every repeat, so that a
machine that slows down slows all of them; figures are medians over the repeats of ratios within a repeat. Every
measurement has an engine of its own, which knows no picture from before.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from rich.console import Console
from rich.progress import track
from rich.table import Table

from g2u.engine.counters import Counters
from g2u.engine.engine import Engine
from g2u.engine.options import EngineOptions
from g2u.engine.registry import register_engine
from g2u.graphs.imagine import build_graph
from g2u.models.protocol import UnifiedModel
from g2u.models.registry import load_model
from g2u.pictures.store import get_store
from g2u.state import Context, Input
from g2u.world.items.items import Item, spread

AS_SHIPPED = EngineOptions()
BASELINE = EngineOptions(max_batch=1, prefix_bytes=0)
ROUNDS = 3
"""Of the runs whose checkpoints are weighed."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One measurement of one way."""

    seconds: float
    counters: Counters


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the result."""

    name: str
    value: float
    bar: float | None = None
    """The most it may be; `None` where it is only there to compare with."""

    @property
    def ok(self) -> bool:
        """Whether the bar, if any, is kept."""
        return self.bar is None or self.value <= self.bar


async def measure(
    model: UnifiedModel, options: EngineOptions, runs: Sequence[Input], folder: Path, at_once: bool
) -> Sample:
    """Run all questions through the graph on a fresh engine."""
    graph, context = build_graph(), Context(model="benchmark", store=str(folder))
    with Engine(lambda: model, options) as engine:
        register_engine("benchmark", engine)
        await engine.ready()
        began = time.perf_counter()
        if at_once:
            await asyncio.gather(*(graph.ainvoke(run, context=context) for run in runs))
        else:
            for run in runs:
                await graph.ainvoke(run, context=context)
        return Sample(seconds=time.perf_counter() - began, counters=engine.counters())


async def checkpoint_bytes(model: UnifiedModel, items: Sequence[Item], folder: Path) -> float:
    """Size of the SQLite file per run of `ROUNDS` rounds, each with a drawing and its verdict.

    The edits do not fit, so that the model asks for another one until the rounds are used up.
    """
    store = get_store(str(folder))
    file = folder / "checkpoints.sqlite"
    context = Context(model="benchmark", store=str(folder), policy="oracle", rounds=ROUNDS)
    with Engine(lambda: model) as engine:
        register_engine("benchmark", engine)
        async with AsyncSqliteSaver.from_conn_string(str(file)) as saver:
            graph = build_graph(saver)
            for number, item in enumerate(items):
                config: RunnableConfig = {"configurable": {"thread_id": str(number)}}
                unfitting = [edit for edit in ("deblur", "denoise", "expose", "sharpen") if edit not in item.gold_edits]
                asked: Input = {
                    "picture": store.add_image(item.picture),
                    "question": item.question,
                    "options": item.options,
                    "gold_edits": unfitting[:ROUNDS],
                }
                done = await graph.ainvoke(asked, config, context=context)
                assert sum(turn.verdict is not None for turn in done["rounds"]) == ROUNDS, "a verdict ended the run"
    return file.stat().st_size / len(items)


def figures(repeats: Sequence[dict[str, Sample]], checkpoints: float) -> list[Figure]:
    """Medians over the repeats of the ratios within each."""

    def ratio(above: str, below: str) -> float:
        return median(repeat[above].seconds / repeat[below].seconds for repeat in repeats)

    def overhead(way: str) -> float:
        return median(repeat[way].seconds / repeat[way].counters.busy_seconds for repeat in repeats)

    return [
        Figure(name="loop over its model calls", value=overhead("sequential"), bar=1.15),
        Figure(name="concurrent over sequential", value=ratio("concurrent", "sequential"), bar=0.6),
        Figure(name="baseline: loop over its model calls", value=overhead("baseline sequential")),
        Figure(name="baseline: concurrent over sequential", value=ratio("baseline concurrent", "baseline sequential")),
        Figure(name="sequential over baseline", value=ratio("sequential", "baseline sequential")),
        Figure(name="concurrent over baseline", value=ratio("concurrent", "baseline concurrent")),
        Figure(name=f"checkpoint bytes per run of {ROUNDS} rounds", value=checkpoints, bar=100_000),
    ]


def main(
    runs: Annotated[int, typer.Option(min=1, help="Questions per measurement.")] = 8,
    repeats: Annotated[int, typer.Option(min=1, help="Measurements of each way, after one to warm up.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure the loop; exit code 1 when a bar is missed."""
    model = load_model("mini")
    ways = {
        "sequential": (AS_SHIPPED, False),
        "concurrent": (AS_SHIPPED, True),
        "baseline sequential": (BASELINE, False),
        "baseline concurrent": (BASELINE, True),
    }
    measured: list[dict[str, Sample]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = get_store(name)
        questions: list[Input] = [
            {"picture": store.add_image(item.picture), "question": item.question, "options": item.options}
            for item in spread(runs)
        ]
        faulty = [item for item in spread(2 * runs) if item.gold_edits != ["none"]][:runs]
        for repeat in track(range(repeats + 1), "measuring", console=Console(stderr=True), transient=True):
            order = [*ways][repeat % 4 :] + [*ways][: repeat % 4]
            samples = {way: asyncio.run(measure(model, ways[way][0], questions, folder, ways[way][1])) for way in order}
            measured.append(samples)
        result = figures(measured[1:], asyncio.run(checkpoint_bytes(model, faulty, folder)))
    setting = {
        "model": asdict(model.identity),
        "runs": runs,
        "repeats": repeats,
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
    }
    details = {
        way: {
            "seconds": median(samples[way].seconds for samples in measured[1:]),
            "model_calls": measured[-1][way].counters.calls,
            "largest_batch": measured[-1][way].counters.largest_batch,
            "pictures_encoded": measured[-1][way].counters.pictures_encoded,
        }
        for way in ways
    }
    if as_json:
        lines = [asdict(figure) | {"ok": figure.ok} for figure in result]
        print(json.dumps({"figures": lines, "ways": details, "setting": setting}))
    else:
        console = Console()
        console.print(f"{runs} runs each, medians of {repeats} repeats, {setting['cores']} cores")
        bars = Table("figure", "value", "bar", "ok")
        for figure in result:
            value = f"{figure.value:,.0f}" if figure.value > 1000 else f"{figure.value:.2f}"
            bar, ok = ("", "") if figure.bar is None else (f"<= {figure.bar:,g}", "yes" if figure.ok else "NO")
            bars.add_row(figure.name, value, bar, ok)
        seen = Table("way", "seconds", "model calls", "largest batch", "encoded")
        for way, detail in details.items():
            seen.add_row(way, f"{detail['seconds']:.2f}", *(str(number) for number in [*detail.values()][1:]))
        console.print(bars, seen)
    raise typer.Exit(0 if all(figure.ok for figure in result) else 1)


if __name__ == "__main__":
    typer.run(main)
