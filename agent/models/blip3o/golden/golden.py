"""All quantities of a folder of golden outputs, computed anew; `check_golden` compares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pydantic import BaseModel
from torch import Tensor, nn

from ..inference.context import Context, Part, embed, place, query_states, read
from ..inference.decoding import Texts
from ..inference.sampler import DrawingSettings, FlowStep, PixelStep, decode, draw_latents, flow, flow_times
from ..network.flow import rotation, waves
from ..network.network import Blip3oNetwork
from ..network.pictures import Patches, to_patches, to_picture, to_square

Outputs = Mapping[str, Tensor]
"""Quantities by name."""
Computed = Iterator[tuple[str, Tensor]]


class Ids(BaseModel):
    """Ids of special tokens."""

    vision_start: int
    vision_end: int
    image_start: int


class Reader(BaseModel):
    """What is read."""

    head: list[int]
    question: list[int]
    tail: list[int]
    cases: dict[str, list[str]]
    """Pictures of each case, between head and question."""


class Redrawn(BaseModel):
    """Words around a picture that is drawn anew."""

    before: list[int]
    after: list[int]


class Prompts(BaseModel):
    """What is read and drawn after."""

    reader: Reader
    draw_text: list[int]
    draw_reconstruct: Redrawn
    draw_negative: list[int]


class Picture(BaseModel):
    """The picture that is drawn anew."""

    picture: str
    resize_to: tuple[int, int]


class Steps(BaseModel):
    """Steps, and how far from no condition."""

    steps: int
    guidance: float


class Sampling(BaseModel):
    """How features and pixels are drawn."""

    draw: Steps
    decode: Steps
    extra_runs: dict[str, Steps] = {}
    """Features drawn otherwise, by what their names begin with; all after the text."""


class Resized(BaseModel):
    """The size in which a picture is read."""

    input: tuple[int, int]
    resized: tuple[int, int]


class Meta(BaseModel):
    """What `meta.json` says."""

    token_ids: Ids
    prompts: Prompts
    reconstruct: Picture
    sampling: Sampling
    dit_internal_step: int = 7
    """The step of the drawing after the text, of which the stages of the network are there, too."""
    resize_table: list[Resized] = []

    def pictures(self) -> list[str]:
        """Names of all pictures."""
        shown = [name for names in self.prompts.reader.cases.values() for name in names]
        return list(dict.fromkeys([*shown, self.reconstruct.picture]))


INPUTS = ("input_ids", "noise", "rope_deltas", "image_grid_thw", "time_ids", "init_noise_sigma", "resized_uint8")
"""Ends of names of what is no outcome: inputs, and what the outcomes would show."""


@torch.inference_mode()
def recompute(network: Blip3oNetwork, folder: Path, golden: Outputs, meta: Meta) -> Computed:
    """All quantities by their golden names; what the golden outputs lack, too."""
    for name, shown in meta.prompts.reader.cases.items():
        words = golden[f"reader/{name}/greedy_ids"].shape[1] if f"reader/{name}/greedy_ids" in golden else 1
        made = _read(network, meta, [_open(folder, picture) for picture in shown], words)
        yield from _named(f"reader/{name}", made)
    features: dict[str, Tensor] = {}
    states: dict[str, Tensor] = {}
    for name, parts in _prompts(network, folder, meta).items():
        states[name] = query_states(network, Context(plain=True), parts)
        x = torch.cat([embed(network, parts), network.queries], dim=1)
        positions, _ = place([*parts, [0] * network.config.queries], 0, plain=True)
        yield f"draw/{name}/inputs_embeds", x
        yield from ((f"draw/{name}/pixel_values", part.values) for part in parts if isinstance(part, Patches))
        yield f"draw/{name}/hidden_all", network.run(x, positions.to(network.device), ())[0]
        yield f"draw/{name}/query_hidden", states[name]
        noise = _rows(golden[f"draw/{name}/noise"]).to(network.device)
        steps = list(flow(network, states[name], noise, meta.sampling.draw.steps, meta.sampling.draw.guidance))
        features[name] = steps[-1].result
        yield from _named(f"draw/{name}", _flow_outputs(network, steps))
        if name == "text":
            yield from _named("dit_internal", _stages(network, states[name], steps, meta.dit_internal_step))
    for beginning, run in meta.sampling.extra_runs.items():
        noise = _rows(golden["draw/text/noise"]).to(network.device)
        steps = list(flow(network, states["text"], noise, run.steps, run.guidance))
        yield from _named(beginning, _flow_outputs(network, steps))
    for name in ("text", "reconstruct"):
        noise = golden[f"decode/{name}/noise"].to(network.device)
        made = _draw(network, features[name], features["negative"], noise, meta.sampling.decode)
        yield from _named(f"decode/{name}", made)


def _named(beginning: str, quantities: Mapping[str, Tensor]) -> Computed:
    yield from ((f"{beginning}/{name}", value) for name, value in quantities.items())


def _open(folder: Path, name: str) -> Image.Image:
    return Image.open(folder / name).convert("RGB")


def _read(network: Blip3oNetwork, meta: Meta, pictures: Sequence[Image.Image], words: int) -> dict[str, Tensor]:
    """Read pictures and a question, and write."""
    prompt = meta.prompts.reader
    shown = [to_patches(picture, network.config.reader.vision_config) for picture in pictures]
    parts: list[Part] = [prompt.head]
    for patches in shown:
        parts += [[meta.token_ids.vision_start], patches, [meta.token_ids.vision_end]]
    parts += [prompt.question, prompt.tail]
    context, hidden = read(network, Context(plain=False), parts)
    made = {
        "position_ids": place(parts, 0, plain=False)[0],
        "last_hidden": hidden,
        "logits": network.scores(hidden),
    }
    if shown:
        made["pixel_values"] = torch.cat([patches.values for patches in shown])
        made["image_embeds"] = torch.cat([network.embed_picture(patches)[0] for patches in shown])
    growing, said = Texts(network, [context], words), [network.scores(hidden[:, -1])]
    while len(said) < words:
        said.append(growing.step(said[-1].argmax(dim=-1)).clone())
    scores = torch.stack(said, dim=1)
    return made | {"greedy_logits": scores, "greedy_ids": scores.argmax(dim=-1)}


def _prompts(network: Blip3oNetwork, folder: Path, meta: Meta) -> dict[str, list[Part]]:
    """What is drawn after, by name."""
    ids, prompts = meta.token_ids, meta.prompts
    start = [ids.image_start]
    square = to_square(_open(folder, meta.reconstruct.picture), meta.reconstruct.resize_to[0])
    patches = to_patches(square, network.config.reader.vision_config)
    around = prompts.draw_reconstruct
    shown: list[Part] = [[*around.before, ids.vision_start], patches, [ids.vision_end, *around.after], start]
    return {"text": [prompts.draw_text, start], "negative": [prompts.draw_negative, start], "reconstruct": shown}


def _rows(maps: Tensor) -> Tensor:
    """`[rows, channels, height, width]` as `[rows, places, channels]`."""
    return maps.flatten(2).transpose(1, 2)


def _maps(network: Blip3oNetwork, rows: Tensor) -> Tensor:
    """The way back, of any number of leading dimensions."""
    side = network.config.feature_side
    maps: Tensor = rows.transpose(-1, -2).unflatten(-1, (side, side))
    return maps


def _flow_outputs(network: Blip3oNetwork, steps: Sequence[FlowStep]) -> dict[str, Tensor]:
    left, times = flow_times(len(steps))
    return {
        "sigmas": left,
        "timesteps": left[:-1] * 1000,
        "timesteps_long": times,
        "x_t": _maps(network, torch.stack([step.noisy for step in steps])),
        "v_uncond": _maps(network, torch.stack([step.free for step in steps])),
        "v_cond": _maps(network, torch.stack([step.told for step in steps])),
        "final_latent": _maps(network, steps[-1].result),
        "features": steps[-1].result,
    }


def _stages(network: Blip3oNetwork, states: Tensor, steps: Sequence[FlowStep], number: int) -> dict[str, Tensor]:
    """What the modules of the transformer give at one step."""
    transformer, seen = network.flow, dict[str, Tensor]()
    watched: dict[str, nn.Module] = {
        "patch_embed": transformer.patch_embedder["proj"],
        "caption": transformer.caption_projection.linear_2,
        "time_embed": transformer.time_caption_embed.timestep_embedder.linear_2,
        "block0_ffn": transformer.layers[0].get_submodule("feed_forward"),
        "norm_out": transformer.norm_out.linear_2,
        **{f"block{number}_out": layer for number, layer in enumerate(transformer.layers)},
    }

    def keep(name: str) -> Any:
        return lambda module, given, result: seen.__setitem__(name, result)

    hooks = [module.register_forward_hook(keep(name)) for name, module in watched.items()]
    try:
        condition = transformer.condition(torch.cat([torch.zeros_like(states), states]))
        time = flow_times(len(steps))[1][number].to(network.device)
        x = torch.cat([steps[number].noisy] * 2)
        velocity = transformer(x, time, condition)
    finally:
        for hook in hooks:
            hook.remove()
    head = transformer.config.width // transformer.config.heads
    frequencies = waves(time, transformer.config.frequencies)
    seen["time_embed"] = seen["time_embed"].expand(2, -1)
    return seen | {
        "x": _maps(network, x),
        "z": torch.cat([torch.zeros_like(states), states]),
        "timestep": time.expand(2),
        "time_freq": frequencies.expand(2, -1),
        "temb": seen["time_embed"] + condition.pooled,
        "rope_cos_sin": rotation(transformer.side, head, network.device),
        "velocity": _maps(network, velocity),
    }


def _draw(network: Blip3oNetwork, features: Tensor, blank: Tensor, noise: Tensor, how: Steps) -> dict[str, Tensor]:
    """Draw one picture, and keep every step."""
    steps: list[PixelStep] = []

    def keep(done: int, step: PixelStep) -> list[bool]:
        steps.append(step)
        return [True]

    settings = DrawingSettings(steps=how.steps, guidance=how.guidance)
    latents = draw_latents(network, features, blank, noise, settings, keep)[0]
    assert latents is not None, "it was wanted"
    scheduler = network.scheduler()
    scheduler.set_timesteps(how.steps)
    pixels = decode(network, latents)
    told = torch.cat([features, blank])
    return {
        "prompt_embeds": told,
        "text_embeds": told.mean(dim=1),
        "timesteps": scheduler.timesteps.float(),
        "sigmas": scheduler.sigmas,
        "unet_input": torch.stack([step.noisy for step in steps]),
        "eps_cond": torch.stack([step.told for step in steps]),
        "eps_uncond": torch.stack([step.blank for step in steps if step.blank is not None]),
        "final_latents": latents[None],
        "image_float": (pixels / 2 + 0.5).clamp(0, 1).permute(1, 2, 0)[None],
        "image_uint8": torch.from_numpy(np.array(to_picture(pixels))),
    }
