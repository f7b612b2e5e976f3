"""Drawing: the words of a new picture after those of the old one, and Euler steps from noise to its latents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers.generation.logits_process import TopKLogitsWarper, TopPLogitsWarper

from ...settings import Setting
from .network import NextEditNetwork

STEPS = 30
"""From noise to latents."""
TOP_K = 1200
"""The likeliest words, from which one is drawn."""
TOP_P = 0.95
"""Of these, the likeliest that have this share of the probability together."""

SETTINGS = {
    "guidance": Setting(
        default=2.0,
        least=0.0,
        most=30.0,
        about="away from what would be drawn without the words of the new picture; `guidance_scale`",
    ),
}
"""Settings of the sampler, and what they are in the official program."""

StillWanted = Callable[[], bool]


@dataclass(frozen=True)
class Step:
    """One step from noise to latents, all `[1, channels, side, side]` but for velocities, which are twice as wide."""

    noisy: Tensor
    """Before it."""
    free: Tensor
    """Velocity without a condition."""
    told: Tensor
    """Velocity with it."""
    result: Tensor
    """After it."""


def write_picture(
    network: NextEditNetwork,
    prompt: Sequence[int],
    ends: frozenset[int],
    chance: torch.Generator,
    still_wanted: StillWanted,
) -> list[int] | None:
    """Draw the words of a new picture by chance, as many as the old one has, or fewer where an end comes.

    Args:
        network: The network.
        prompt: Ids of what comes before; see `Words.edit`.
        ends: Ids of words that end a text.
        chance: Where it comes from, on the CPU.
        still_wanted: Asked before each word.

    Returns:
        Ids, the end included; `None`: nobody waits any more.
    """
    likeliest, shares = TopKLogitsWarper(TOP_K), TopPLogitsWarper(TOP_P)
    hidden, cache = network.run(prompt)
    written: list[int] = []
    for _ in range(network.config.seen.tokens):
        if not still_wanted():
            return None
        if written:
            hidden, cache = network.run(written[-1:], cache)
        scores = network.scores(hidden[:, -1]).cpu()
        nothing = torch.empty(0, dtype=torch.long)
        chances = shares(nothing, likeliest(nothing, scores)).softmax(dim=-1)
        written.append(int(torch.multinomial(chances, 1, generator=chance)))
        if written[-1] in ends:
            break
    return written


def states_of(network: NextEditNetwork, prompt: Sequence[int], written: Sequence[int]) -> Tensor:
    """Hidden states `[1, 1 + words, width]` of the last word of a prompt, which tells the scale, and of those after."""
    return network.run([*prompt, *written])[0][:, len(prompt) - 1 :]


def condition_of(network: NextEditNetwork, states: Tensor, reference: Tensor) -> Tensor:
    """What SANA is told: `[2, states and places, width]`, the first row that of no condition.

    There states are zero *before* their connector, whose biases make something of them, and what is made of the old
    picture is zero *after* its own.
    """
    told = network.from_states(torch.cat([torch.zeros_like(states), states]))
    seen = network.from_latents(reference.movedim(1, -1).flatten(1, 2))
    return torch.cat([told, torch.cat([torch.zeros_like(seen), seen])], dim=1)


def draw_latents(
    network: NextEditNetwork, states: Tensor, reference: Tensor, noise: Tensor, steps: int, guidance: float
) -> Iterator[Step]:
    """Draw the latents of a picture.

    Args:
        network: The network.
        states: See `states_of`.
        reference: Latents of the old picture. They lie to the right of what is drawn, with a condition and without.
        noise: As large as they are.
        steps: How many.
        guidance: How far away from what would be drawn without a condition.
    """
    condition, scheduler = condition_of(network, states, reference), network.scheduler()
    scheduler.set_timesteps(steps, sigmas=np.linspace(1.0, 1 / steps, steps))
    x, side = noise, noise.shape[-1]
    for time in scheduler.timesteps:
        wide = torch.cat([x, reference], dim=-1)
        times = time.expand(2).to(wide.device)
        found = network.sana(
            torch.cat([wide, wide]), encoder_hidden_states=condition, timestep=times, return_dict=False
        )
        free, told = found[0].chunk(2)
        moved = scheduler.step(free + guidance * (told - free), time, wide, return_dict=False)[0]
        yield Step(x, free, told, moved[..., :side])
        x = moved[..., :side]


def draw_noise(network: NextEditNetwork, chance: torch.Generator) -> Tensor:
    """Noise `[1, channels, side, side]`; it is drawn in bfloat16, whatever the weights are in."""
    config = network.config
    shape = (1, config.sana.in_channels, config.latent_side, config.latent_side)
    return torch.randn(shape, generator=chance, dtype=torch.bfloat16).to(network.device, network.dtype)
