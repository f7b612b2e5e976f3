"""BAGEL at its real size, with random weights, beside the official program and the floor of the hardware.

    python benchmarks/bagel.py [--json]

Times are medians, with the GPU waited for. The reference is the official program with everything on the GPU, measured
on an H200 with torch 2.11: random weights of the same sizes, 1024 x 1024 pixels, an instruction of 30 words, a question
of 60. The floor is what arithmetic and bytes of the same work take at 790 TFLOP/s and 4.3 TB/s. Deviations are those of
random weights, too: they tell how much is changed, not how it looks. `--tiny` runs the same on a network of a few
thousand weights, also without a GPU, and its figures mean nothing.
"""

from __future__ import annotations

import copy
import json
import math
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

from g2u.models.bagel.config import (
    AutoencoderConfig,
    BagelConfig,
    LanguageConfig,
    ReaderConfig,
    TokenIds,
    TransformConfig,
)
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
from g2u.models.bagel.execution import Execution, PlainExecution
from g2u.models.bagel.fast import FastExecution, Float8Execution
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
    token_ids=TokenIds(bos_token_id=500, eos_token_id=501, start_of_image=502, end_of_image=503),
    llm=LanguageConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    ),
    vit=ReaderConfig(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4),
    vae=AutoencoderConfig(ch=32, ch_mult=(1, 1, 1, 1), num_res_blocks=1),
    vae_transform=TransformConfig(max=64, min=64, stride=16),
    vit_transform=TransformConfig(max=56, min=56, stride=14),
)
WRITTEN = 128
"""Words of an answer."""
TEXTS = 8
"""Answers that are written at once."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the result; a reference, floor or bar that there is none of is `None`."""

    name: str
    value: float
    unit: str = "ms"
    reference: float | None = None
    floor: float | None = None
    bar: float | None = None
    """The most it may be; of a ratio, the least."""


@dataclass(frozen=True)
class Bench:
    """A network, and what it is shown."""

    network: BagelNetwork
    execution: Execution
    picture: Image.Image
    drawn: Image.Image
    instruction: list[int]
    question: list[int]

    @property
    def gpus(self) -> int:
        """How many there are."""
        return torch.cuda.device_count() if self.network.device.type == "cuda" else 0

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
        """Until the GPUs are done."""
        for gpu in range(self.gpus):
            torch.cuda.synchronize(gpu)

    def picture_noise(self) -> Tensor:
        """For the sampling of the autoencoder."""
        vae = self.network.config.vae
        return _noise(vae.z_channels, self.picture.height // vae.stride, self.picture.width // vae.stride)

    def drawing_context(self) -> Context:
        """What every edit of the picture begins with."""
        return read_drawing(self.network, empty(self.network), self.picture, self.picture_noise())

    def guidance(self, settings: FlowSettings) -> Guidance:
        """The contexts of an edit."""
        by_pictures = settings.picture_scale > 1
        noise = self.picture_noise()
        return edit_guidance(self.network, self.picture, self.instruction, noise, by_pictures=by_pictures)

    def draw(self, guidance: Guidance, settings: FlowSettings) -> tuple[Tensor, list[float]]:
        """Draw: the latents, and the seconds of every step."""
        grid = latent_grid(self.network, self.picture)
        result = _noise(grid[0] * grid[1], self.network.config.latent_values)
        times = [time.perf_counter()]
        for step in self.execution.flow(guidance, grid, result, settings):
            result = step.result
            times.append(time.perf_counter())
        return result, [after - before for before, after in pairwise(times)]

    def picture_of(self, latents: Tensor) -> Image.Image:
        """The picture of drawn latents."""
        return picture_of(self.network, latents, latent_grid(self.network, self.picture))

    def question_context(self) -> Context:
        """What an answer about the picture and its drawing is written after."""
        context = empty(self.network)
        for picture in (self.picture, self.drawn):
            context = read_patches(self.network, context, picture)
        return read_text(self.network, context, self.question)

    def write(self, contexts: list[Context], most: int = WRITTEN) -> None:
        """Write as many words after each context."""
        self.execution.write(contexts, most, lambda _: [True] * len(contexts))

    def loop(self, settings: FlowSettings) -> None:
        """Draw a thought, and answer with it beside the original."""
        self.picture_of(self.draw(self.guidance(settings), settings)[0])
        self.write([self.question_context()])


def build(config: BagelConfig, device: torch.device) -> BagelNetwork:
    """A network of random weights, in bfloat16."""
    with torch.device("meta"):
        network = BagelNetwork(config)
    network.set_precision("bfloat16").to_empty(device=device).requires_grad_(False).train(False)
    torch.manual_seed(0)
    for name, weight in network.named_parameters():
        if weight.ndim == 1 and "norm" in name:
            weight.uniform_(0.8, 1.2)
        else:
            weight.normal_(0.0, 0.02)
    for name, table in place_tables(config).items():
        getattr(network, name).copy_(table)
    return network


def guided(preset: str, timesteps: int | None = None) -> FlowSettings:
    """A preset, guided at all times, as what the reference was measured with."""
    settings = PRESETS[preset]
    return settings.model_copy(update={"interval": (0.0, 1.0), "timesteps": timesteps or settings.timesteps})


def deviations(plain: Bench, fast: Callable[[], Bench]) -> Iterator[Figure]:
    """How far the fast path lies from the plain one: contexts, and velocities after the same contexts."""
    settings = guided("edit", 3)
    grid = latent_grid(plain.network, plain.picture)
    noise = _noise(grid[0] * grid[1], plain.network.config.latent_values)
    contexts = plain.guidance(settings)
    exact = list(plain.execution.flow(contexts, grid, noise, settings))
    bench = fast()
    ours = bench.guidance(settings).main.keys_values[-1][0]
    error = _distance(ours, contexts.main.keys_values[-1][0])
    yield Figure(name="keys of the last layer, fast against plain", value=100 * error, unit="%")
    steps = bench.execution.flow(contexts, grid, noise, settings)
    error = max(_distance(mine.velocity, one.velocity) for mine, one in zip(steps, exact, strict=True))
    yield Figure(name="guided velocity, fast against plain", value=100 * error, unit="%")


def measure(bench: Bench) -> Iterator[Figure]:
    """The parts of the loop, and the loop."""
    network, settings, ms = bench.network, guided("paper"), 1000.0
    pixels, noise = to_tensor(bench.picture).to(network.device), bench.picture_noise().to(network.device)
    latents = network.autoencoder.encode(pixels, noise)
    value = bench.seconds(lambda: network.autoencoder.encode(pixels, noise))
    yield Figure(name="autoencoder, encode", value=ms * value, reference=55.4, floor=6.2)
    value = bench.seconds(lambda: network.autoencoder.decode(latents))
    yield Figure(name="autoencoder, decode", value=ms * value, reference=101.3, floor=13.3)
    context = bench.seconds(lambda: bench.guidance(settings))
    yield Figure(name="edit context", value=context, unit="s", reference=0.50, floor=0.20, bar=0.30)
    start = bench.drawing_context()
    again = bench.seconds(lambda: read_text(network, start, bench.instruction))
    yield Figure(name="the same with the picture known: saved", value=context - again, unit="s")
    for name, preset, reference, floor, bar in (
        ("denoising step, 2 branches", "paper", 427.0, 190.0, 240.0),
        ("denoising step, 3 branches", "edit", 583.0, 266.0, 330.0),
    ):
        _, times = bench.draw(bench.guidance(guided(preset)), guided(preset, 13))
        yield Figure(name=name, value=ms * median(times[4:]), reference=reference, floor=floor, bar=bar)
    yield from _writing(bench)
    for name, preset, reference, floor, bar in (
        ("loop, 30 timesteps, 2 branches", "paper", 17.4, 6.3, 8.0),
        ("loop, 50 timesteps, 3 branches", "edit", 33.6, 13.8, 17.5),
    ):
        value = bench.seconds(partial(bench.loop, guided(preset)), 1)
        yield Figure(name=name, value=value, unit="s", reference=reference, floor=floor, bar=bar)


def _writing(bench: Bench) -> Iterator[Figure]:
    read = read_patches(bench.network, empty(bench.network), bench.picture)
    asked = read_text(bench.network, read, bench.question)
    each = {}
    for texts, reference, bar in ((1, 30.6, 5.0), (TEXTS, None, 6.5)):
        few, many = (bench.seconds(partial(bench.write, [asked] * texts, most), 3) for most in (8, WRITTEN))
        each[texts] = 1000.0 * (many - few) / (WRITTEN - 8)
        name = f"a word, {texts} at once"
        yield Figure(name=name, value=each[texts], reference=reference, floor=3.4, bar=bar)
    ratio = TEXTS * each[1] / each[TEXTS]
    yield Figure(name=f"words a second, {TEXTS} at once against one after the other", value=ratio, unit="x", bar=5.0)


def lossy(bench: Bench) -> Iterator[Figure]:
    """Speed-up and deviation of what is declared to be lossy; the last of them changes the weights."""
    contexts, settings = bench.guidance(guided("edit")), guided("edit")
    timed = partial(_timed, bench, contexts)
    exact, seconds = timed(settings)
    shown = bench.picture_of(exact)
    modes = {
        "guidance at early times alone": {"interval": (0.4, 1.0)},
        "every second step extrapolated": {"every": 2},
    }
    for name, changes in modes.items():
        yield from _compared(name, bench, shown, exact, seconds, *timed(settings.model_copy(update=changes)))
    if bench.gpus:
        rounded = Bench(**{**vars(bench), "execution": Float8Execution(bench.network)})
        drawn = _timed(rounded, contexts, guided("edit", 5)) and _timed(rounded, contexts, settings)
        yield from _compared("drawing expert in eight bits", bench, shown, exact, seconds, *drawn)


def _timed(bench: Bench, contexts: Guidance, settings: FlowSettings) -> tuple[Tensor, float]:
    bench.wait()
    began = time.perf_counter()
    latents, _ = bench.draw(contexts, settings)
    bench.wait()
    return latents, time.perf_counter() - began


def _compared(
    name: str, bench: Bench, shown: Image.Image, exact: Tensor, seconds: float, latents: Tensor, taken: float
) -> Iterator[Figure]:
    yield Figure(name=f"{name}: faster", value=seconds / taken, unit="x")
    yield Figure(name=f"{name}: latents differ", value=100 * _distance(latents, exact), unit="%")
    first, second = (np.asarray(picture, dtype=np.float64) for picture in (shown, bench.picture_of(latents)))
    error = float(((first - second) ** 2).mean())
    yield Figure(name=f"{name}: PSNR", value=10 * math.log10(255**2 / max(error, 1e-9)), unit="dB")


def two_gpus(bench: Bench) -> Iterator[Figure]:
    """A step whose branches are on two GPUs."""
    if bench.gpus > 1:
        second = copy.deepcopy(bench.network).to("cuda:1")
        shared = Bench(**{**vars(bench), "execution": FastExecution(bench.network, second)})
        contexts = bench.guidance(guided("paper"))
        alone, _ = bench.draw(contexts, guided("paper", 5))
        both, _ = shared.draw(contexts, guided("paper", 5))
        _, times = shared.draw(contexts, guided("paper", 13))
        yield Figure(name="denoising step, 2 branches, 2 GPUs", value=1000 * median(times[4:]), floor=95.0, bar=135.0)
        yield Figure(name="latents, 2 GPUs against 1", value=100 * _distance(both, alone), unit="%")


def machine(bench: Bench, loading: float, warm: float) -> Iterator[Figure]:
    """What it took to get ready, and how much memory."""
    yield Figure(name="weights made", value=loading, unit="s")
    yield Figure(name="first run, with compiling", value=warm, unit="s")
    if bench.gpus:
        yield Figure(name="peak memory", value=torch.cuda.max_memory_allocated() / 2**30, unit="GiB", bar=36.0)


def clocks() -> str:
    """What the GPUs say of themselves."""
    asked = "name,clocks.sm,clocks.mem,power.draw,temperature.gpu,memory.used"
    try:
        said = subprocess.run(["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader"], capture_output=True)
    except OSError:
        return f"no GPU; torch {torch.__version__}"
    return f"{said.stdout.decode().strip()}; torch {torch.__version__}"


def main(
    tiny: Annotated[bool, typer.Option(help="A network of a few thousand weights.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure and print."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    began = time.perf_counter()
    console = Console(stderr=True)
    figures: list[Figure] = []

    def keep(found: Iterator[Figure]) -> None:
        for figure in found:
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
        ready: list[Bench] = []

        def fast() -> Bench:
            ready.append(Bench(**{**vars(plain), "execution": FastExecution(network)}))
            return ready[0]

        keep(deviations(plain, fast))
        bench = ready[0]
        began = time.perf_counter()
        bench.loop(guided("edit", 5))
        warm = time.perf_counter() - began
        if bench.gpus:
            torch.cuda.reset_peak_memory_stats()
        keep(measure(bench))
        keep(machine(bench, loading, warm))
        said = clocks()
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


def _noise(*shape: int) -> Tensor:
    """Standard normal numbers, always the same."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def _distance(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm())


if __name__ == "__main__":
    typer.run(main)
