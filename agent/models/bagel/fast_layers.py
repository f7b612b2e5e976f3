"""The layers of the fast path: blocks through all of them, and functions recorded as CUDA graphs."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from g2u.models.bagel.fast_experts import FusedExpert
from g2u.models.bagel.network import BagelNetwork
from g2u.models.bagel.transformer import KeysValues, Layer, attend, rotary_turns

BACKENDS = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]
"""Kernels of attention, the one to prefer first."""

_CHOOSING = threading.Lock()  # the choice of a kernel is that of the process, and engines have threads of their own

MARKERS = 2
"""Tokens around the latents of a block, which go through the reading expert."""


@dataclass(frozen=True)
class FusedLayer:
    """Both experts of a layer, and the norms that come after each: of the next layer, or of the head."""

    reader: FusedExpert
    drawer: FusedExpert
    after_reader: Tensor
    after_drawer: Tensor


@dataclass(frozen=True)
class Branch:
    """What a block of latents sees, layer by layer: what was read, and behind that room for the block itself."""

    keys: Sequence[Tensor]
    """Each `[tokens, key heads, head size]`."""
    values: Sequence[Tensor]
    """Like `keys`."""
    turns: Tensor
    """`[latents, 2, head size / 2]`, of the position that all of the block share."""


class FusedLayers:
    """All layers of a network; called with a block.

    Args:
        network: Its matrices are put together in place.
        float8: Whether those of the drawing experts are rounded to eight bits.
    """

    def __init__(self, network: BagelNetwork, float8: bool = False) -> None:
        """Fuse each expert."""
        transformer = network.transformer
        self.config = network.config.llm
        self.dtype = transformer.head.weight.dtype
        self.float8 = float8
        layers = [layer for layer in transformer.layers if isinstance(layer, Layer)]
        experts = [(FusedExpert.of(layer.reader), FusedExpert.of(layer.drawer, float8)) for layer in layers]
        following = [(reader.attention_norm, drawer.attention_norm) for reader, drawer in experts[1:]]
        following.append((transformer.reader_norm.weight, transformer.drawer_norm.weight))
        self.layers = [FusedLayer(*pair, *norms) for pair, norms in zip(experts, following, strict=True)]

    @classmethod
    def of(cls, network: BagelNetwork, float8: bool = False) -> FusedLayers:
        """The fused layers of a network, from now on those that its blocks go through; made once."""
        layers = network.fast_blocks
        if not isinstance(layers, cls) or layers.float8 != float8:
            layers = network.fast_blocks = cls(network, float8)
        return layers

    def turns(self, positions: Tensor, dtype: torch.dtype) -> Tensor:
        """See `rotary_turns`."""
        return rotary_turns(positions, self.config.head_size, self.config.rope_theta).to(dtype)

    def room(self, tokens: int) -> Tensor:
        """Where queries are written: `[tokens, heads, head size]`."""
        shape = (tokens, self.config.num_attention_heads, self.config.head_size)
        return torch.empty(shape, dtype=self.dtype, device=self.layers[0].reader.attention_norm.device)

    def __call__(
        self,
        x: Tensor,
        positions: Tensor,
        pasts: Sequence[KeysValues],
        causal: bool,
        latents: bool,
        seen: Tensor | None = None,
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """Take one block through all layers; see `Transformer.forward`."""
        new = len(x)
        turns = self.turns(positions, x.dtype).expand(new, -1, -1).contiguous()
        grown = tuple((_longer(keys, new), _longer(values, new)) for keys, values in pasts)
        if latents:
            branch = Branch([keys for keys, _ in grown], [values for _, values in grown], turns[1:-1])
            markers, tokens, _ = self.run_latents(x[1:-1], torch.cat([x[:1], x[-1:]]), [branch])
            return torch.cat([markers[:1], tokens, markers[1:]]), grown
        normed = self.layers[0].reader.start(x)
        for layer, (keys, values) in zip(self.layers, grown, strict=True):
            q = self.room(new)
            layer.reader.place(layer.reader.qkv(normed), turns, False, q, keys[-new:], values[-new:])
            attended = attend_text(q, keys, values, seen) if causal else attend_block(q, keys, values)
            x, normed = layer.reader.finish(x, attended, layer.after_reader)
        return x, grown

    def run_latents(self, tokens: Tensor, markers: Tensor, branches: Sequence[Branch]) -> tuple[Tensor, Tensor, Tensor]:
        """Take the same latents through all layers, once for each branch, apart in attention alone.

        Args:
            tokens: `[latents, width]`.
            markers: `[2, width]`.
            branches: What they see; keys and values of the block are written at the end of each.

        Returns:
            Markers after the last layer `[branches * 2, width]`, latents after it, and the same normed for the head,
            each `[branches * latents, width]`.
        """
        each, count = len(tokens), len(branches)
        block = each + MARKERS
        inner, ends = slice(1, -1), slice(None, None, block - 1)
        latents, markers = tokens.repeat(count, 1), markers.repeat(count, 1)
        marker_turns = torch.cat([branch.turns[:1].expand(MARKERS, -1, -1) for branch in branches])
        drawer, reader = self.layers[0].drawer, self.layers[0].reader
        normed, normed_markers = drawer.start(latents), reader.start(markers)
        for index, layer in enumerate(self.layers):
            reader, drawer = layer.reader, layer.drawer
            first = branches[0]
            of_markers = (
                self.room(len(markers)),
                *(
                    where[index].new_empty(len(markers), *where[index].shape[1:])
                    for where in (first.keys, first.values)
                ),
            )
            reader.place(reader.qkv(normed_markers), marker_turns, True, *of_markers)
            attended = []
            for number, (branch, qkv) in enumerate(zip(branches, drawer.qkv(normed).split(each), strict=True)):
                q, keys, values = self.room(block), branch.keys[index], branch.values[index]
                whole = (q, keys[-block:], values[-block:])
                for place, part in zip(whole, of_markers, strict=True):
                    place[ends].copy_(part[MARKERS * number : MARKERS * (number + 1)])
                drawer.place(qkv, branch.turns, True, *(place[inner] for place in whole))
                attended.append(attend_block(q, keys, values))
            latents, normed = drawer.finish(latents, torch.cat([a[inner] for a in attended]), layer.after_drawer)
            markers, normed_markers = reader.finish(markers, torch.cat([a[ends] for a in attended]), layer.after_reader)
        return markers, latents, normed


class Replayed:
    """Runs a function whose tensors stay where they are: once as it is, then recorded as a CUDA graph and replayed.

    Args:
        device: Where the function works; on anything but a GPU it is run each time.
    """

    def __init__(self, device: torch.device) -> None:
        """Record nothing yet."""
        self._device = device
        self._warm = False
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Tensor | None = None

    def __call__(self, function: Callable[[], Tensor]) -> Tensor:
        """What the function gives, always the same one; on a GPU the next call may write over it.

        Args:
            function: Works on tensors that are there before, and never waits for the GPU. It is not kept: a bound
                method of what holds this would keep graph and tensors until the garbage collector comes by.
        """
        if self._device.type != "cuda":
            return function()
        with torch.cuda.device(self._device):
            if not self._warm:
                self._warm = True
                return function()
            if self._graph is None:
                self._graph = torch.cuda.CUDAGraph()
                stream = _recording_stream(self._device)
                with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                    self._result = function()
            self._graph.replay()
            assert self._result is not None
            return self._result


@functools.cache
def _recording_stream(device: torch.device) -> torch.cuda.Stream:
    # One for each GPU: cuBLAS keeps a workspace for every stream that it has seen.
    return torch.cuda.Stream(device)


def attend_block(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """`attend` without a mask."""
    with _CHOOSING, sdpa_kernel(BACKENDS, set_priority=True):
        return attend(q, k, v, causal=False)


def attend_text(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None = None) -> Tensor:
    """`attend` in which no token sees one that comes after it."""
    if not q.is_cuda or q.dtype == torch.float32 or seen is not None:
        return attend(q, k, v, causal=True, seen=seen)
    q, k, v = (tensor.transpose(0, 1)[None] for tensor in (q, k, v))
    # By its name, since its "causal" lines the last query up with the last key, which SDPA has no way to say.
    attended: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, 0.0, True)[0]
    return attended[0].transpose(0, 1).flatten(1)


def _longer(past: Tensor, new: int) -> Tensor:
    return torch.cat([past, past.new_empty(new, *past.shape[1:])])
