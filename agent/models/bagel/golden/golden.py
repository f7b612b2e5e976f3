"""All quantities of a folder of golden outputs, computed anew; `check_golden` compares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pydantic import BaseModel
from torch import Tensor

from ..inference.context import Guidance, edit_guidance, empty, latent_grid, read_patches, read_text, text_guidance
from ..inference.execution import Execution
from ..inference.sampler import FlowSettings, picture_of
from ..inference.text import write
from ..network.network import BagelNetwork, Grid
from ..network.transforms import resize, to_rgb

PICTURES = ("a.png", "b.png")
"""The first is edited, both are read."""

Outputs = dict[str, Tensor]
"""Quantities by name."""


class Meta(BaseModel):
    """What `meta.json` says besides the configuration."""

    seed: int | None = None
    """What the weights were drawn from; needed where those of the autoencoder are not in the folder."""
    instruction: list[int]
    """Words of the instruction, and of the text that is drawn from alone."""
    question: list[int]
    """Words of the question."""
    modes: dict[str, dict[str, Any]]
    """Settings of edits, under their official names."""
    t2i: dict[str, Any] = {
        "cfg_text_scale": 4.0,
        "cfg_img_scale": 1.0,
        "cfg_interval": [0.4, 1.0],
        "cfg_renorm_type": "global",
        "num_timesteps": 5,
        "timestep_shift": 3.0,
        "cfg_renorm_min": 0.0,
    }
    """Settings of drawing from text alone; left out: these."""
    resize_table: list[dict[str, tuple[int, int]]] = []
    """Sizes of pictures before and after resizing, under the limits of the real model."""


@torch.inference_mode()
def recompute(network: BagelNetwork, execution: Execution, folder: Path, golden: Outputs, meta: Meta) -> Outputs:
    """All quantities, by their golden names without the kind; the execution draws."""
    pictures = [resize(to_rgb(Image.open(folder / name)), network.config.vae_transform) for name in ("a.png", "b.png")]
    made: Outputs = {}
    for name, shown in (("und_one", pictures[:1]), ("und_two", pictures)):
        most = next(len(value) for key, value in golden.items() if key.endswith(f"{name}/decoded_ids"))
        made |= {f"{name}/{key}": value for key, value in understand(network, shown, meta.question, most).items()}
    guidance = edit_guidance(network, pictures[0], meta.instruction, golden["ae_noise"][0])
    grid = latent_grid(network, pictures[0])
    for name, values in meta.modes.items():
        drawn = draw(network, execution, guidance, grid, golden["init_noise"], settings_of(values))
        made |= {f"{name}/{key}": value for key, value in drawn.items()}
    # The size of the picture that is drawn from text alone is that of the outcome.
    height, width = next(value.shape[:2] for key, value in golden.items() if key.endswith("t2i/image_uint8"))
    stride = network.config.latent_stride
    drawn = draw(
        network,
        execution,
        text_guidance(network, meta.instruction),
        (height // stride, width // stride),
        golden["t2i_init_noise"],
        settings_of(meta.t2i),
    )
    return made | {f"t2i/{key}": value for key, value in drawn.items()}


def understand(network: BagelNetwork, pictures: list[Image.Image], question: list[int], most: int) -> Outputs:
    """Read pictures and a question, and write."""
    context = empty(network)
    for picture in pictures:
        context = read_patches(network, context, picture)
    seen = context.tokens
    context = read_text(network, context, question)
    keys, values = context.keys_values[-1]
    logits: list[Tensor] = []

    def keep(_done: int, scores: Tensor) -> bool:
        logits.append(scores)
        return True

    written = write(network, context, most, on_word=keep)
    return {
        "k_last_layer": keys,
        "v_last_layer": values,
        "kv_len_after_images": torch.tensor([seen]),
        "kv_len": torch.tensor([context.tokens]),
        "rope": torch.tensor([context.position]),
        "step_logits": torch.stack(logits),
        "decoded_ids": torch.tensor([network.config.token_ids.bos_token_id, *written.ids]),
    }


def draw(
    network: BagelNetwork,
    execution: Execution,
    guidance: Guidance,
    grid: Grid,
    noise: Tensor,
    settings: FlowSettings,
) -> Outputs:
    """Draw one picture, and keep every step."""
    steps = list(execution.flow(guidance, grid, noise, settings))
    return {
        "x_t": torch.stack([step.noisy for step in steps]),
        "t": torch.stack([step.time for step in steps]),
        "v": torch.stack([step.velocity.float() for step in steps]),
        "latent": steps[-1].result,
        "image_uint8": torch.from_numpy(np.array(picture_of(network, steps[-1].result, grid))),
    }


def settings_of(values: dict[str, Any]) -> FlowSettings:
    """Settings from their official names."""
    return FlowSettings(
        timesteps=values["num_timesteps"],
        text_scale=values["cfg_text_scale"],
        picture_scale=values["cfg_img_scale"],
        interval=tuple(values["cfg_interval"]),
        renorm=values["cfg_renorm_type"],
        renorm_min=values["cfg_renorm_min"],
        shift=values["timestep_shift"],
    )
