"""The experts of the fast path: matrices that read the same tokens put together, all else fused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..network.transformer import Expert
from ..network.vision import Linear
from .float8 import Float8Product
from .fused import add_norm, norm, place, swiglu
from .products import ChosenProduct, Product


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
        make: Callable[..., Product] = _rounded if float8 else _chosen
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

    def place(
        self, qkv: Tensor, turns: Tensor, wide: bool, q: Tensor, k: Tensor, v: Tensor, lengths: Tensor | None = None
    ) -> None:
        """Write queries, keys and values where attention reads them; see `fused.place`."""
        place(qkv, self.query_norm, self.key_norm, turns, self.eps, wide, q, k, v, lengths)

    def finish(self, x: Tensor, attended: Sequence[Tensor], following: Tensor) -> tuple[Tensor, Tensor]:
        """Add what attention gave and the SwiGLU to the tokens.

        Args:
            x: `[tokens, width]`.
            attended: `[tokens, heads * head size]`, in parts.
            following: `[width]`, the weight of the norm that comes next.

        Returns:
            The tokens after the layer, and the same normed for what comes next.
        """
        x, normed = add_norm(
            x, self.out(attended[0]) if len(attended) == 1 else self.out.of_parts(attended), self.hidden_norm, self.eps
        )
        return add_norm(x, self.down(swiglu(self.gate_up(normed))), following, self.eps)


def _chosen(*linears: Linear) -> Product:
    """One product for several linear layers with the same input."""
    return ChosenProduct(_together(*linears))


def _rounded(*linears: Linear) -> Product:
    """The same in eight bits; the exact weights are let go."""
    rounded = Float8Product(_together(*linears))
    for linear in linears:
        linear.weight = nn.Parameter(linear.weight.new_empty(0), requires_grad=False)
    return rounded


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
