"""Pictures as keys and values of mini."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .squares import Box


@dataclass(frozen=True)
class MiniPrefix:
    """Pictures as keys and values; a longer prefix shares those of its parent."""

    parent: MiniPrefix | None
    keys_values: Tensor
    """`[layers, 2, heads, patches, head width]` of the last picture."""
    patches: Tensor
    """`[patches, values]` of the last picture, in [-1, 1]."""
    box: Box
    """Where in the square the last picture is; around it are bars."""

    @property
    def pictures(self) -> int:
        """How many pictures it covers."""
        return 1 if self.parent is None else self.parent.pictures + 1

    @property
    def first(self) -> MiniPrefix:
        """The prefix of its first picture alone."""
        return self if self.parent is None else self.parent.first

    @property
    def nbytes(self) -> int:
        """Bytes of the last picture."""
        return self.keys_values.nbytes + self.patches.nbytes

    def past(self) -> Tensor:
        """Keys and values of all its pictures."""
        return self.keys_values if self.parent is None else torch.cat([self.parent.past(), self.keys_values], dim=3)
