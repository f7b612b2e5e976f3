"""The fast path: what the plain one computes, arranged for a GPU.

Matrices that read the same tokens are one, and what lies between matrix products is fused (`fused`). The latents and
the two markers around them never share a matrix product, so that nothing is gathered or scattered; the markers of all
branches of guidance go through the reading expert together. Keys and values lie in buffers that are made once per
drawing: every branch writes the noisy block over that of the one before, and the branch without the instruction reads
the buffer of the main one from behind the instruction on. A denoising step and a step of decoding are each recorded as
a CUDA graph and replayed; nothing in them waits for the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from g2u.models.bagel.context import Context, Guidance
from g2u.models.bagel.decoding import decode
from g2u.models.bagel.fast_autoencoder import use_compiled_norms
from g2u.models.bagel.fast_flow import fast_flow
from g2u.models.bagel.fast_layers import FusedLayers
from g2u.models.bagel.network import BagelNetwork, Grid
from g2u.models.bagel.sampler import FlowSettings, FlowStep
from g2u.models.bagel.text import Written


class FastExecution:
    """Drawing and writing by the fast path; contexts that are read with its network go that way as well.

    Args:
        network: Its matrices are put together in place.
    """

    def __init__(self, network: BagelNetwork) -> None:
        """Put the matrices together."""
        self.network = network
        self._layers = FusedLayers(network)
        network.fast_blocks = self._layers.run_block
        use_compiled_norms(network.autoencoder)

    def flow(self, guidance: Guidance, grid: Grid, noise: Tensor, settings: FlowSettings) -> Iterator[FlowStep]:
        """Draw step by step; see `sampler.flow`."""
        return fast_flow(self.network, self._layers, guidance, grid, noise, settings)

    def write(
        self, contexts: Sequence[Context], most: int, on_word: Callable[[int], Sequence[bool]]
    ) -> list[Written | None]:
        """Write after each context by the best word; see `PlainExecution.write`."""
        return decode(self.network, self._layers, contexts, most, on_word)
