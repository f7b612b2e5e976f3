"""Products with the same input as one product, which reads the input once and is one kernel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

ALIGNED = 8
"""Values in bfloat16 that GPUs read at once; products whose sizes are no multiple of it are slow."""


def align(into: Sequence[nn.Linear], out: nn.Linear) -> None:
    """Give maps and the one after them so many zeros that their inner size is a multiple of `ALIGNED`.

    What is computed stays the same where nothing between them makes something of nothing.

    Args:
        into: To the inner size.
        out: From it.
    """
    more = -out.in_features % ALIGNED
    for product in into:
        product.weight = nn.Parameter(functional.pad(product.weight, (0, 0, 0, more)), requires_grad=False)
        if product.bias is not None:
            product.bias = nn.Parameter(functional.pad(product.bias, (0, more)), requires_grad=False)
        product.out_features += more
    out.weight = nn.Parameter(functional.pad(out.weight, (0, more)), requires_grad=False)
    out.in_features += more


class JoinedProducts:
    """Some linear maps of the same input, whose weights lie beside each other from now on.

    The maps stay what they are: their weights become parts of the joined ones, so that nothing is held twice.

    Args:
        products: In order; all of them have a bias, or none has.
    """

    def __init__(self, products: Sequence[nn.Linear]) -> None:
        """Lay the weights beside each other."""
        self.sizes = [product.out_features for product in products]
        weights: list[Tensor] = [product.weight for product in products]
        biases: list[Tensor] = [product.bias for product in products if product.bias is not None]
        self.weight = torch.cat(weights)
        self.bias = torch.cat(biases) if biases else None
        for product, part in zip(products, self.weight.split(self.sizes), strict=True):
            product.weight = nn.Parameter(part, requires_grad=False)

    def __call__(self, x: Tensor) -> Tensor:
        """What the maps give, one after the other: `[..., inputs]` to `[..., all outputs]`."""
        return functional.linear(x, self.weight, self.bias)

    def parts(self, x: Tensor) -> tuple[Tensor, ...]:
        """The same, apart."""
        parts: tuple[Tensor, ...] = self(x).split(self.sizes, dim=-1)
        return parts
