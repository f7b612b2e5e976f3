"""BLIP3o-8B at its real size, with random weights, beside the floor of the hardware.

    python benchmarks/models.py [--floors] [--json]

Times are medians, with the GPU waited for. The floor of a part is the longer of two: its arithmetic at 790 TFLOP/s, and
the bytes of the weights and contexts that it must read at 4.3 TB/s, those of an H200; `--floors` prints these alone,
without a GPU. Parts that are transformers may take 1.6 times their floor. The sizes of the pixel decoder are those of
SDXL with features of 1,792 values; the official ones are in its files alone. `--tiny` runs the same on a network of a
few thousand weights, also without a GPU, and its figures mean nothing.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Annotated, Any

import numpy as np
import torch
import typer
from blip3o_floors import HEAD, INSTRUCTION, QUESTION, TEXTS, Floor, floors
from blip3o_sizes import REAL, TINY
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from g2u.models.blip3o.checkpoint.weights import bare_network
from g2u.models.blip3o.inference.context import Context, Part, query_states, read
from g2u.models.blip3o.inference.decoding import Texts
from g2u.models.blip3o.inference.sampler import DrawingSettings, decode, draw_features, draw_latents, picture_of
from g2u.models.blip3o.network.config import Blip3oConfig
from g2u.models.blip3o.network.network import Blip3oNetwork
from g2u.models.blip3o.network.pictures import to_patches, to_square

BAR = 1.6
"""How many times its floor a transformer may take."""
NO_BAR = ("latents", "pixels")
"""What the names of parts that are none begin with."""
WRITTEN = 128
"""Words of an answer."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the result."""

    name: str
    value: float | None
    unit: str = "ms"
    floor: float | None = None
    bar: float | None = None
    """The most it may be."""
    tera_flops: float | None = None
    gigabytes: float | None = None


@dataclass(frozen=True)
class Bench:
    """A network, and what it is shown."""

    network: Blip3oNetwork
    picture: Image.Image
    head: list[int]
    question: list[int]
    instruction: list[int]
    floors: Mapping[str, Floor]

    def wait(self) -> None:
        """Until the GPU is done."""
        if self.network.device.type == "cuda":
            torch.cuda.synchronize()

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

    def part(self, name: str, work: Callable[[], object], repeats: int = 5) -> Figure:
        """A part of the loop beside its floor."""
        return figure(name, self.floors[name], 1e3 * self.seconds(work, repeats))

    def noise(self, *shape: int) -> Tensor:
        """Standard normal numbers, always the same."""
        drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
        return drawn.to(self.network.device, self.network.dtype)

    def shown(self, square: bool) -> list[Part]:
        """A picture as parts, to be read or to be drawn from."""
        side = self.network.config.drawing_side
        picture = to_square(self.picture, side) if square else self.picture
        return [self.head, [1], to_patches(picture, self.network.config.reader.vision_config), [2]]


def figure(name: str, floor: Floor, value: float | None = None) -> Figure:
    """A floor, and what was measured."""
    return Figure(
        name=name,
        value=value,
        floor=floor.milliseconds,
        bar=None if name.startswith(NO_BAR) else BAR * floor.milliseconds,
        tera_flops=floor.flops / 1e12,
        gigabytes=floor.read / 1e9,
    )


def measure_reading(bench: Bench) -> Iterator[Figure]:
    """Pictures and words."""
    network, parts = bench.network, bench.shown(square=False)
    picture: Any = parts[2]
    yield bench.part("a picture seen", lambda: network.embed_picture(picture))
    yield bench.part("the same read", lambda: read(network, Context(plain=False), parts))
    context, _ = read(network, Context(plain=False), [*parts, bench.question])
    for texts in (1, TEXTS):
        growing = Texts(network, [context] * texts, WRITTEN)
        word = torch.zeros(texts, dtype=torch.long, device=network.device)
        yield bench.part(f"a word, {texts} at once", lambda growing=growing, word=word: growing.step(word), 20)
    yield Figure(name=f"{WRITTEN} words written", value=bench.seconds(lambda: write(bench, context), 2), unit="s")


def write(bench: Bench, context: Context) -> None:
    """Write a long answer."""
    growing = Texts(bench.network, [context], WRITTEN)
    word = torch.zeros(1, dtype=torch.long, device=bench.network.device)
    for _ in range(WRITTEN - 1):
        word = growing.step(word).max(dim=-1)[1]
        word.tolist()


def measure_drawing(bench: Bench) -> Iterator[Figure]:
    """From picture and instruction to pixels."""
    network, settings, parts = bench.network, DrawingSettings(), bench.shown(square=True)
    config, asked = network.config, [bench.instruction]
    yield bench.part("a picture to be drawn from, read", lambda: read(network, Context(plain=True), parts))
    context, _ = read(network, Context(plain=True), parts)
    yield bench.part("instruction and queries", lambda: query_states(network, context, asked))
    states = query_states(network, context, asked).expand(2, -1, -1)  # of the picture, and of the blank prompt
    noise = bench.noise(2, config.queries, config.flow.channels)

    def features() -> Tensor:
        return draw_features(network, states, noise, settings.flow_steps, settings.flow_guidance)

    yield bench.part(f"features, {settings.flow_steps} steps", features)
    told, blank = features().chunk(2)
    latent_side = config.unet.sample_size
    grain = bench.noise(1, config.unet.in_channels, latent_side, latent_side)

    def latents() -> Tensor:
        (drawn,) = draw_latents(network, told, blank, grain, settings, lambda done, step: [True])
        assert drawn is not None, "it was wanted"
        return drawn

    yield bench.part(f"latents, {settings.steps} steps", latents, 2)
    drawn = latents()
    yield bench.part("pixels", lambda: decode(network, drawn))

    def drawing() -> None:
        start, _ = read(network, Context(plain=True), parts)
        query_states(network, start, asked)
        features()
        picture_of(network, latents())

    yield Figure(name="a drawing", value=bench.seconds(drawing, 2), unit="s")


def build(config: Blip3oConfig, device: torch.device) -> Blip3oNetwork:
    """A network of random weights, in bfloat16."""
    network = bare_network(config).to(torch.bfloat16).to_empty(device=device)
    network.requires_grad_(False).train(False)
    torch.manual_seed(0)
    for name, weight in network.named_parameters():
        if weight.ndim == 1 and name.endswith("weight"):
            weight.uniform_(0.8, 1.2)
        else:
            weight.normal_(0.0, 0.02)
    network.settle()
    return network


def machine(device: torch.device) -> str:
    """What it is."""
    if device.type != "cuda":
        return f"no GPU; torch {torch.__version__}"
    asked = "name,clocks.sm,power.draw,temperature.gpu"
    said = subprocess.run(["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader"], capture_output=True)
    return f"{said.stdout.decode().strip()}; torch {torch.__version__}"


def measure(config: Blip3oConfig, side: int, device: torch.device) -> Iterator[Figure]:
    """All figures, as they come."""
    random, vocabulary = np.random.default_rng(0), config.reader.vocab_size
    picture = Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8))
    head, question, instruction = (
        random.integers(3, vocabulary, count).tolist() for count in (HEAD, QUESTION, INSTRUCTION)
    )
    began = time.perf_counter()
    bench = Bench(build(config, device), picture, head, question, instruction, floors(config, side))
    bench.wait()
    yield Figure(name="weights made", value=time.perf_counter() - began, unit="s")
    yield Figure(name="weights", value=bench.network.nbytes / 2**30, unit="GiB")
    yield from measure_reading(bench)
    yield from measure_drawing(bench)
    if device.type == "cuda":
        yield Figure(name="peak memory", value=torch.cuda.max_memory_allocated() / 2**30, unit="GiB")


def main(
    tiny: Annotated[bool, typer.Option(help="A network of a few thousand weights.")] = False,
    only_floors: Annotated[bool, typer.Option("--floors", help="Count alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure and print."""
    if tiny:
        torch.set_num_threads(1)  # more would only wait for each other
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config, side = Blip3oConfig.model_validate(TINY if tiny else REAL), 112 if tiny else 1024
    console, found = Console(stderr=True), list[Figure]()
    if only_floors:
        found += [figure(name, floor) for name, floor in floors(config, side).items()]
    else:
        with torch.inference_mode():
            for one in measure(config, side, device):
                console.print(f"{one.name}: {one.value:.4g} {one.unit}", highlight=False)
                found.append(one)
    said = machine(device)
    if as_json:
        print(json.dumps({"machine": said, "figures": [asdict(one) for one in found]}))
        return
    table = Table("", "TFLOP", "GB", "measured", "floor", "bar", caption=said)
    for one in found:
        counted = [None if cell is None else f"{cell:.3g}" for cell in (one.tera_flops, one.gigabytes)]
        cells = [None if cell is None else f"{cell:.3g} {one.unit}" for cell in (one.value, one.floor, one.bar)]
        table.add_row(one.name, *(cell or "" for cell in (*counted, *cells)))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
