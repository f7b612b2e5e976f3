"""Drawing: Euler steps from noise to features of a picture, and Euler steps from noise to its pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...replaying import Replayed
from ...settings import Setting, Value
from ..network.flow import Condition
from ..network.network import Blip3oNetwork
from ..network.pictures import to_picture

ORIGINAL_SIDE = 1024
"""Pixels per side of the picture that the pixel decoder is told to have been cropped from, whatever the size."""

STEPS = 50
"""Of the pixel decoder: the steps of a drawing, since nearly all of its time is theirs."""

SETTINGS = {
    "guidance": Setting(
        default=3.0,
        least=0.0,
        most=30.0,
        about="of the pixels, away from those of a blank prompt; up to 1: none; `guidance_scale`",
    ),
    "flow_guidance": Setting(
        default=3.0, least=0.0, most=30.0, about="of the features, away from no condition; fixed at 3 there"
    ),
    "flow_steps": Setting(default=30, least=1, most=200, about="from noise to features; fixed at 30 there"),
}
"""Settings of the sampler, and what they are in the official program."""


@dataclass(frozen=True, kw_only=True)
class DrawingSettings:
    """How a picture is drawn."""

    steps: int = STEPS
    guidance: float = 3.0
    flow_steps: int = 30
    flow_guidance: float = 3.0

    @property
    def blank(self) -> bool:
        """Whether pixels are guided away from those of a blank prompt."""
        return self.guidance > 1


def settings_of(steps: int, values: dict[str, Value]) -> DrawingSettings:
    """Settings from the values of a sampler."""
    return DrawingSettings(
        steps=steps,
        guidance=float(values["guidance"]),
        flow_guidance=float(values["flow_guidance"]),
        flow_steps=int(values["flow_steps"]),
    )


@dataclass(frozen=True)
class FlowStep:
    """One step from noise to features, all `[rows, places, channels]`."""

    noisy: Tensor
    """Before it."""
    free: Tensor
    """Velocity without a condition."""
    told: Tensor
    """Velocity with it."""
    result: Tensor
    """After it."""


@dataclass(frozen=True)
class PixelStep:
    """One step from noise to latents of the picture, all `[rows, channels, height, width]`."""

    noisy: Tensor
    """Scaled, as the network gets it."""
    told: Tensor
    """The noise that is seen in it with the features."""
    blank: Tensor | None
    """The same with those of a blank prompt."""
    result: Tensor
    """After it, not scaled."""


WatchPixels = Callable[[int, PixelStep], Sequence[bool]]
"""Called as `on_step(done, step)` after each step. The answer has one flag per drawing: `False` means that nobody waits
for it any more and it may be left out from now on."""


def flow_times(steps: int) -> tuple[Tensor, Tensor]:
    """Noise left at each step, `[steps + 1]`, and the times that the network is told, `[steps]`, which are cut off."""
    left = torch.from_numpy(np.linspace(1.0, 1 / steps, steps)).float()
    return torch.cat([left, torch.zeros(1)]), (left * 1000).long()


def flow(network: Blip3oNetwork, states: Tensor, noise: Tensor, steps: int, guidance: float) -> Iterator[FlowStep]:
    """Draw features from noise.

    Args:
        network: The network.
        states: Of the queries, `[rows, queries, width]`.
        noise: `[rows, places, channels]`, in the dtype of the network.
        steps: How many.
        guidance: How far away from what would be drawn without a condition.
    """
    condition = network.flow.condition(torch.cat([torch.zeros_like(states), states]))
    left, times = flow_times(steps)
    if len(noise) not in network.flow_passes:
        network.flow_passes[len(noise)] = FlowPass(network, len(noise))
    velocities = network.flow_passes[len(noise)]
    x = noise
    for time, before, after in zip(times.to(x.device), left[:-1].tolist(), left[1:].tolist(), strict=True):
        free, told = velocities(x, time, condition).chunk(2)
        velocity = free.float() + guidance * (told.float() - free.float())
        moved = (x.float() + (after - before) * velocity).to(x.dtype)
        yield FlowStep(x, free, told, moved)
        x = moved


class FlowPass:
    """A pass of the transformer for so many drawings, recorded as a CUDA graph that later drawings replay, too.

    Args:
        network: The network.
        rows: Drawings.
    """

    def __init__(self, network: Blip3oNetwork, rows: int) -> None:
        """Make room for what changes; that for a condition comes with the first one."""
        config, device = network.config, network.device
        self._flow = network.flow
        self._x = torch.zeros(2 * rows, config.queries, config.flow.channels, dtype=network.dtype, device=device)
        self._time = torch.zeros((), dtype=torch.long, device=device)
        self._given: Condition | None = None
        self._condition: Condition | None = None
        self._replayed = Replayed(device)

    def __call__(self, x: Tensor, time: Tensor, condition: Condition) -> Tensor:
        """Velocities of all without condition, and then of all with it."""
        self._x.copy_(torch.cat([x, x]))
        self._time.copy_(time)
        if self._condition is None:
            self._condition = condition.clone()
        elif self._given is not condition:
            self._condition.copy_(condition)
        self._given = condition
        return self._replayed(self._velocities).clone()

    def _velocities(self) -> Tensor:
        assert self._condition is not None, "a condition was given"
        found: Tensor = self._flow(self._x, self._time, self._condition)
        return found


def draw_features(network: Blip3oNetwork, states: Tensor, noise: Tensor, steps: int, guidance: float) -> Tensor:
    """The features that the steps of `flow` end with."""
    features = noise
    for step in flow(network, states, noise, steps, guidance):
        features = step.result
    return features


def draw_latents(
    network: Blip3oNetwork,
    features: Tensor,
    blank: Tensor | None,
    noise: Tensor,
    settings: DrawingSettings,
    on_step: WatchPixels,
) -> list[Tensor | None]:
    """Draw latents of pictures that have some features.

    Args:
        network: The network.
        features: `[rows, places, channels]`.
        blank: Those of the blank prompt, as many; `None` for no guidance.
        noise: `[rows, channels, height, width]`, in the dtype of the network.
        settings: How.
        on_step: See `WatchPixels`.

    Returns:
        `[channels, height, width]` of each; `None` for those left out.
    """
    scheduler = network.scheduler()
    scheduler.set_timesteps(settings.steps, device=network.device)
    x = noise * scheduler.init_noise_sigma
    rows = list(range(len(noise)))
    told = features if blank is None else torch.cat([features, blank])
    for done, time in enumerate(scheduler.timesteps, 1):
        scaled = scheduler.scale_model_input(x, time)
        seen = _see_noise(network, scaled if blank is None else torch.cat([scaled, scaled]), time, told)
        with_features, without = (seen, None) if blank is None else seen.chunk(2)
        guided = with_features if without is None else without + settings.guidance * (with_features - without)
        x = scheduler.step(guided, time, x).prev_sample
        wanted = on_step(done, PixelStep(scaled, with_features, without, x))
        if left := [place for place, row in enumerate(rows) if not wanted[row]]:
            stay = [place for place in range(len(rows)) if place not in left]
            told = torch.cat([half[stay] for half in told.split(len(rows))])
            x, rows = x[stay], [rows[place] for place in stay]
        if not rows:
            break
    drawn = dict(zip(rows, x, strict=True))
    return [drawn.get(row) for row in range(len(noise))]


def _see_noise(network: Blip3oNetwork, x: Tensor, time: Tensor, features: Tensor) -> Tensor:
    height, width = (side * network.config.latent_stride for side in x.shape[-2:])
    sizes = torch.tensor([ORIGINAL_SIDE, ORIGINAL_SIDE, 0, 0, height, width], device=x.device)
    added = {"text_embeds": features.mean(dim=1), "time_ids": sizes.expand(len(x), -1)}
    seen: Tensor = network.unet(x, time, encoder_hidden_states=features, added_cond_kwargs=added).sample
    return seen


def decode(network: Blip3oNetwork, latents: Tensor) -> Tensor:
    """Pixels `[3, height, width]`, about in [-1, 1], of latents `[channels, height, width]`."""
    pixels: Tensor = network.vae.decode(latents[None] / network.vae.config.scaling_factor).sample
    return pixels[0]


def picture_of(network: Blip3oNetwork, latents: Tensor) -> Image.Image:
    """The picture of latents."""
    return to_picture(decode(network, latents))
