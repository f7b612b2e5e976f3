"""What the study's runner wins over a plain loop: `python benchmarks/study.py [--json]`.

The same grid is answered by both: by the runner, and by a loop that takes one answer after the other, on an engine that
neither batches nor keeps anything, and draws whatever it is asked for. Then the runner alone answers three numbers of
items, and the time for one item should be the same in all. The largest of these studies then grows by a tenth, which
should cost a tenth of it.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from g2u.engine.engine import Engine
from g2u.engine.options import EngineOptions
from g2u.engine.registry import register_engine
from g2u.graphs.imagine import build_graph
from g2u.loop.drawing import Drawing, draw_with_model
from g2u.models.protocol import UnifiedModel
from g2u.models.registry import load_model
from g2u.pictures.references import ImageRef
from g2u.pictures.store import get_store
from g2u.study.grid.arms import Items, Study
from g2u.study.grid.items import make_items
from g2u.study.grid.presets import arms_of
from g2u.study.running.answering import Answerer
from g2u.study.running.drawers import Scene, get_drawer
from g2u.study.running.jobs import jobs, whole
from g2u.study.running.runner import run

SETS = ("choices", "controls", "sweep", "ladder")
"""Of arms; those that the model cannot run are left out."""
NAIVE = EngineOptions(max_batch=1, prefix_bytes=0)
BAR = 5.0
"""The least that the runner should win."""


def main(
    items: Annotated[int, typer.Option(min=2, help="Of the comparison with the plain loop.")] = 8,
    sizes: Annotated[str, typer.Option(help="Numbers of items of the runner alone, comma-separated.")] = "13,26,52",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")] = False,
) -> None:
    """Measure the runner against a plain loop, and against itself on more items."""
    model = load_model("mini")
    _warm(model)
    with tempfile.TemporaryDirectory(prefix="g2u-") as folder:
        root = Path(folder)
        runner, drawn, answers = measure(model, items, root / "runner")
        naive = asyncio.run(plain_loop(model, items, root / "naive"))
        growth = {size: measure(model, size, root / str(size))[0] for size in map(int, sizes.split(","))}
        largest = max(growth)
        more = -(-largest // 10)
        grown = measure(model, largest + more, root / str(largest))[0]
    each = {size: seconds / size for size, seconds in growth.items()}
    found = {
        "items": items,
        "answers": answers,
        "drawings": drawn,
        "seconds": {"runner": runner, "plain loop": naive},
        "items_per_second": {"runner": items / runner, "plain loop": items / naive},
        "speed_up": naive / runner,
        "bar": BAR,
        "seconds_per_item": each,
        "growth": max(each.values()) / min(each.values()),
        "grown": {"items": more / largest, "seconds": grown / growth[largest]},
    }
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("", "items", "seconds", "seconds per item", "against the plain loop", box=None)
    table.add_row("plain loop", str(items), f"{naive:.1f}", f"{naive / items:.2f}", "1.0")
    table.add_row("runner", str(items), f"{runner:.1f}", f"{runner / items:.2f}", f"{naive / runner:.1f} (bar {BAR:g})")
    for size, seconds in growth.items():
        table.add_row("runner", str(size), f"{seconds:.1f}", f"{each[size]:.2f}", "")
    table.add_row("runner, grown by", str(more), f"{grown:.1f}", f"{grown / more:.2f}", "")
    Console().print(table)
    typer.echo(f"Growing by {more / largest:.0%} of {largest} items cost {grown / growth[largest]:.0%} of their time.")
    typer.echo(f"{answers} answers of {items} items, for which the runner drew {drawn} thoughts.")


def grid(items: int) -> Study:
    """The study that both answer."""
    return Study(model="benchmark", arms=arms_of(SETS), items=Items(count=items), seeds=2)


def measure(model: UnifiedModel, items: int, folder: Path) -> tuple[float, int, int]:
    """Seconds of the runner, with an engine that knows nothing yet; its drawings and answers."""
    with Engine(lambda: model) as engine:
        register_engine("benchmark", engine)
        began = time.perf_counter()
        found = run(grid(items), folder)
        seconds = time.perf_counter() - began
        return seconds, engine.counters().draw.requests, len(found.lines)


async def plain_loop(model: UnifiedModel, items: int, folder: Path) -> float:
    """Seconds of one answer after the other, nothing kept in between."""
    study = grid(items)
    with Engine(lambda: model, NAIVE) as engine:
        register_engine("benchmark", engine)
        records = make_items(study.items, get_store(folder / "pictures"))
        answerer = Answerer(study, records, folder)
        skipped = await answerer.skipped()
        engine.recall.entries = 0
        scene = Scene(records, _Undrawn(), of_world=True)
        answerer.graphs = {(arm.drawer, ""): build_graph(drawer=get_drawer(arm.drawer, scene)) for arm in study.arms}
        began = time.perf_counter()
        able = [arm for arm in study.arms if arm.name not in skipped]
        for job in jobs(able, records, [whole(study, records)]):
            await answerer.answer(job.arm, job.item, job.seed)
        return time.perf_counter() - began


class _Undrawn:
    """In the place of `Drawings`: nothing is kept."""

    async def draw(self, drawing: Drawing) -> ImageRef:
        return await draw_with_model(drawing)


def _warm(model: UnifiedModel, sizes: Sequence[int] = (2,)) -> None:
    """What a first run pays once: caches of kernels, imports."""
    with tempfile.TemporaryDirectory(prefix="g2u-") as folder:
        for size in sizes:
            measure(model, size, Path(folder) / str(size))


if __name__ == "__main__":
    typer.run(main)
