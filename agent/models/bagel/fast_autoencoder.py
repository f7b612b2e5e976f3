"""The autoencoder of the fast path: group norms with the SiLU behind them, compiled.

Torch's own kernel of a group norm has one program for each of 32 groups, and at 1024 x 1024 takes nearly half of the
time of the whole autoencoder.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from g2u.models.bagel.fused import compiled

ACTIVATIONS = ("nonlinearity", "conv_act")
"""What the modules of diffusers call the SiLU behind all their norms."""


class FusedGroupNorm(nn.Module):
    """A group norm with the weights of another.

    Args:
        plain: The other.
        silu: Whether a SiLU comes after it.
    """

    def __init__(self, plain: nn.GroupNorm, silu: bool) -> None:
        """Take over the weights."""
        super().__init__()
        self.weight, self.bias = plain.weight, plain.bias
        self._groups, self._eps, self._silu = plain.num_groups, plain.eps, silu

    def forward(self, x: Tensor) -> Tensor:
        """`[1, channels, ..]` to the same."""
        return _norm(x, self._groups, self.weight, self.bias, self._eps, self._silu)


def fuse_norms(module: nn.Module) -> None:
    """Put a fused norm in the place of every group norm in a module, and of the SiLU behind it."""
    active = [name for name in ACTIVATIONS if isinstance(getattr(module, name, None), nn.SiLU)]
    for name, child in module.named_children():
        if isinstance(child, nn.GroupNorm):
            setattr(module, name, FusedGroupNorm(child, silu=bool(active)))
        else:
            fuse_norms(child)
    for name in active:
        setattr(module, name, nn.Identity())


@compiled
def _norm(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool) -> Tensor:
    normed = functional.group_norm(x, groups, weight, bias, eps)
    return functional.silu(normed) if silu else normed
