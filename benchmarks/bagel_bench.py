"""What `bagel.py` measures: a network of BAGEL's real size with random weights, and what it is shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import torch
from PIL import Image
from torch import Tensor

from g2u.models.bagel.inference.context import (
    Context,
    Guidance,
    edit_guidance,
    empty,
    latent_grid,
    read_drawing,
    read_patches,
    read_text,
)
from g2u.models.bagel.inference.execution import Execution
from g2u.models.bagel.inference.sampler import PRESETS, FlowSettings, picture_of
from g2u.models.bagel.network.config import (
    AutoencoderConfig,
    BagelConfig,
    LanguageConfig,
    ReaderConfig,
    TokenIds,
    TransformConfig,
)
from g2u.models.bagel.network.network import BagelNetwork, place_tables

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
"""Words of a long answer."""
SHORT = 4
"""Words of a short one."""
TEXTS = 8
"""Answers that are written at once."""


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
        return noise_of(vae.z_channels, self.picture.height // vae.stride, self.picture.width // vae.stride)

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
        result = noise_of(grid[0] * grid[1], self.network.config.latent_values)
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

    def answer(self, most: int) -> None:
        """Read both pictures and the question, and write as many words."""
        self.write([self.question_context()], most)

    def loop(self, settings: FlowSettings) -> None:
        """Draw a thought, and answer with it beside the original."""
        self.picture_of(self.draw(self.guidance(settings), settings)[0])
        self.answer(WRITTEN)


def build(config: BagelConfig, device: torch.device) -> BagelNetwork:
    """A network of random weights, in bfloat16; on every GPU the same."""
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


def noise_of(*shape: int) -> Tensor:
    """Standard normal numbers, always the same."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def distance(ours: Tensor, theirs: Tensor) -> float:
    """How far two tensors lie apart, relative to the second."""
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm())
