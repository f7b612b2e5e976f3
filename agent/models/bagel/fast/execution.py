"""The fast path: what the plain one computes, arranged for a GPU.

Matrices that read the same tokens are one, and what lies between matrix products is fused (`fused`, `placing`); of the
kernels for a large product the fastest is found by trying (`products`). The latents and the two markers around them
never share a matrix product, so that nothing is gathered or scattered; the markers of all branches of guidance go
through the reading expert together. Keys and values lie in buffers that are made once per drawing: every branch writes
the noisy block over that of the one before, and the branch without the instruction reads the buffer of the main one
from behind the instruction on. The passes of a denoising step and of a word are each recorded as a CUDA graph and
replayed; nothing in them waits for the host.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from ..inference.chance import Chance
from ..inference.context import Context, Guidance
from ..inference.execution import PassCallback
from ..inference.sampler import FlowSettings, FlowStep
from ..inference.text import Written
from ..network.network import BagelNetwork, Grid
from .autoencoder import fuse
from .decoding import decode
from .flow import fast_flow
from .layers import FusedLayers


class FastExecution:
    """Drawing and writing by the fast path; contexts that are read with its network go that way as well.

    Args:
        network: Its matrices are put together in place.
        second: The same weights on another GPU, for guidance on both; `None`: all on one. It keeps what drawing needs.
        float8: Whether the large matrices of the drawing expert are rounded to eight bits; lossy.
    """

    def __init__(self, network: BagelNetwork, second: BagelNetwork | None = None, float8: bool = False) -> None:
        """Put the matrices together."""
        if second is not None:
            second.keep_drawing()
        self._halves = [(one, FusedLayers.of(one, float8)) for one in (network, second) if one is not None]
        fuse(network.autoencoder)

    def flow(self, guidance: Guidance, grid: Grid, noise: Tensor, settings: FlowSettings) -> Iterator[FlowStep]:
        """Draw step by step; see `sampler.flow`."""
        return fast_flow(self._halves, guidance, grid, noise, settings)

    def write(
        self, contexts: Sequence[Context], most: int, on_word: PassCallback, chance: Chance | None = None
    ) -> list[Written | None]:
        """Write after each context; see `Execution`."""
        return decode(*self._halves[0], contexts, most, on_word, chance)


class Float8Execution(FastExecution):
    """The fast path with the large matrices of the drawing expert rounded to eight bits."""

    def __init__(self, network: BagelNetwork, second: BagelNetwork | None = None) -> None:
        """Put the matrices together, and round them."""
        super().__init__(network, second, float8=True)
