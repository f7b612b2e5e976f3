"""Drawing: Euler steps from noise to latents, guided by what the contexts differ in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import torch
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ...settings import Setting, Value
from ..network.network import BagelNetwork, Grid
from ..network.transforms import from_patches, to_picture
from .context import Context, Guidance

Seen = tuple[float, Tensor]
"""A time, and the velocity that was computed at it."""

Renorm = Literal["global", "channel", "text_channel"]
"""What is scaled back to the length of the unguided velocity: `global`, the guided velocity as a whole; `channel`, that
of each token; `text_channel`, that of each token after guidance by text and before guidance by pictures."""


class FlowSettings(BaseModel):
    """How a picture is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timesteps: int = Field(ge=2, le=1001)
    """Points in time from noise to picture, both ends counted: one more than steps."""
    text_scale: float = Field(default=4.0, ge=0)
    """How far away from what would be drawn without the instruction; up to 1: not at all, whatever the other scale."""
    picture_scale: float = Field(default=1.0, ge=0)
    """How far away from what would be drawn without the pictures; up to 1: not at all."""
    interval: tuple[float, float] = (0.4, 1.0)
    """Guidance is for times above the first and up to the second."""
    renorm: Renorm = "global"
    renorm_min: float = Field(default=0.0, ge=0, le=1)
    """Least factor of scaling back; the most is 1."""
    shift: float = Field(default=3.0, gt=0)
    """How far the times lean towards the noise."""
    every: int = Field(default=1, ge=1)
    """Steps of which one is computed and the others follow the line through the last two velocities; lossy above 1."""


PRESETS = {
    "paper": FlowSettings(timesteps=30),
    "edit": FlowSettings(timesteps=50, picture_scale=2.0, interval=(0.0, 1.0), renorm="text_channel"),
    "paper-skip": FlowSettings(timesteps=30, every=2),
    "edit-skip": FlowSettings(timesteps=50, picture_scale=2.0, interval=(0.0, 1.0), renorm="text_channel", every=2),
    "edit-interval": FlowSettings(timesteps=50, picture_scale=2.0, interval=(0.4, 1.0), renorm="text_channel"),
}
"""`paper`: that of arXiv 2605.15792, the official one for drawing from text; `edit`: the official one for edits. The
others are lossy: `-skip` computes every second step, `-interval` guides at early times alone."""

SETTINGS = {
    "cfg_text": Setting(default=4.0, least=0.0, most=100.0, about="Scale of guidance by text; up to 1: none at all."),
    "cfg_image": Setting(default=1.0, least=0.0, most=100.0, about="Scale of guidance by pictures; up to 1: none."),
    "cfg_above": Setting(default=0.4, least=-1.0, most=1.0, about="Guidance is for times above this; 1 is noise."),
    "cfg_up_to": Setting(default=1.0, least=0.0, most=1.0, about="And up to this."),
    "renorm": Setting(default="global", choices=get_args(Renorm), about="What is scaled back to its unguided length."),
    "renorm_min": Setting(default=0.0, least=0.0, most=1.0, about="Least factor of scaling back; 1: never."),
    "shift": Setting(default=3.0, least=0.01, most=100.0, about="How far the times lean towards the noise."),
    "every": Setting(default=1, least=1, most=1000, about="Steps of which one is computed; above 1 it is lossy."),
    "reader": Setting(
        default="inference",
        choices=("inference", "evaluation"),
        reads=True,
        about="Whose resizing they get, of the official programs.",
    ),
}
"""What a user may set of a preset, by the names of the official program where it has any."""


def values_of(settings: FlowSettings) -> dict[str, Value]:
    """A preset as values of `SETTINGS`."""
    low, high = settings.interval
    return {
        "cfg_text": settings.text_scale,
        "cfg_image": settings.picture_scale,
        "cfg_above": low,
        "cfg_up_to": high,
        "renorm": settings.renorm,
        "renorm_min": settings.renorm_min,
        "shift": settings.shift,
        "every": settings.every,
    }


def settings_of(timesteps: int, values: Mapping[str, Any]) -> FlowSettings:
    """What all of `SETTINGS` mean.

    Args:
        timesteps: Points in time, both ends counted.
        values: By name, none left out.
    """
    return FlowSettings(
        timesteps=timesteps,
        text_scale=values["cfg_text"],
        picture_scale=values["cfg_image"],
        interval=(values["cfg_above"], values["cfg_up_to"]),
        renorm=values["renorm"],
        renorm_min=values["renorm_min"],
        shift=values["shift"],
        every=values["every"],
    )


FIRST = 3
"""Steps that are computed in any case, at the beginning and where guidance begins or ends."""


@dataclass(frozen=True)
class FlowStep:
    """One step of a drawing."""

    time: Tensor
    """t, a number: 1 is noise, 0 the picture."""
    noisy: Tensor
    """x_t, `[latents, values]`, float32."""
    velocity: Tensor
    """The guided one, `[latents, values]`."""
    result: Tensor
    """x at the next time, `[latents, values]`, float32."""


def flow(
    network: BagelNetwork, guidance: Guidance, grid: Grid, noise: Tensor, settings: FlowSettings
) -> Iterator[FlowStep]:
    """Draw step by step; the `result` of the last one is the drawing, for `picture_of`.

    Args:
        network: The network.
        guidance: The contexts.
        grid: Rows and columns of latent tokens.
        noise: `[latents, values]`, standard normal.
        settings: How.
    """

    def look(context: Context, x: Tensor, time: Tensor) -> Tensor:
        return network.velocity(x, grid, time, context.keys_values, context.position)

    x = noise.float().to(network.device)
    seen: list[Seen] = []
    for (time, after), is_computed in zip(pairwise(flow_times(settings)), computed_steps(settings), strict=True):
        if is_computed:
            v = look(guidance.main, x, time)
            if is_guided(time, settings):
                without_text = look(guidance.without_text, x, time)
                by_pictures = guidance.without_pictures if settings.picture_scale > 1 else None
                v = guide(v, without_text, look(by_pictures, x, time) if by_pictures else None, settings)
            seen = [*seen[-1:], (float(time), v)]
        else:
            v = extrapolated(seen, float(time))
        result = x - v * (time - after)
        yield FlowStep(time, x, v, result)
        x = result


def is_guided(time: Tensor, settings: FlowSettings) -> bool:
    """Whether a velocity is guided at a time."""
    low, high = settings.interval
    return settings.text_scale > 1 and bool(low < time <= high)


def computed_steps(settings: FlowSettings) -> list[bool]:
    """Whether the velocity of each step is computed; the others are extrapolated.

    Wherever guidance begins or ends the velocity jumps, so that the line is begun anew; and the last step is computed.
    """
    guided = [is_guided(time, settings) for time in flow_times(settings)[:-1]]
    computed, place = [], 0
    for number, now in enumerate(guided):
        place = 0 if number and now != guided[number - 1] else place
        computed.append(place < FIRST or (place - FIRST) % settings.every == settings.every - 1)
        place += 1
    return [*computed[:-1], True]


def extrapolated(seen: Sequence[Seen], time: float) -> Tensor:
    """The velocity at a time on the line through the two that were computed last: a Taylor expansion of first order."""
    (before, old), (last, new) = seen
    return new + (new - old) * ((time - last) / (last - before))


def flow_times(settings: FlowSettings) -> Tensor:
    """Times of a drawing from 1 to 0, `[timesteps]`."""
    even = torch.linspace(1, 0, settings.timesteps)
    return settings.shift * even / (1 + (settings.shift - 1) * even)


def guide(v: Tensor, without_text: Tensor, without_pictures: Tensor | None, settings: FlowSettings) -> Tensor:
    """The guided velocity, `[latents, values]`.

    In bfloat16, `global` gives bfloat16, since its factor is a number, and the others float32, as in the official
    program.

    Args:
        v: What the main context sees, `[latents, values]`.
        without_text: The same without the instruction.
        without_pictures: The same without the pictures; `None`: no guidance by pictures.
        settings: Scales and kind of scaling back.
    """

    def by_pictures(guided: Tensor) -> Tensor:
        if without_pictures is None:
            return guided
        return without_pictures + settings.picture_scale * (guided - without_pictures)

    by_text = without_text + settings.text_scale * (v - without_text)
    if settings.renorm == "text_channel":
        return by_pictures(by_text * _shortening(v, by_text, -1, settings.renorm_min))
    guided = by_pictures(by_text)
    return guided * _shortening(v, guided, None if settings.renorm == "global" else -1, settings.renorm_min)


def _shortening(v: Tensor, guided: Tensor, dim: int | None, least: float) -> Tensor:
    # Factors that give `guided` the length of `v`, but lengthen nothing; one number, or one per token.
    wide = torch.float32
    length = torch.linalg.vector_norm(v, dim=dim, keepdim=dim is not None, dtype=wide)
    guided_length = torch.linalg.vector_norm(guided, dim=dim, keepdim=dim is not None, dtype=wide)
    factors: Tensor = (length / (guided_length + 1e-8)).clamp(min=least, max=1.0)
    return factors


def picture_of(network: BagelNetwork, tokens: Tensor, grid: Grid) -> Image.Image:
    """The picture of drawn latents `[latents, values]`."""
    latents = from_patches(tokens, network.config.latent_patch_size, grid[0])
    return to_picture(network.autoencoder.decode(latents))
