"""Drawing by the fast path: all branches of guidance through each layer together, and a step's passes as CUDA graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from g2u.models.bagel.context import Context, Guidance
from g2u.models.bagel.fast_layers import MARKERS, Branch, FusedLayers, Replayed
from g2u.models.bagel.network import BagelNetwork, Grid
from g2u.models.bagel.sampler import FlowSettings, FlowStep, flow_times, guide, is_evaluated, is_guided, travel

Half = tuple[BagelNetwork, FusedLayers]
"""A network on one GPU."""


def fast_flow(
    halves: Sequence[Half], guidance: Guidance, grid: Grid, noise: Tensor, settings: FlowSettings
) -> Iterator[FlowStep]:
    """Draw step by step, as `sampler.flow` does.

    Args:
        halves: The network, and for guidance on two GPUs the same on the other one, which then takes all branches but
            the main one.
        guidance: The contexts.
        grid: Rows and columns of latent tokens.
        noise: `[latents, values]`, standard normal.
        settings: How.
    """
    passes = _passes(halves, guidance, grid, noise, settings)
    x = noise.to(halves[0][0].device, torch.float32)
    seen: list[tuple[float, Tensor]] = []
    running: torch.cuda.Event | None = None
    for number, (time, after) in enumerate(pairwise(flow_times(settings))):
        if is_evaluated(number, settings):
            looks = [one(x, float(time)) for one in passes[is_guided(time, settings)]]
            branches = [branch.to(x.device, non_blocking=True) for look in looks for branch in look]
            # A graph writes over its results, and these are kept for the steps to come.
            velocity = guide(*branches, settings=settings) if len(branches) > 1 else branches[0].clone()
            seen = [*seen[-1:], (float(time), velocity)]
        else:
            velocity = travel(seen, float(time))
        result = x - (velocity.float() * float(time - after)).to(velocity.dtype)
        # One step is under way while the caller hears of the one before it: reports are true, and the GPU never waits.
        if running is not None:
            running.synchronize()
        running = torch.cuda.current_stream(x.device).record_event() if x.is_cuda else None
        yield FlowStep(time, x, velocity, result)
        x = result


class _Pass:
    """One pass of one network for some branches, on tensors that stay where they are."""

    def __init__(self, half: Half, branches: Sequence[Branch], grid: Grid, noise: Tensor) -> None:
        self.network, self.layers = half
        self.branches = branches
        self.x = torch.empty_like(noise, dtype=torch.float32, device=self.network.device)
        self.time = torch.zeros((), device=self.network.device)
        self.places, self.markers = self.network.places_of(grid), self.network.markers
        self._velocities = Replayed(self.velocities)

    def __call__(self, x: Tensor, time: float) -> Tensor:
        """What each branch sees in `x` `[latents, values]`: `[branches, latents, values]`."""
        self.x.copy_(x, non_blocking=True)
        self.time.fill_(time)
        with torch.cuda.device(x.device if not self.x.is_cuda else self.x.device) if self.x.is_cuda else _here():
            return self._velocities()

    def velocities(self) -> Tensor:
        """See `BagelNetwork.velocity`."""
        tokens = self.network.latent_tokens(self.x, self.places, self.time).to(self.markers.dtype)
        _, _, normed = self.layers.run_latents(tokens, self.markers, self.branches)
        return torch.stack([self.network.latent_out(tokens) for tokens in normed])
