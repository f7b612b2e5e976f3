"""The autoencoder of a folder of golden outputs that has none: its weights, drawn from the seed of the folder.

Stored, they would be most of the folder. They are drawn in the order in which the official modules name them, after as
many numbers as the rest of the checkpoint has, as when the golden outputs were made.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..checkpoint.files import AUTOENCODER, MODEL
from ..network.config import AutoencoderConfig

_Shape = tuple[int, ...]


def lacks_autoencoder(folder: Path) -> bool:
    """Whether the weights of the autoencoder are not in a folder."""
    return not (folder / AUTOENCODER).is_file()


@contextmanager
def completed(folder: Path, config: AutoencoderConfig, seed: int) -> Iterator[Path]:
    """A folder with all that is in another, and with an autoencoder; gone afterwards.

    Args:
        folder: Of golden outputs.
        config: Sizes of the autoencoder.
        seed: That of the folder.
    """
    with tempfile.TemporaryDirectory(prefix="g2u-golden-") as name:
        whole = Path(name)
        for file in folder.resolve().iterdir():
            (whole / file.name).symlink_to(file)
        save_file(draw_autoencoder(folder, config, seed), whole / AUTOENCODER)
        yield whole


def draw_autoencoder(folder: Path, config: AutoencoderConfig, seed: int) -> dict[str, Tensor]:
    """The weights by their official keys, float32; for the arguments see `completed`."""
    generator = torch.Generator().manual_seed(seed)
    with safe_open(folder / MODEL, "pt") as model:
        before = sum(math.prod(model.get_slice(key).get_shape()) for key in model.keys())  # noqa: SIM118  # no mapping
    torch.rand(before, generator=generator)
    weights = {}
    for name, shape in _shapes(config):
        weights[f"{name}.weight"] = (
            torch.rand(shape, generator=generator) * 0.4 + 0.8
            if len(shape) == 1
            else torch.randn(shape, generator=generator) * (0.6 / math.sqrt(math.prod(shape[1:])))
        )
        weights[f"{name}.bias"] = torch.randn(shape[0], generator=generator) * 0.02
    return weights


def _shapes(config: AutoencoderConfig) -> Iterator[tuple[str, _Shape]]:
    width = [config.ch * factor for factor in config.ch_mult]
    top = width[-1]
    yield "encoder.conv_in", (config.ch, 3, 3, 3)
    before = config.ch
    for i, wide in enumerate(width):
        for j in range(config.num_res_blocks):
            yield from _resnet(f"encoder.down.{i}.block.{j}", before, wide)
            before = wide
        if i < len(width) - 1:
            yield f"encoder.down.{i}.downsample.conv", (wide, wide, 3, 3)
    yield from _middle("encoder.mid", top)
    yield "encoder.norm_out", (top,)
    yield "encoder.conv_out", (2 * config.z_channels, top, 3, 3)
    yield "decoder.conv_in", (top, config.z_channels, 3, 3)
    yield from _middle("decoder.mid", top)
    for i, wide in enumerate(width):
        before = width[min(i + 1, len(width) - 1)]
        for j in range(config.num_res_blocks + 1):
            yield from _resnet(f"decoder.up.{i}.block.{j}", before, wide)
            before = wide
        if i > 0:
            yield f"decoder.up.{i}.upsample.conv", (wide, wide, 3, 3)
    yield "decoder.norm_out", (config.ch,)
    yield "decoder.conv_out", (3, config.ch, 3, 3)


def _middle(name: str, width: int) -> Iterator[tuple[str, _Shape]]:
    yield from _resnet(f"{name}.block_1", width, width)
    yield f"{name}.attn_1.norm", (width,)
    yield from ((f"{name}.attn_1.{part}", (width, width, 1, 1)) for part in ("q", "k", "v", "proj_out"))
    yield from _resnet(f"{name}.block_2", width, width)


def _resnet(name: str, before: int, after: int) -> Iterator[tuple[str, _Shape]]:
    yield f"{name}.norm1", (before,)
    yield f"{name}.conv1", (after, before, 3, 3)
    yield f"{name}.norm2", (after,)
    yield f"{name}.conv2", (after, after, 3, 3)
    if before != after:
        yield f"{name}.nin_shortcut", (after, before, 1, 1)
