"""Products with the same input as one product, which reads the input once and is one kernel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class JoinedProducts:
    """Some linear maps of the same input, whose weights lie beside each other from now on.

    The maps stay what they are: their weights become parts of the joined ones, so that nothing is held twice.

    Args:
        products: In order; all of them have a bias, or none has.
    """

    def __init__(self, products: Sequence[nn.Linear]) -> None:
        """Lay the weights beside each other."""
        self.sizes = [product.out_features for product in products]
        self.weight = torch.cat([product.weight for product in products])
        biases = [product.bias for product in products if product.bias is not None]
        self.bias = torch.cat(biases) if biases else None
        for product, part in zip(products, self.weight.split(self.sizes), strict=True):
            product.weight = nn.Parameter(part, requires_grad=False)

    def __call__(self, x: Tensor) -> Tensor:
        """What the maps give, one after the other: `[..., inputs]` to `[..., all outputs]`."""
        return functional.linear(x, self.weight, self.bias)

    def parts(self, x: Tensor) -> tuple[Tensor, ...]:
        """The same, apart."""
        return self(x).split(self.sizes, dim=-1)
