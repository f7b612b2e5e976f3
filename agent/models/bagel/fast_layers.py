"""The layers of the fast path: fused weights, one block through all layers, and functions recorded as CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

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


@dataclass(frozen=True)
class FusedExpert:
    """An `Expert` whose matrices that read the same tokens are one."""

    attention_norm: Tensor
    qkv: Linear
    query_norm: Tensor
    key_norm: Tensor
    out: Linear
    hidden_norm: Tensor
    gate_up: Linear
    down: Linear
    eps: float

    @classmethod
    def of(cls, expert: Expert) -> FusedExpert:
        """Fuse an expert; its own matrices become parts of the fused ones, so that nothing is held twice."""
        return cls(
            attention_norm=expert.attention_norm.weight,
            qkv=_together(expert.query, expert.key, expert.value),
            query_norm=expert.query_norm.weight,
            key_norm=expert.key_norm.weight,
            out=expert.out,
            hidden_norm=expert.hidden_norm.weight,
            gate_up=_together(expert.gate, expert.up),
            down=expert.down,
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


class FusedLayers:
    """All layers of a network.

    Args:
        network: Its matrices are put together in place.
    """

    def __init__(self, network: BagelNetwork) -> None:
        """Fuse each expert."""
        transformer = network.transformer
        self.config = network.config.llm
        layers = [layer for layer in transformer.layers if isinstance(layer, Layer)]
        experts = [(FusedExpert.of(layer.reader), FusedExpert.of(layer.drawer)) for layer in layers]
        following = [(reader.attention_norm, drawer.attention_norm) for reader, drawer in experts[1:]]
        following.append((transformer.reader_norm.weight, transformer.drawer_norm.weight))
        self.layers = [FusedLayer(*pair, *norms) for pair, norms in zip(experts, following, strict=True)]

    def turns(self, positions: Tensor, dtype: torch.dtype) -> Tensor:
        """See `rotary_turns`."""
        return rotary_turns(positions, self.config.head_size, self.config.rope_theta).to(dtype)

    def room(self, tokens: int) -> Tensor:
        """Where queries are written: `[tokens, heads, head size]`."""
        weight = self.layers[0].reader.qkv.weight
        return weight.new_empty(tokens, self.config.num_attention_heads, self.config.head_size)

    def run_block(
        self, x: Tensor, positions: Tensor, pasts: Sequence[KeysValues], causal: bool, latents: bool
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """Take one block through all layers; see `Transformer.forward`."""
        turns, new, known = self.turns(positions, x.dtype), len(x), len(pasts[0][0])
        # The first and the last token of a block of latents go through the reader, those between through the drawer.
        rows = [slice(None, None, new - 1), slice(1, -1)] if latents else [slice(None)]
        parts, normed, grown = [x[where] for where in rows], list[Tensor](), []
        for layer, past in zip(self.layers, pasts, strict=True):
            experts = (layer.reader, layer.drawer)[: len(rows)]
            normed = normed or [expert.start(part) for expert, part in zip(experts, parts, strict=True)]
            q = self.room(new)
            k, v = (torch.cat([old, old.new_empty(new, *old.shape[1:])]) for old in past)
            for expert, where, tokens in zip(experts, rows, normed, strict=True):
                expert.project(tokens, turns, latents, q[where], k[known:][where], v[known:][where])
            attended = attend_text(q, k, v) if causal else attend_block(q, k, v)
            finished = [
                expert.finish(part, attended[where], following)
                for expert, part, where, following in zip(
                    experts, parts, rows, (layer.after_reader, layer.after_drawer), strict=False
                )
            ]
            parts, normed = [part for part, _ in finished], [tokens for _, tokens in finished]
            grown.append((k, v))
        if latents:
            start, end = parts[0].split(1)
            return torch.cat([start, parts[1], end]), tuple(grown)
        return parts[0], tuple(grown)


class Replayed:
    """A function whose tensors stay where they are: run once, then recorded as a CUDA graph, then replayed.

    Args:
        function: Works on tensors that are there before, and never waits for the GPU.
    """

    def __init__(self, function: Callable[[], Tensor]) -> None:
        """Record nothing yet."""
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Tensor | None = None

    def __call__(self) -> Tensor:
        """The result; on a GPU the next call writes over it."""
        if self._result is None or not self._result.is_cuda:
            self._result = self._function()  # makes everything warm
            return self._result
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._result = self._function()
        self._graph.replay()
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
    # Called by its name, since here "causal" lines the last query up with the last key, which SDPA offers no way to say.
    attended: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, 0.0, True)[0]
    return attended[0].transpose(0, 1).flatten(1)


def _together(*linears: Linear) -> Linear:
    """One linear layer for several with the same input; the weights of each become a part of it."""
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
