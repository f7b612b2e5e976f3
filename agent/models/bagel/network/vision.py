"""The reader: SigLIP over the patches of one picture of any size, and the connector to the transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import LanguageConfig, ReaderConfig


class Linear(nn.Linear):
    """A linear layer that computes in the dtype of its weight, whatever it is given."""

    def forward(self, x: Tensor) -> Tensor:
        """`[.., in]` to `[.., out]`."""
        return functional.linear(x.to(self.weight.dtype), self.weight, self.bias)


class LayerNorm(nn.LayerNorm):
    """A layer norm whose statistics are in float32 and whose result has the dtype of its input."""

    def forward(self, x: Tensor) -> Tensor:
        """`[.., width]` to the same."""
        weight, bias = self.weight.float(), self.bias.float()
        return functional.layer_norm(x.float(), self.normalized_shape, weight, bias, self.eps).to(x.dtype)


class ReaderLayer(nn.Module):
    """One pre-norm layer of SigLIP; every patch sees every other."""

    def __init__(self, config: ReaderConfig) -> None:
        """Make the weights."""
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.attention_norm = LayerNorm(width, eps=config.layer_norm_eps)
        self.query = Linear(width, width)
        self.key = Linear(width, width)
        self.value = Linear(width, width)
        self.out = Linear(width, width)
        self.hidden_norm = LayerNorm(width, eps=config.layer_norm_eps)
        self.up = Linear(width, config.intermediate_size)
        self.down = Linear(config.intermediate_size, width)

    def forward(self, x: Tensor) -> Tensor:
        """`[patches, width]` to the same."""
        normed = self.attention_norm(x)
        q, k, v = (
            project(normed).unflatten(-1, (self.heads, -1)).transpose(0, 1)  # [heads, patches, head size]
            for project in (self.query, self.key, self.value)
        )
        attended = functional.scaled_dot_product_attention(q[None], k[None], v[None])[0]
        x = x + self.out(attended.transpose(0, 1).flatten(1))
        hidden: Tensor = self.up(self.hidden_norm(x))
        x = x + self.down(functional.gelu(hidden, approximate="tanh"))
        return x


class Reader(nn.Module):
    """Patches of a picture to tokens of the transformer."""

    def __init__(self, config: ReaderConfig, language: LanguageConfig) -> None:
        """Make the weights."""
        super().__init__()
        width = config.hidden_size
        self.patch = Linear(3 * config.patch_size**2, width)
        self.places = nn.Embedding(config.num_patches_per_side**2, width)
        self.layers = nn.ModuleList(ReaderLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = LayerNorm(width, eps=config.layer_norm_eps)
        self.connect_in = Linear(width, language.hidden_size)
        self.connect_out = Linear(language.hidden_size, language.hidden_size)

    def forward(self, patches: Tensor, places: Tensor) -> Tensor:
        """Read one picture.

        Args:
            patches: `[patches, 3 * patch * patch]`, in [-1, 1], from `transforms.to_patches`.
            places: `[patches]`, from `grid_places`.

        Returns:
            `[patches, hidden size of the transformer]`, without the transformer's own table of places.
        """
        x: Tensor = self.patch(patches) + self.places(places)
        for layer in self.layers:
            x = layer(x)
        connected: Tensor = self.connect_in(self.norm(x))
        connected = self.connect_out(functional.gelu(connected, approximate="tanh"))
        return connected


def grid_places(rows: int, columns: int, side: int, device: torch.device | None = None) -> Tensor:
    """Where `rows * columns` patches lie in a table of `side * side` places, row by row: `[rows * columns]`."""
    row, column = (torch.arange(count, device=device) for count in (rows, columns))
    return (row[:, None] * side + column).flatten()


def sinusoid_places(side: int, width: int) -> Tensor:
    """The fixed table of `side * side` places, `[side * side, width]`, float32.

    The first half of the values tells the column, the second half the row; each is sines, then cosines, of the index
    times powers of 10000 from 1 down, computed in float64.
    """
    frequency = 10000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angle = torch.arange(side, dtype=torch.float64)[:, None] * frequency
    waves = torch.cat([angle.sin(), angle.cos()], dim=1)  # [side, width / 2]
    columns, rows = waves.repeat(side, 1), waves.repeat_interleave(side, 0)
    return torch.cat([columns, rows], dim=1).float()
