"""BAGEL at its real size, with random weights, beside the official program and the floor of the hardware.

    python benchmarks/bagel.py [--json]

Times are medians, with the GPU waited for. The reference is the official program with everything on the GPU, measured on
an H200 (torch 2.11, random weights of the same sizes, 1024 x 1024 pixels, an instruction of 30 words, a question of 60);
the floor is what the arithmetic and the bytes of the same work take at 790 TFLOP/s and 4.3 TB/s. `--tiny` runs the same
on a network of a few thousand weights, also without a GPU, and its figures mean nothing.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from g2u.models.bagel.config import AutoencoderConfig, BagelConfig, LanguageConfig, ReaderConfig, TransformConfig
from g2u.models.bagel.context import (
    Context,
    Guidance,
    edit_guidance,
    empty,
    latent_grid,
    read_drawing,
    read_patches,
    read_text,
)
from g2u.models.bagel.fast import FastExecution
from g2u.models.bagel.network import BagelNetwork, place_tables
from g2u.models.bagel.sampler import PRESETS, FlowSettings, picture_of
from g2u.models.bagel.transforms import to_tensor

REAL = BagelConfig(
    llm=LanguageConfig(
        vocab_size=152064,
        hidden_size=3584,
        intermediate_size=18944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
    ),
    vit=ReaderConfig(hidden_size=1152, intermediate_size=4304, num_hidden_layers=26, num_attention_heads=16),
)
TINY = BagelConfig(
    llm=LanguageConfig(
        vocab_size=152064,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    ),
    vit=ReaderConfig(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4),
    vae=AutoencoderConfig(ch=32, ch_mult=(1, 1, 1, 1), num_res_blocks=1),
    vae_transform=TransformConfig(max=128, min=64, stride=16),
    vit_transform=TransformConfig(max=126, min=56, stride=14),
)
WRITTEN = 128
"""Words of an answer."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the result; a reference, floor or bar that there is none of is `None`."""

    name: str
    value: float
    unit: str = "ms"
    reference: float | None = None
    floor: float | None = None
    bar: float | None = None


@dataclass(frozen=True)
class Bench:
    """A network, and what it is shown."""

    network: BagelNetwork
    execution: FastExecution
    picture: Image.Image
    drawn: Image.Image
    instruction: list[int]
    question: list[int]

    @property
    def cuda(self) -> bool:
        """Whether there is a GPU to wait for."""
        return self.network.device.type == "cuda"

    def seconds(self, work: Callable[[], object], repeats: int = 5) -> float:
        """Median time of some work, after one time to get warm."""
        times = []
        for _ in range(repeats + 1):
            self.wait()
            began = time.perf_counter()
            work()
            self.wait()
            times.append(time.perf_counter() - began)
        return median(times[1:])

    def wait(self) -> None:
        """Until the GPU is done."""
        if self.cuda:
            torch.cuda.synchronize()

    def noise(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(*shape, generator=torch.Generator().manual_seed(0))

    def picture_noise(self) -> Tensor:
        """For the sampling of the autoencoder."""
        vae = self.network.config.vae
        return self.noise(vae.z_channels, self.picture.height // vae.stride, self.picture.width // vae.stride)

    def drawing_context(self) -> Context:
        """What every edit of the picture begins with."""
        return read_drawing(self.network, empty(self.network), self.picture, self.picture_noise())

    def guidance(self, by_pictures: bool) -> Guidance:
        """The contexts of an edit."""
        return edit_guidance(
            self.network, self.picture, self.instruction, self.picture_noise(), by_pictures=by_pictures
        )

    def draw(self, guidance: Guidance, settings: FlowSettings) -> tuple[Image.Image, list[float]]:
        """Draw, and the seconds of every step."""
        grid = latent_grid(self.network, self.picture)
        noise = self.noise(grid[0] * grid[1], self.network.config.latent_values)
        result, times = noise, [time.perf_counter()]
        for step in self.execution.flow(guidance, grid, noise, settings):
            result = step.result
            times.append(time.perf_counter())
        self.wait()
        return picture_of(self.network, result, grid), [b - a for a, b in pairwise(times)]

    def question_context(self, start: Context | None = None) -> Context:
        """What an answer is written after, from the picture read on."""
        context = start or read_patches(self.network, empty(self.network), self.picture)
        return read_text(self.network, read_patches(self.network, context, self.drawn), self.question)

    def write(self, contexts: list[Context], most: int = WRITTEN) -> None:
        """Write answers of so many words."""
        self.execution.write(contexts, most, lambda _: [True] * len(contexts))


def build(config: BagelConfig, device: torch.device) -> BagelNetwork:
    """A network of random weights, in bfloat16."""
    with torch.device("meta"):
        network = BagelNetwork(config)
    network.set_precision("bfloat16").to_empty(device=device).requires_grad_(False).train(False)
    torch.manual_seed(0)
    for name, weight in network.named_parameters():
        weight.uniform_(0.8, 1.2) if weight.ndim == 1 and "norm" in name else weight.normal_(0.0, 0.02)
    for name, table in place_tables(config).items():
        getattr(network, name).copy_(table)
    return network


def measure(bench: Bench) -> Iterator[Figure]:
    """All figures, one after the other."""
    network, noise = bench.network, bench.picture_noise()
    ms = 1000.0
    pixels = to_tensor(bench.picture).to(network.device)
    latents = network.autoencoder.encode(pixels, noise.to(network.device))
    encode = bench.seconds(lambda: network.autoencoder.encode(pixels, noise.to(network.device)))
    yield Figure(name="autoencoder, encode", value=ms * encode, reference=55.4, floor=6.2)
    decode = bench.seconds(lambda: network.autoencoder.decode(latents))
    yield Figure(name="autoencoder, decode", value=ms * decode, reference=101.3, floor=13.3)
    context = bench.seconds(lambda: bench.guidance(False))
    yield Figure(name="edit context", value=context, unit="s", reference=0.50, floor=0.20, bar=0.30)
    start = bench.drawing_context()
    again = bench.seconds(lambda: read_text(network, start, bench.instruction))
    yield Figure(name="edit context, picture known", value=again, unit="s")
    for name, preset, by_pictures, reference, floor, bar in (
        ("denoising step, 2 branches", "paper", False, 427.0, 190.0, 240.0),
        ("denoising step, 3 branches", "edit", True, 583.0, 266.0, 330.0),
    ):
        settings = PRESETS[preset].model_copy(update={"timesteps": 13, "interval": (0.0, 1.0)})
        _, times = bench.draw(bench.guidance(by_pictures), settings)
        yield Figure(name=name, value=ms * median(times[4:]), reference=reference, floor=floor, bar=bar)
    read = read_patches(network, empty(network), bench.picture)
    short = read_text(network, read, bench.question)
    for texts, reference, floor, bar in ((1, 30.6, 3.4, 5.0), (8, None, 3.4, 6.5)):
        few, many = (bench.seconds(partial(bench.write, [short] * texts, most), 3) for most in (8, WRITTEN))
        each = ms * (many - few) / (WRITTEN - 8)
        yield Figure(name=f"a word, {texts} at once", value=each, reference=reference, floor=floor, bar=bar)
    for name, preset, by_pictures, reference, floor, bar in (
        ("loop, 30 timesteps, 2 branches", "paper", False, 17.4, 6.3, 8.0),
        ("loop, 50 timesteps, 3 branches", "edit", True, 33.6, 13.8, 17.5),
    ):
        settings = PRESETS[preset].model_copy(update={"interval": (0.0, 1.0)})

        def loop(by_pictures: bool = by_pictures, settings: FlowSettings = settings) -> None:
            bench.draw(bench.guidance(by_pictures), settings)
            bench.write([bench.question_context()])

        value = bench.seconds(loop, 1)
        yield Figure(name=name, value=value, unit="s", reference=reference, floor=floor, bar=bar)


def machine(bench: Bench, loading: float, warm: float) -> Iterator[Figure]:
    """What the machine says, after everything else."""
    yield Figure(name="weights made", value=loading, unit="s")
    yield Figure(name="first run", value=warm, unit="s")
    if bench.cuda:
        yield Figure(name="peak memory", value=torch.cuda.max_memory_allocated() / 2**30, unit="GiB", bar=36.0)


def main(
    tiny: Annotated[bool, typer.Option(help="A network of a few thousand weights.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure and print."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    began = time.perf_counter()
    with torch.inference_mode():
        network = build(TINY if tiny else REAL, device)
        side = network.config.vae_transform.longest
        random = np.random.default_rng(0)
        pictures = [Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)) for _ in range(2)]
        words = random.integers(0, 150000, 90).tolist()
        bench = Bench(network, FastExecution(network), *pictures, words[:30], words[30:])
        bench.wait()
        loading = time.perf_counter() - began
        began = time.perf_counter()
        bench.draw(bench.guidance(True), PRESETS["edit"].model_copy(update={"timesteps": 5}))
        bench.write([bench.question_context()], 4)
        warm = time.perf_counter() - began
        figures = []
        for figure in measure(bench):
            print(f"{figure.name}: {figure.value:.4g} {figure.unit}", flush=True)
            figures.append(figure)
        figures += machine(bench, loading, warm)
    if as_json:
        print(json.dumps([asdict(figure) for figure in figures]))
        return
    table = Table("", "measured", "reference", "floor", "at most")
    for figure in figures:
        cells = [figure.value, figure.reference, figure.floor, figure.bar]
        table.add_row(figure.name, *("" if cell is None else f"{cell:.4g} {figure.unit}" for cell in cells))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
