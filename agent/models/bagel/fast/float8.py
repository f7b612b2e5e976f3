"""Linear layers in eight bits: lossy, and half the time of the exact ones on GPUs that have such matrix products."""

from __future__ import annotations

import torch
from torch import Tensor

from ...replaying import compiled
from ..network.vision import Linear
from .products import Product

KIND = torch.float8_e4m3fn
LARGEST = torch.finfo(KIND).max


class Float8Product(Product):
    """A linear layer whose weights are rounded once and whose tokens as they come, each row by its own scale.

    Args:
        exact: Its weights.
    """

    def __init__(self, exact: Linear) -> None:
        """Round the weights; those of the layer are not kept."""
        self.weight, self.scale = rounded(exact.weight.detach())
        self.bias = exact.bias

    def __call__(self, x: Tensor) -> Tensor:
        """`[tokens, in]` to `[tokens, out]`, in bfloat16."""
        tokens, scale = rounded(x)
        return torch._scaled_mm(
            tokens,
            self.weight.t(),
            scale_a=scale,
            scale_b=self.scale.t(),
            bias=self.bias,  # added before the product is rounded
            out_dtype=torch.bfloat16,
            use_fast_accum=True,
        )


@compiled
def rounded(x: Tensor) -> tuple[Tensor, Tensor]:
    """`x` `[rows, width]` in eight bits, and the scale of each row, `[rows, 1]`, float32."""
    scale = x.abs().amax(dim=1, keepdim=True).float().clamp(min=1e-12) / LARGEST
    return (x.float() / scale).to(KIND), scale
