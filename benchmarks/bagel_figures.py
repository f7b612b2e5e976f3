"""The figures of `bagel.py`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import numpy as np
import torch
from bagel_bench import SHORT, TEXTS, WRITTEN, Bench, build, distance, guided, noise_of
from PIL import Image
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from g2u.models.bagel.fast.execution import FastExecution, Float8Execution
from g2u.models.bagel.inference.context import Guidance, empty, latent_grid, read_patches, read_text
from g2u.models.bagel.inference.sampler import FlowSettings
from g2u.models.bagel.network.transforms import to_tensor

OTHERS = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
"""Kernels of attention for what the fast ones cannot do."""


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


def deviations(plain: Bench, fast: Callable[[], Bench]) -> Iterator[Figure]:
    """How far the fast path lies from the plain one, and the plain one from itself with another kernel of attention.

    Compared are keys of the contexts, and velocities after the same contexts.
    """
    settings = guided("edit", 3)
    grid = latent_grid(plain.network, plain.picture)
    noise = noise_of(grid[0] * grid[1], plain.network.config.latent_values)
    first, other = SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION if plain.gpus else SDPBackend.MATH

    def drawn(bench: Bench, contexts: Guidance) -> list[Tensor]:
        return [step.velocity for step in bench.execution.flow(contexts, grid, noise, settings)]

    def compared(what: str, ours: Guidance, velocities: Sequence[Tensor]) -> Iterator[Figure]:
        error = distance(ours.main.keys_values[-1][0], contexts.main.keys_values[-1][0])
        yield Figure(name=f"keys of the last layer, {what} against plain", value=100 * error, unit="%")
        error = max(distance(mine, one) for mine, one in zip(velocities, exact, strict=True))
        yield Figure(name=f"guided velocity, {what} against plain", value=100 * error, unit="%")

    with sdpa_kernel([first, *OTHERS], set_priority=True):
        contexts = plain.guidance(settings)
        exact = drawn(plain, contexts)
    with sdpa_kernel([other, *OTHERS], set_priority=True):
        yield from compared("another attention", plain.guidance(settings), drawn(plain, contexts))
    bench = fast()
    yield from compared("fast", bench.guidance(settings), drawn(bench, contexts))


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
    for words, reference, floor in ((WRITTEN, 4.37, 0.66), (SHORT, None, 0.24)):
        value = bench.seconds(partial(bench.answer, words), 3)
        name = f"two pictures read and {words} words written"
        yield Figure(name=name, value=value, unit="s", reference=reference, floor=floor)


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
        rounded = replace(bench, execution=Float8Execution(bench.network))
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
    yield Figure(name=f"{name}: latents differ", value=100 * distance(latents, exact), unit="%")
    first, second = (np.asarray(picture, dtype=np.float64) for picture in (shown, bench.picture_of(latents)))
    error = float(((first - second) ** 2).mean())
    yield Figure(name=f"{name}: PSNR", value=10 * math.log10(255**2 / max(error, 1e-9)), unit="dB")


def two_gpus(bench: Bench) -> Iterator[Figure]:
    """A step whose branches are on two GPUs."""
    if bench.gpus > 1:
        second = build(bench.network.config, torch.device("cuda:1"))
        shared = replace(bench, execution=FastExecution(bench.network, second))
        contexts = bench.guidance(guided("paper"))
        alone, _ = bench.draw(contexts, guided("paper", 5))
        both, _ = shared.draw(contexts, guided("paper", 5))
        _, times = shared.draw(contexts, guided("paper", 13))
        yield Figure(name="denoising step, 2 branches, 2 GPUs", value=1000 * median(times[4:]), floor=95.0, bar=135.0)
        yield Figure(name="latents, 2 GPUs against 1", value=100 * distance(both, alone), unit="%")


def machine(bench: Bench, loading: float, first: float) -> Iterator[Figure]:
    """What it took to get ready, and how much memory."""
    yield Figure(name="weights made", value=loading, unit="s")
    yield Figure(name="first loop, of 5 timesteps, with compiling", value=first, unit="s")
    if bench.gpus:
        used, kept = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
        yield Figure(name="peak memory", value=used / 2**30, unit="GiB", bar=36.0)
        yield Figure(name="peak memory, with what torch keeps for later", value=kept / 2**30, unit="GiB")
