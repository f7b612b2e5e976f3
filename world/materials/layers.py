"""Layers: what a picture shows, before it is laid over its ground."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

SIZE = 128
"""Side of every picture, in pixels."""


@dataclass(frozen=True)
class Layers:
    """What is painted, and how much of the ground it hides."""

    colour: Tensor
    """`[batch, 3, 128, 128]`, in [0, 1]; counts where `cover` is above 0."""
    cover: Tensor
    """`[batch, 1, 128, 128]`, in [0, 1]."""

    def over(self, ground: Tensor, opacity: Tensor | float = 1.0) -> Tensor:
        """Lay it over a ground `[batch, 3, 128, 128]`, made translucent by `opacity` (a number or `[batch]`)."""
        cover = self.cover * (opacity[:, None, None, None] if isinstance(opacity, Tensor) else opacity)
        return ground + (self.colour - ground) * cover
