"""Drawing by the fast path: all branches of guidance through each layer together, one step one CUDA graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from g2u.models.bagel.context import Context, Guidance
from g2u.models.bagel.fast_layers import FusedLayers, Replayed, attend_block
from g2u.models.bagel.network import BagelNetwork, Grid
from g2u.models.bagel.sampler import FlowSettings, FlowStep, flow_times, guide

MARKERS = 2
"""Tokens around the latents of a block."""


@dataclass(frozen=True)
class Branch:
    """What one branch of guidance sees: its context, and behind that room for the noisy block."""

    keys: Tensor
    """`[layers, tokens, key heads, head size]`."""
    values: Tensor
    """Like `keys`."""
    turns: Tensor
    """`[1, 2, head size / 2]`, of the position of the noisy block."""


def fast_flow(
    network: BagelNetwork,
    layers: FusedLayers,
    guidance: Guidance,
    grid: Grid,
    noise: Tensor,
    settings: FlowSettings,
) -> Iterator[FlowStep]:
    """Draw step by step, as `sampler.flow` does."""
    drawing = _Drawing(network, layers, guidance, grid, noise, settings)
    steps = {guided: Replayed(drawing.guided if guided else drawing.alone) for guided in (False, True)}
    low, high = settings.interval
    running: torch.cuda.Event | None = None
    for time, after in pairwise(flow_times(settings)):
        noisy = drawing.x.clone()
        drawing.time.fill_(float(time))
        drawing.stride.fill_(float(time - after))
        velocity = steps[settings.text_scale > 1 and bool(low < time <= high)]().clone()
        result = drawing.x.clone()
        # One step is under way while the caller hears of the one before it: reports are true, and the GPU never waits.
        if running is not None:
            running.synchronize()
        running = torch.cuda.current_stream().record_event() if noisy.is_cuda else None
        yield FlowStep(time, noisy, velocity, result)


class _Drawing:
    """The tensors of one drawing, which stay where they are."""

    def __init__(
        self,
        network: BagelNetwork,
        layers: FusedLayers,
        guidance: Guidance,
        grid: Grid,
        noise: Tensor,
        settings: FlowSettings,
    ) -> None:
        self.network, self.layers, self.settings = network, layers, settings
        self.x = noise.to(network.device, torch.float32, copy=True)
        self.time = torch.zeros((), device=network.device)
        self.stride = torch.zeros((), device=network.device)
        self.places = network.places_of(grid)
        self.markers = network.markers
        block = len(noise) + MARKERS
        # The instruction lies before what both branches share, so that one of them starts behind it. Attention without
        # a mask does not mind the order.
        told = guidance.main.tokens - guidance.without_text.tokens
        keys, values = _buffers(guidance.main, block, told)
        self.branches = [
            Branch(keys, values, self._turns(guidance.main)),
            Branch(keys[:, told:], values[:, told:], self._turns(guidance.without_text)),
        ]
        if (context := guidance.without_pictures) and settings.picture_scale > 1:
            self.branches.append(Branch(*_buffers(context, block, 0), self._turns(context)))

    def guided(self) -> Tensor:
        """One step with guidance; returns the velocity."""
        main, without_text, *without_pictures = self._velocities(self.branches)
        return self._move(guide(main, without_text, without_pictures[0] if without_pictures else None, self.settings))

    def alone(self) -> Tensor:
        """One step without guidance; returns the velocity."""
        return self._move(self._velocities(self.branches[:1])[0])

    def _move(self, velocity: Tensor) -> Tensor:
        # A product with a number of the host is rounded once, to the dtype of the velocity.
        self.x.sub_((velocity.float() * self.stride).to(velocity.dtype))
        return velocity

    def _velocities(self, branches: Sequence[Branch]) -> list[Tensor]:
        """What each branch sees in the noisy latents, `[latents, values]`; see `BagelNetwork.velocity`."""
        tokens = self.network.latent_tokens(self.x, self.places, self.time).to(self.markers.dtype)
        latents = [tokens] * len(branches)
        markers = self.markers.repeat(len(branches), 1)
        marker_turns = torch.cat([branch.turns for branch in branches]).repeat_interleave(MARKERS, 0)
        first = self.layers.layers[0]
        normed, normed_markers = [first.drawer.start(tokens)] * len(branches), first.reader.start(markers)
        block = len(tokens) + MARKERS
        inner, ends = slice(1, -1), slice(None, None, block - 1)
        for index, layer in enumerate(self.layers.layers):
            q_markers = self.layers.room(len(markers))
            k_markers, v_markers = (
                place.new_empty(len(markers), *place.shape[2:]) for place in (branches[0].keys, branches[0].values)
            )
            layer.reader.project(normed_markers, marker_turns, True, q_markers, k_markers, v_markers)
            attended_markers = []
            for number, branch in enumerate(branches):
                own = slice(MARKERS * number, MARKERS * (number + 1))
                q, k, v = self.layers.room(block), branch.keys[index], branch.values[index]
                for whole, part in ((q, q_markers), (k[-block:], k_markers), (v[-block:], v_markers)):
                    whole[ends].copy_(part[own])
                layer.drawer.project(normed[number], branch.turns, True, q[inner], k[-block:][inner], v[-block:][inner])
                attended = attend_block(q, k, v)
                attended_markers.append(attended[ends])
                latents[number], normed[number] = layer.drawer.finish(
                    latents[number], attended[inner], layer.after_drawer
                )
            markers, normed_markers = layer.reader.finish(markers, torch.cat(attended_markers), layer.after_reader)
        return [self.network.latent_out(tokens) for tokens in normed]

    def _turns(self, context: Context) -> Tensor:
        position = torch.tensor([context.position], device=self.x.device)
        return self.layers.turns(position, self.network.dtype)


def _buffers(context: Context, block: int, last: int) -> tuple[Tensor, Tensor]:
    """Keys and values `[layers, tokens + block, ..]`: the `last` tokens of a context, the rest of it, and room."""
    made = []
    for part in range(2):
        first = context.keys_values[0][part]
        buffer = first.new_empty(len(context.keys_values), context.tokens + block, *first.shape[1:])
        for row, layer in zip(buffer, context.keys_values, strict=True):
            row[:last].copy_(layer[part][context.tokens - last :])
            row[last : context.tokens].copy_(layer[part][: context.tokens - last])
        made.append(buffer)
    return made[0], made[1]
