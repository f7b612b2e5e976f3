"""BAGEL at its real size, with random weights, beside the official program and the floor of the hardware.

    python benchmarks/bagel.py [--json]

Times are medians, with the GPU waited for. The reference is the official program with everything on the GPU, measured
on an H200 with torch 2.11: random weights of the same sizes, 1024 x 1024 pixels, an instruction of 30 words, a question
of 60. The floor is what arithmetic and bytes of the same work take at 790 TFLOP/s and 4.3 TB/s. Deviations are those of
random weights, too: they tell how much is changed, not how it looks. `--tiny` runs the same on a network of a few
thousand weights, also without a GPU, and its figures mean nothing.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Annotated

import numpy as np
import torch
import typer
from bagel_bench import REAL, TINY, Bench, build, guided
from bagel_figures import Figure, deviations, lossy, machine, measure, two_gpus
from PIL import Image
from rich.console import Console
from rich.table import Table

from g2u.models.bagel.fast.block_attention import has_flash
from g2u.models.bagel.fast.execution import FastExecution
from g2u.models.bagel.inference.execution import PlainExecution


def clocks(device: torch.device) -> str:
    """What the GPUs say of themselves, and who computes attention."""
    asked = "name,clocks.sm,clocks.mem,power.draw,power.limit,temperature.gpu,memory.used"
    attention = "FlashAttention 4" if has_flash(device) else "torch's attention"
    versions = f"torch {torch.__version__}, {attention}"
    try:
        said = subprocess.run(["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader"], capture_output=True)
    except OSError:
        return f"no GPU; {versions}"
    return f"{said.stdout.decode().strip()}; {versions}"


def main(
    tiny: Annotated[bool, typer.Option(help="A network of a few thousand weights.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure and print."""
    if tiny:
        torch.set_num_threads(1)  # more would only wait for each other
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    began = time.perf_counter()
    console = Console(stderr=True)
    figures: list[Figure] = []

    def keep(found: Iterator[Figure]) -> None:
        for figure in found:
            if tiny:  # which has no aims
                figure = replace(figure, reference=None, floor=None, bar=None)
            console.print(f"{figure.name}: {figure.value:.4g} {figure.unit}", highlight=False)
            figures.append(figure)

    with torch.inference_mode():
        network = build(TINY if tiny else REAL, device)
        side = network.config.vae_transform.longest
        random = np.random.default_rng(0)
        pictures = [Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)) for _ in range(2)]
        words = random.integers(0, 400 if tiny else 150000, 90)
        plain = Bench(network, PlainExecution(network), *pictures, words[:30].tolist(), words[30:].tolist())
        plain.wait()
        loading = time.perf_counter() - began
        ready: list[tuple[Bench, float]] = []

        def fast() -> Bench:
            began = time.perf_counter()
            made = replace(plain, execution=FastExecution(network))
            made.loop(guided("edit", 5))
            ready.append((made, time.perf_counter() - began))
            return made

        keep(deviations(plain, fast))
        bench, first = ready[0]
        if bench.gpus:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        keep(measure(bench))
        keep(machine(bench, loading, first))
        said = clocks(device)
        keep(two_gpus(bench))
        keep(lossy(bench))
    if as_json:
        print(json.dumps({"machine": said, "figures": [asdict(figure) for figure in figures]}))
        return
    table = Table("", "measured", "reference", "floor", "bar", caption=said)
    for figure in figures:
        cells = [figure.value, figure.reference, figure.floor, figure.bar]
        table.add_row(figure.name, *("" if cell is None else f"{cell:.4g} {figure.unit}" for cell in cells))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
