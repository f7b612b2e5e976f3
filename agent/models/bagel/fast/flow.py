"""Drawing by the fast path: all branches of guidance through each layer together, the passes as CUDA graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from ...replaying import Replayed
from ..inference.context import Context, Guidance
from ..inference.sampler import FlowSettings, FlowStep, Seen, computed_steps, extrapolated, flow_times, guide, is_guided
from ..network.network import BagelNetwork, Grid
from .layers import MARKERS, Branch, FusedLayers

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
    times = flow_times(settings)
    guided = [is_guided(time, settings) for time in times[:-1]]
    passes = _passes(halves, guidance, grid, noise, settings, any(guided))
    x = noise.to(halves[0][0].device, torch.float32)
    seen: list[Seen] = []
    running: torch.cuda.Event | None = None
    steps = zip(pairwise(times), guided, computed_steps(settings), strict=True)
    for (time, after), is_told, is_computed in steps:
        if is_computed:
            step = passes[is_told]
            for one in step:
                # All before the first pass: a copy to another GPU waits for what this one was told before.
                one.show(x, float(time))
            looks = [one() for one in step]
            v, *others = (branch.to(x.device, non_blocking=True) for look in looks for branch in look)
            # The next replay writes over what a graph made; an unguided velocity is kept as it is.
            v = guide(v, others[0], others[1] if others[1:] else None, settings) if others else v.clone()
            seen = [*seen[-1:], (float(time), v)]
        else:
            v = extrapolated(seen, float(time))
        result = x - v * (time - after)
        # One step is under way while the caller hears of the one before it: reports are true, and the GPU never waits.
        if running is not None:
            running.synchronize()
        running = torch.cuda.current_stream(x.device).record_event() if x.is_cuda else None
        yield FlowStep(time, x, v, result)
        x = result


class _Pass:
    """One pass of a network for some branches, on tensors that stay where they are."""

    def __init__(self, half: Half, branches: Sequence[Branch], grid: Grid, latents: int) -> None:
        self._network, self._layers = half
        self._branches = branches
        device = self._network.device
        self._x = torch.empty(latents, self._network.config.latent_values, device=device)
        self._time = torch.zeros((), device=device)
        self._places, self._markers = self._network.places_of(grid), self._network.markers
        self._replayed = Replayed(device)

    def show(self, x: Tensor, time: float) -> None:
        """What to look at: `x` `[latents, values]`, at a time."""
        self._x.copy_(x, non_blocking=True)
        self._time.fill_(time)

    def __call__(self) -> Tensor:
        """What each branch sees in it: `[branches, latents, values]`."""
        return self._replayed(self._velocities)

    def _velocities(self) -> Tensor:
        """See `BagelNetwork.velocity`."""
        tokens = self._network.latent_tokens(self._x, self._places, self._time).to(self._markers.dtype)
        _, _, normed = self._layers.run_latents(tokens, self._markers, self._branches)
        velocities: Tensor = self._network.latent_out(normed).unflatten(0, (len(self._branches), -1))
        return velocities


def _passes(
    halves: Sequence[Half],
    guidance: Guidance,
    grid: Grid,
    noise: Tensor,
    settings: FlowSettings,
    any_guided: bool,
) -> dict[bool, list[_Pass]]:
    """The passes of a step that is not guided, and of one that is."""
    first, last = halves[0], halves[-1]
    room = len(noise) + MARKERS
    alone = first is last
    # The instruction lies before what both branches share, so that one of them starts behind it. Attention without a
    # mask does not mind the order.
    told = guidance.main.tokens - guidance.without_text.tokens
    assert told >= 0, "the context without the instruction is what the main one begins with"
    main = _branch(first, guidance.main, room, told)
    unguided = _Pass(first, [main], grid, len(noise))
    if not any_guided:
        return {False: [unguided]}
    without_text = (
        replace(
            main,
            keys=[keys[told:] for keys in main.keys],
            values=[values[told:] for values in main.values],
            turns=_turns(first, guidance.without_text),
        )
        if alone
        else _branch(last, guidance.without_text, room, 0)
    )
    others = [without_text]
    if guidance.without_pictures and settings.picture_scale > 1:
        others.append(_branch(last, guidance.without_pictures, room, 0))
    if alone:
        return {False: [unguided], True: [_Pass(first, [main, *others], grid, len(noise))]}
    return {False: [unguided], True: [unguided, _Pass(last, others, grid, len(noise))]}


def _branch(half: Half, context: Context, room: int, last: int) -> Branch:
    """What a branch sees, with room for a block; the `last` tokens of its context come first."""
    device = half[0].device

    def buffer(known: Tensor) -> Tensor:
        start = len(known) - last
        return torch.cat([known[start:], known[:start], known.new_empty(room, *known.shape[1:])]).to(device)

    keys = [buffer(keys) for keys, _ in context.keys_values]
    return Branch(keys, [buffer(values) for _, values in context.keys_values], _turns(half, context))


def _turns(half: Half, context: Context) -> Tensor:
    network, layers = half
    return layers.turns(torch.full((1,), context.position, device=network.device), network.dtype)
