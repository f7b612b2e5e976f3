"""What an emoji looks like, told from pixels without the painter: its mean colour and how much of a square it fills."""

from __future__ import annotations

import torch
from torch import Tensor

from g2u.world.materials.atlas import emoji
from g2u.world.materials.words import CONCEPT


def look(colour: Tensor, cover: Tensor, radius: float) -> Tensor:
    """Mean of a piece of a picture `[3, h, w]` that holds one emoji of that radius and nothing else: `[4]`."""
    seen = torch.cat([colour * cover, cover])
    return seen.sum(dim=(1, 2)) / (2 * radius) ** 2


def nearest(seen: Tensor, style: int, words: list[int]) -> int:
    """Which of some words (indices into `WORDS`) looks most like it in a style."""
    tiles = emoji("cpu")[style, [word - CONCEPT for word in words]].float() / 255
    tiles = torch.cat([tiles[:, :3] * tiles[:, 3:], tiles[:, 3:]], dim=1).mean(dim=(2, 3))
    return words[int((tiles - seen).abs().sum(dim=1).argmin())]
