"""Writing by chance: noise for the scores of each word, from a generator for each text."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Chance:
    """What is added to log-probabilities before the best word is taken.

    The best of log-probabilities with Gumbel noise, scaled by the temperature, is a word drawn by the probabilities at
    that temperature, so that who takes the best word draws at random without another word of code.

    Args:
        temperature: Above 0.
        seeds: One for each text.
        device: Of the scores.
    """

    def __init__(self, temperature: float, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        """Make a generator for each text."""
        self._temperature = temperature
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def noise(self, text: int, like: Tensor) -> Tensor:
        """For the next word of a text, in the shape of `like`, float32; another one each time."""
        waits = torch.empty_like(like, dtype=torch.float32).exponential_(generator=self._generators[text])
        return -self._temperature * waits.log()
