"""What each part of a BLIP3o must compute and read at least, counted from its sizes on a network without memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from g2u.models.blip3o.checkpoint.weights import bare_network
from g2u.models.blip3o.inference.sampler import DrawingSettings
from g2u.models.blip3o.network.config import Blip3oConfig
from g2u.models.blip3o.network.flow import Condition
from g2u.models.blip3o.network.pictures import fit_size

FLOPS, BYTES = 790e12, 4.3e12
"""A second, of an H200."""
WIDTH = 2
"""Bytes of one value, in bfloat16."""
HEAD, QUESTION, INSTRUCTION = 15, 60, 35
"""Words before a picture, of a question, and of an instruction."""
TEXTS = 8
"""Answers that are written at once."""


@dataclass(frozen=True)
class Floor:
    """Least work of a part."""

    flops: float
    read: float
    """Bytes of weights and contexts."""

    @property
    def milliseconds(self) -> float:
        """What takes longer."""
        return 1e3 * max(self.flops / FLOPS, self.read / BYTES)

    def __add__(self, other: Floor) -> Floor:
        """One after the other, in one pass."""
        return Floor(self.flops + other.flops, self.read + other.read)

    def times(self, count: int) -> Floor:
        """One after the other, in as many passes."""
        return Floor(self.flops * count, self.read * count)


def floors(config: Blip3oConfig, side: int) -> dict[str, Floor]:
    """Each part by its name.

    Args:
        config: Sizes.
        side: Of the picture that is read, in pixels.
    """
    network = bare_network(config)
    network.settle()
    model: Any = network.reader.model
    settings = DrawingSettings()
    cell = config.reader.vision_config.patch_size * config.reader.vision_config.spatial_merge_size
    read = fit_size((side, side), config.reader.vision_config)[0] // cell
    drawn = fit_size((config.drawing_side, config.drawing_side), config.reader.vision_config)[0] // cell
    layers = weights(model.language_model.layers)
    head = weights(network.reader.lm_head)
    shown, asked = HEAD + 2 + read**2, HEAD + 2 + drawn**2
    context = shown + QUESTION
    key_values = kept(config, context)
    words = {
        f"a word, {texts} at once": Floor(2 * texts * (layers + head), WIDTH * (layers + head) + texts * key_values)
        for texts in (1, TEXTS)
    }
    flow = _counted(lambda: _flow(network, config), weights(network.flow))
    unet = _counted(lambda: _unet(network, config), weights(network.unet))
    latents = torch.empty(1, config.unet.in_channels, *2 * [config.unet.sample_size], device="meta")
    return {
        "a picture seen": _vision(config, model.visual, read),
        "the same read": _vision(config, model.visual, read) + _passed(config, layers, 0, shown),
        **words,
        "a picture to be drawn from, read": _vision(config, model.visual, drawn) + _passed(config, layers, 0, asked),
        "instruction and queries": _passed(config, layers, asked, INSTRUCTION + config.queries),
        f"features, {settings.flow_steps} steps": flow.times(settings.flow_steps),
        f"latents, {settings.steps} steps": unet.times(settings.steps),
        "pixels": _counted(lambda: network.vae.decode(latents), weights(network.vae.decoder)),
    }


def weights(module: nn.Module) -> int:
    """How many there are."""
    return sum(weight.numel() for weight in module.parameters())


def kept(config: Blip3oConfig, tokens: int) -> int:
    """Bytes of keys and values."""
    reader = config.reader
    width = reader.num_key_value_heads * reader.hidden_size // reader.num_attention_heads
    return WIDTH * 2 * reader.num_hidden_layers * width * tokens


def _vision(config: Blip3oConfig, visual: nn.Module, side: int) -> Floor:
    """A square picture of so many tokens a side, seen."""
    sizes = config.reader.vision_config
    merged = sizes.spatial_merge_size**2
    patches, window = side**2 * merged, (sizes.window_size // sizes.patch_size) ** 2
    whole = len(sizes.fullatt_block_indexes)
    attended = 4 * patches * sizes.hidden_size * (whole * patches + (sizes.depth - whole) * min(window, patches))
    merger = weights(visual.get_submodule("merger"))
    products = 2 * (weights(visual) - merger) * patches + 2 * merger * side**2
    return Floor(products + attended, WIDTH * weights(visual))


def _passed(config: Blip3oConfig, layers: int, past: int, tokens: int) -> Floor:
    """Tokens through the layers of the reader, each attending to all before it."""
    reader = config.reader
    attended = 4 * reader.num_hidden_layers * reader.hidden_size * tokens * (past + tokens / 2)
    return Floor(2 * layers * tokens + attended, WIDTH * layers + kept(config, past))


def _counted(work: Callable[[], object], read: int) -> Floor:
    with torch.inference_mode(), FlopCounterMode(display=False) as counted:
        work()
    return Floor(counted.get_total_flops(), WIDTH * read)


def _flow(network: Any, config: Blip3oConfig) -> Tensor:
    """A step for one drawing: with and without condition, for the picture and for the blank prompt."""
    rows = 4
    heads, size = config.flow.heads, config.flow.width // config.flow.heads
    told = torch.empty(rows, heads, config.queries, size, device="meta")
    condition = Condition(
        torch.empty(rows, config.flow.condition, device="meta"), tuple((told, told) for _ in network.flow.layers)
    )
    noise = torch.empty(rows, config.queries, config.flow.channels, device="meta")
    return network.flow(noise, torch.zeros((), dtype=torch.long, device="meta"), condition)


def _unet(network: Any, config: Blip3oConfig) -> Tensor:
    """A step for one drawing: with the features of the picture, and with those of the blank prompt."""
    rows, side = 2, config.unet.sample_size
    noise = torch.empty(rows, config.unet.in_channels, side, side, device="meta")
    features = torch.empty(rows, config.queries, config.flow.channels, device="meta")
    added = {"text_embeds": features.mean(dim=1), "time_ids": torch.empty(rows, 6, device="meta")}
    time = torch.zeros((), device="meta")
    return network.unet(noise, time, encoder_hidden_states=features, added_cond_kwargs=added).sample
