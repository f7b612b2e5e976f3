"""The golden folder, with the weights of its autoencoder drawn from their seed: stored, they would be 16 MB."""

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from g2u.models.bagel import load
from g2u.models.bagel.model import BagelModel
from g2u.models.bagel.network import BagelNetwork
from g2u.models.bagel.weights import load_network

DATA = Path(__file__).parents[3] / "data" / "bagel"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors are tiny: more threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole folder in the official layout, with outputs of the official program."""
    folder = tmp_path_factory.mktemp("bagel") / "golden"
    shutil.copytree(DATA, folder)
    save_file(draw_autoencoder(folder), folder / "ae.safetensors")
    return folder


@pytest.fixture(scope="session")
def tiny(golden: Path) -> BagelNetwork:
    return load_network(golden, "float32")


@pytest.fixture(scope="session")
def model(golden: Path) -> BagelModel:
    """The tiny checkpoint as a model, on the CPU in float32."""
    return load(str(golden), device="cpu", precision="float32")


def draw_autoencoder(folder: Path) -> dict[str, torch.Tensor]:
    """The weights, in the order in which the official modules name them, after those of the model."""
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    generator = torch.Generator().manual_seed(meta["seed"])
    with safe_open(folder / "ema.safetensors", "pt") as model:
        before = sum(math.prod(model.get_slice(key).get_shape()) for key in model.keys())  # noqa: SIM118  # no mapping
    torch.rand(before, generator=generator)
    weights = {}
    for name, shape in shapes(**meta["vae"]):
        fan_in = math.prod(shape[1:])
        weights[f"{name}.weight"] = (
            torch.rand(shape, generator=generator) * 0.4 + 0.8
            if len(shape) == 1
            else torch.randn(shape, generator=generator) * (0.6 / math.sqrt(fan_in))
        )
        weights[f"{name}.bias"] = torch.randn(shape[0], generator=generator) * 0.02
    return weights


def shapes(
    ch: int, ch_mult: list[int], num_res_blocks: int, z_channels: int, **_: float
) -> Iterator[tuple[str, tuple[int, ...]]]:
    width = [ch * factor for factor in ch_mult]
    top = width[-1]
    yield "encoder.conv_in", (ch, 3, 3, 3)
    before = ch
    for i, wide in enumerate(width):
        for j in range(num_res_blocks):
            yield from resnet(f"encoder.down.{i}.block.{j}", before, wide)
            before = wide
        if i < len(width) - 1:
            yield f"encoder.down.{i}.downsample.conv", (wide, wide, 3, 3)
    yield from middle("encoder.mid", top)
    yield "encoder.norm_out", (top,)
    yield "encoder.conv_out", (2 * z_channels, top, 3, 3)
    yield "decoder.conv_in", (top, z_channels, 3, 3)
    yield from middle("decoder.mid", top)
    for i, wide in enumerate(width):
        before = width[min(i + 1, len(width) - 1)]
        for j in range(num_res_blocks + 1):
            yield from resnet(f"decoder.up.{i}.block.{j}", before, wide)
            before = wide
        if i > 0:
            yield f"decoder.up.{i}.upsample.conv", (wide, wide, 3, 3)
    yield "decoder.norm_out", (ch,)
    yield "decoder.conv_out", (3, ch, 3, 3)


def middle(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from resnet(f"{name}.block_1", width, width)
    yield f"{name}.attn_1.norm", (width,)
    yield from ((f"{name}.attn_1.{part}", (width, width, 1, 1)) for part in ("q", "k", "v", "proj_out"))
    yield from resnet(f"{name}.block_2", width, width)


def resnet(name: str, before: int, after: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.norm1", (before,)
    yield f"{name}.conv1", (after, before, 3, 3)
    yield f"{name}.norm2", (after,)
    yield f"{name}.conv2", (after, after, 3, 3)
    if before != after:
        yield f"{name}.nin_shortcut", (after, before, 1, 1)
