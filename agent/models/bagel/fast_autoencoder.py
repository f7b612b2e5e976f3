"""The autoencoder of the fast path: its group norms as compiled kernels.

At 1024 x 1024 the kernel of torch keeps as many programs busy as there are groups, 32, and takes half of the time of
the whole autoencoder.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from g2u.models.bagel.autoencoder import Autoencoder
from g2u.models.bagel.fused import compiled


class CompiledGroupNorm(nn.Module):
    """A group norm with the weights of another.

    Args:
        plain: The other.
    """

    def __init__(self, plain: nn.GroupNorm) -> None:
        """Take over the weights."""
        super().__init__()
        self.weight, self.bias = plain.weight, plain.bias
        self.groups, self.eps = plain.num_groups, plain.eps

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, channels, ..]` to the same."""
        return _group_norm(x, self.groups, self.weight, self.bias, self.eps)


def use_compiled_norms(autoencoder: Autoencoder) -> None:
    """Put a compiled norm in the place of every group norm."""
    for module in list(autoencoder.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, CompiledGroupNorm(child))


@compiled
def _group_norm(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    return functional.group_norm(x, groups, weight, bias, eps)
