"""A whole BAGEL as one module: every kind of token to an embedding, and noisy latents to a velocity."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...device import upload
from .autoencoder import Autoencoder
from .config import BagelConfig
from .transformer import KeysValues, Transformer
from .vision import Linear, Reader, grid_places, sinusoid_places

Precision = Literal["float32", "bfloat16", "mixed"]
"""`bfloat16`: everything but the autoencoder, as the official notebook has it; `mixed`: linear layers in bfloat16, all
between them in float32, as the official benchmark scripts have it; `float32`: everything. The tables of places hold
numbers of bfloat16 in each of them, since the checkpoint does."""

Grid = tuple[int, int]
"""Rows and columns of latent tokens or patches."""

BlockRunner = Callable[
    [Tensor, Tensor, Sequence[KeysValues], bool, bool, Tensor | None, bool], tuple[Tensor, tuple[KeysValues, ...]]
]
"""Takes one block through all layers: arguments and results are those of `BagelNetwork.run_block`."""

TIME_VALUES = 256


class BagelNetwork(nn.Module):
    """Reader, transformer and autoencoder.

    Args:
        config: Its sizes.
    """

    latent_places: Tensor
    patch_places: Tensor

    def __init__(self, config: BagelConfig) -> None:
        """Make the weights; the tables of places are fixed."""
        super().__init__()
        self.config = config
        width = config.llm.hidden_size
        self.reader = Reader(config.vit, config.llm)
        self.transformer = Transformer(config.llm)
        self.autoencoder = Autoencoder(config.vae)
        self.latent_in = Linear(config.latent_values, width)
        self.latent_out = Linear(width, config.latent_values)
        self.time_in = Linear(TIME_VALUES, width)
        self.time_out = Linear(width, width)
        for name, table in place_tables(config).items():
            self.register_buffer(name, table)
        self.fast_blocks: BlockRunner | None = None
        """Where blocks go instead of through the plain `transformer`; set by `g2u.models.bagel.fast.execution`."""

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.transformer.words.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the tokens between the layers."""
        return self.transformer.words.weight.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of its weights."""
        return sum(tensor.nbytes for tensor in self.state_dict().values())

    def run_block(
        self,
        x: Tensor,
        positions: Tensor,
        pasts: Sequence[KeysValues],
        *,
        causal: bool,
        latents: bool,
        seen: Tensor | None = None,
        wanted: bool = True,
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """Take one block through all layers; see `Transformer.forward`.

        With `wanted` false the caller needs keys and values alone, and the tokens may not be those after the last
        layer; nor are the two markers of a block of latents in any case.
        """
        if self.fast_blocks:
            return self.fast_blocks(x, positions, pasts, causal, latents, seen, wanted)
        made: tuple[Tensor, tuple[KeysValues, ...]] = self.transformer(x, positions, pasts, causal, latents, seen)
        return made

    def embed_words(self, ids: Sequence[int]) -> Tensor:
        """Tokens `[words, width]` of word ids."""
        embedded: Tensor = self.transformer.words(upload(torch.tensor(ids), self.device))
        return embedded

    def embed_patches(self, patches: Tensor, grid: Grid) -> Tensor:
        """Tokens `[2 + patches, width]` of `patches` `[patches, values]`, in [-1, 1], between their markers."""
        places = grid_places(*grid, self.config.vit.num_patches_per_side, self.device)
        read: Tensor = self.reader(upload(patches, self.device), places) + self.patch_places[places]
        return self._between_markers(read)

    def embed_latents(self, latents: Tensor, grid: Grid, time: Tensor) -> Tensor:
        """Tokens `[2 + latents, width]` of latents between their markers.

        Args:
            latents: `[latents, values]`, clean or noisy.
            grid: Their rows and columns.
            time: A number in [0, 1]: 0 for clean latents, 1 for noise.
        """
        return self._between_markers(self.latent_tokens(upload(latents, self.device), self.places_of(grid), time))

    def places_of(self, grid: Grid) -> Tensor:
        """What is added to the latents of a grid: `[latents, width]`."""
        return self.latent_places[grid_places(*grid, self.config.max_latent_size, self.device)]

    def latent_tokens(self, latents: Tensor, places: Tensor, time: Tensor) -> Tensor:
        """Tokens `[latents, width]` without markers; see `embed_latents` and `places_of`."""
        when: Tensor = self.time_out(functional.silu(self.time_in(time_waves(time.to(self.device))[None])))
        embedded: Tensor = self.latent_in(latents) + when + places
        return embedded

    @property
    def markers(self) -> Tensor:
        """Tokens of the start and the end of a picture, `[2, width]`."""
        ids = self.config.token_ids
        return self.embed_words([ids.start_of_image, ids.end_of_image])

    def velocity(self, noisy: Tensor, grid: Grid, time: Tensor, pasts: Sequence[KeysValues], position: int) -> Tensor:
        """From the clean picture to the noise, as seen in a noisy picture after what was read.

        Args:
            noisy: `[latents, values]`, x_t.
            grid: Their rows and columns.
            time: t, a number in [0, 1].
            pasts: Keys and values of what was read, layer by layer.
            position: The position of the block.

        Returns:
            `[latents, values]`.
        """
        x = self.embed_latents(noisy, grid, time)
        place = torch.tensor([position], device=self.device)
        x, _ = self.run_block(x, place, pasts, causal=False, latents=True)
        velocity: Tensor = self.latent_out(self.transformer.drawer_norm(x[1:-1]))
        return velocity

    def set_precision(self, precision: Precision) -> BagelNetwork:
        """Convert the weights, in place: those of linear layers, and all others."""
        linear = torch.float32 if precision == "float32" else torch.bfloat16
        other = torch.bfloat16 if precision == "bfloat16" else torch.float32
        for module in self.modules():
            dtype = linear if isinstance(module, Linear) else other
            for values in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                values.data = values.data.to(dtype)
        self.autoencoder.float()
        return self

    def keep_drawing(self) -> BagelNetwork:
        """Let go of what only reading, writing and showing need, in place; `velocity` is as before."""
        del self.reader, self.autoencoder, self.transformer.head, self.patch_places
        return self

    def _between_markers(self, tokens: Tensor) -> Tensor:
        start, end = self.markers.split(1)
        return torch.cat([start, tokens.to(start.dtype), end])


def place_tables(config: BagelConfig) -> dict[str, Tensor]:
    """The fixed tables of places, each `[places, width]`, float32, by their names in `BagelNetwork`."""
    width = config.llm.hidden_size
    return {
        "latent_places": sinusoid_places(config.max_latent_size, width),
        "patch_places": sinusoid_places(config.vit.num_patches_per_side, width),
    }


def time_waves(time: Tensor) -> Tensor:
    """Cosines, then sines, of a time in [0, 1] at 128 frequencies from 1 down to about 1 / 10000: `[256]`."""
    half = TIME_VALUES // 2
    frequency = torch.exp(torch.arange(half, device=time.device) * (-math.log(10000.0) / half))
    angles = time.float() * frequency
    return torch.cat([angles.cos(), angles.sin()])
