"""The layers of the fast path: fused weights, one block through all layers, and functions recorded as CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from g2u.models.bagel.float8 import Float8Linear
from g2u.models.bagel.fused import add_norm, norm, norm_rotate, swiglu
from g2u.models.bagel.network import BagelNetwork
from g2u.models.bagel.transformer import Expert, KeysValues, Layer, attend, rotary_turns
from g2u.models.bagel.vision import Linear

BACKENDS = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]
"""Kernels of attention, the one to prefer first."""

Product = Callable[[Tensor], Tensor]
"""A linear layer, `[tokens, in]` to `[tokens, out]`."""

MARKERS = 2
"""Tokens around the latents of a block, which go through the reading expert."""


@dataclass(frozen=True)
class FusedExpert:
    """An `Expert` whose matrices that read the same tokens are one."""

    attention_norm: Tensor
    qkv: Product
    query_norm: Tensor
    key_norm: Tensor
    out: Product
    hidden_norm: Tensor
    gate_up: Product
    down: Product
    eps: float

    @classmethod
    def of(cls, expert: Expert, float8: bool = False) -> FusedExpert:
        """Fuse an expert; its own matrices become parts of the fused ones, so that nothing is held twice.

        Args:
            expert: The expert.
            float8: Whether its matrices are rounded to eight bits; those of the expert itself are then gone.
        """
        make: Callable[..., Product] = _together_rounded if float8 else _together
        return cls(
            attention_norm=expert.attention_norm.weight,
            qkv=make(expert.query, expert.key, expert.value),
            query_norm=expert.query_norm.weight,
            key_norm=expert.key_norm.weight,
            out=make(expert.out),
            hidden_norm=expert.hidden_norm.weight,
            gate_up=make(expert.gate, expert.up),
            down=make(expert.down),
            eps=expert.attention_norm.eps,
        )

    def start(self, x: Tensor) -> Tensor:
        """The normed tokens that the first layer begins with."""
        return norm(x, self.attention_norm, self.eps)

    def project(self, normed: Tensor, turns: Tensor, wide: bool, q: Tensor, k: Tensor, v: Tensor) -> None:
        """Write queries, keys and values of `normed` `[tokens, width]`; see `fused.norm_rotate`."""
        norm_rotate(self.qkv(normed), self.query_norm, self.key_norm, turns, self.eps, wide, q, k, v)

    def finish(self, x: Tensor, attended: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Add what attention gave and the SwiGLU to the tokens.

        Args:
            x: `[tokens, width]`.
            attended: `[tokens, heads * head size]`.
            following: `[width]`, the weight of the norm that comes next.

        Returns:
            The tokens after the layer, and the same normed for what comes next.
        """
        x, normed = add_norm(x, self.out(attended), self.hidden_norm, self.eps)
        return add_norm(x, self.down(swiglu(self.gate_up(normed))), following, self.eps)


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
    """`[1, 2, head size / 2]`, of the position of the block."""


class FusedLayers:
    """All layers of a network.

    Args:
        network: Its matrices are put together in place.
        float8: Whether those of the drawing experts are rounded to eight bits.
    """

    def __init__(self, network: BagelNetwork, float8: bool = False) -> None:
        """Fuse each expert."""
        transformer = network.transformer
        self.config = network.config.llm
        self.dtype = transformer.head.weight.dtype
        layers = [layer for layer in transformer.layers if isinstance(layer, Layer)]
        experts = [(FusedExpert.of(layer.reader), FusedExpert.of(layer.drawer, float8)) for layer in layers]
        following = [(reader.attention_norm, drawer.attention_norm) for reader, drawer in experts[1:]]
        following.append((transformer.reader_norm.weight, transformer.drawer_norm.weight))
        self.layers = [FusedLayer(*pair, *norms) for pair, norms in zip(experts, following, strict=True)]

    def turns(self, positions: Tensor, dtype: torch.dtype) -> Tensor:
        """See `rotary_turns`."""
        return rotary_turns(positions, self.config.head_size, self.config.rope_theta).to(dtype)

    def room(self, tokens: int) -> Tensor:
        """Where queries are written: `[tokens, heads, head size]`."""
        shape = (tokens, self.config.num_attention_heads, self.config.head_size)
        return torch.empty(shape, dtype=self.dtype, device=self.layers[0].reader.attention_norm.device)

    def run_block(
        self, x: Tensor, positions: Tensor, pasts: Sequence[KeysValues], causal: bool, latents: bool
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """Take one block through all layers; see `Transformer.forward`."""
        turns, new = self.turns(positions, x.dtype), len(x)
        grown = tuple((_longer(keys, new), _longer(values, new)) for keys, values in pasts)
        if latents:
            branch = Branch([keys for keys, _ in grown], [values for _, values in grown], turns)
            markers, (tokens,), _ = self.run_latents(x[1:-1], torch.cat([x[:1], x[-1:]]), [branch])
            return torch.cat([markers[:1], tokens, markers[1:]]), grown
        normed = self.layers[0].reader.start(x)
        for layer, (keys, values) in zip(self.layers, grown, strict=True):
            q = self.room(new)
            layer.reader.project(normed, turns, False, q, keys[-new:], values[-new:])
            attended = attend_text(q, keys, values) if causal else attend_block(q, keys, values)
            x, normed = layer.reader.finish(x, attended, layer.after_reader)
        return x, grown

    def run_latents(
        self, tokens: Tensor, markers: Tensor, branches: Sequence[Branch]
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Take the same latents through all layers, once for each branch.

        Args:
            tokens: `[latents, width]`.
            markers: `[2, width]`.
            branches: What they see; keys and values of the block are written at the end of each.

        Returns:
            Markers after the last layer `[2 * branches, width]`, and of each branch the latents after the last layer
            and the same normed for the head, `[latents, width]`.
        """
        latents, markers = [tokens] * len(branches), markers.repeat(len(branches), 1)
        marker_turns = torch.cat([branch.turns for branch in branches]).repeat_interleave(MARKERS, 0)
        first = self.layers[0]
        normed, normed_markers = [first.drawer.start(tokens)] * len(branches), first.reader.start(markers)
        block = len(tokens) + MARKERS
        inner, ends = slice(1, -1), slice(None, None, block - 1)
        for index, layer in enumerate(self.layers):
            of_markers = (
                self.room(len(markers)),
                *(
                    where[index].new_empty(len(markers), *where[index].shape[1:])
                    for where in (branches[0].keys, branches[0].values)
                ),
            )
            layer.reader.project(normed_markers, marker_turns, True, *of_markers)
            attended_markers = []
            for number, branch in enumerate(branches):
                own = slice(MARKERS * number, MARKERS * (number + 1))
                q, keys, values = self.room(block), branch.keys[index], branch.values[index]
                whole = (q, keys[-block:], values[-block:])
                for place, part in zip(whole, of_markers, strict=True):
                    place[ends].copy_(part[own])
                layer.drawer.project(normed[number], branch.turns, True, *(place[inner] for place in whole))
                attended = attend_block(q, keys, values)
                attended_markers.append(attended[ends])
                latents[number], normed[number] = layer.drawer.finish(
                    latents[number], attended[inner], layer.after_drawer
                )
            markers, normed_markers = layer.reader.finish(markers, torch.cat(attended_markers), layer.after_reader)
        return markers, latents, normed


class Replayed:
    """A function whose tensors stay where they are: run once, then recorded as a CUDA graph, then replayed.

    Args:
        function: Works on tensors that are there before, and never waits for the GPU.
        device: Where it works; on anything but a GPU it is called each time.
    """

    def __init__(self, function: Callable[[], Tensor], device: torch.device) -> None:
        """Record nothing yet."""
        self._function = function
        self._device = device
        self._warm = False
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Tensor | None = None

    def __call__(self) -> Tensor:
        """The result; on a GPU the next call may write over it."""
        if self._device.type != "cuda":
            return self._function()
        with torch.cuda.device(self._device):
            if not self._warm:
                self._warm = True
                return self._function()
            if self._graph is None:
                self._graph = torch.cuda.CUDAGraph()
                # The stream that is left out would be that of whichever GPU recorded first.
                stream = torch.cuda.Stream(self._device)
                with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                    self._result = self._function()
            self._graph.replay()
            assert self._result is not None
            return self._result


def attend_block(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """`attend` without a mask."""
    with sdpa_kernel(BACKENDS, set_priority=True):
        return attend(q, k, v, causal=False)


def attend_text(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """`attend` in which no token sees one that comes after it."""
    if not q.is_cuda or q.dtype == torch.float32:
        return attend(q, k, v, causal=True)
    q, k, v = (tensor.transpose(0, 1)[None] for tensor in (q, k, v))
    # By its name, since its "causal" lines the last query up with the last key, which SDPA has no way to say.
    attended: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, 0.0, True)[0]
    return attended[0].transpose(0, 1).flatten(1)


def _together_rounded(*linears: Linear) -> Product:
    """The same in eight bits; the exact weights are let go."""
    rounded = Float8Linear(_together(*linears))
    for linear in linears:
        linear.weight = nn.Parameter(linear.weight.new_empty(0), requires_grad=False)
    return rounded


def _longer(past: Tensor, new: int) -> Tensor:
    return torch.cat([past, past.new_empty(new, *past.shape[1:])])


def _together(*linears: Linear) -> Linear:
    """One linear layer for several with the same input; the weights of each become a part of it."""
    if len(linears) == 1:
        return linears[0]
    weight = torch.cat([linear.weight.detach() for linear in linears])
    bias = None if linears[0].bias is None else torch.cat([linear.bias.detach() for linear in linears])
    with torch.device("meta"):
        fused = Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    fused.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        fused.bias = nn.Parameter(bias, requires_grad=False)
    sizes = [len(linear.weight) for linear in linears]
    for linear, part in zip(linears, weight.split(sizes), strict=True):
        linear.weight = nn.Parameter(part, requires_grad=False)
    return fused
