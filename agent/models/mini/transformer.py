"""The network of mini: one transformer, two experts per layer, joint attention.

As in BAGEL (arXiv 2505.14683), tokens that are read (patches of pictures, words) and tokens that are drawn (patches of
the noisy picture) have weights of their own in every layer and meet in attention. Pictures are 64 patches of 16x16
straight pixels, no autoencoder. The drawing expert predicts the clean picture x from x_t = (1 - t) noise + t x
(x-prediction, Li and He 2025, arXiv 2511.13720) and, where a patch of the source should stay, a gate that copies it.

Positions are rotary on three axes (row, column, index of the word), so the same place in two pictures is at distance
zero, and attention learns "the same patch in the source" at once.
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional

TIME_SHIFT = 8.0
"""How far the times of drawing lean towards the noise, in training and in sampling."""

Room = tuple[Tensor, Tensor]
"""Keys and values of one layer, each `[batch, heads, tokens, head width]`: what came before, with room for the new
tokens at the end."""


class MiniConfig(BaseModel):
    """Shape of a mini network and what it is taught; the defaults are those of the shipped one."""

    model_config = ConfigDict(extra="ignore")  # its file also says what Hugging Face's tools look for

    width: int = 384
    """Of a token."""
    layers: int = 10
    """Of both experts."""
    heads: int = 6
    """Of attention."""
    hidden: int = 768
    """Width inside of the SwiGLU."""
    vocabulary: int = 1792
    """Tokens."""
    image: int = 128
    """Pixels per side of a picture."""
    patch: int = 16
    """Pixels per side of a patch."""
    max_pictures: int = 2
    """That one prefix may hold."""
    instructions: list[str] = []
    """Sentences that it is taught to draw, each as it is without a question."""
    known_words: list[str] = []
    """Words that it is taught, sorted, as `words_of` gives them; none: it is not known which."""
    answers: list[str] = []
    """Words that it is taught to answer with, sorted; none: those of the shipped weights."""

    @property
    def side(self) -> int:
        """Patches per side of a picture."""
        return self.image // self.patch

    @property
    def patches(self) -> int:
        """Patches per picture."""
        return self.side**2

    @property
    def pairs(self) -> int:
        """Pairs of values per head that are turned by a rotary angle each."""
        return self.width // self.heads // 2

    @property
    def patch_values(self) -> int:
        """Values per patch: colour channels times pixels."""
        return 3 * self.patch**2


class Expert(nn.Module):
    """The weights of one kind of token in one layer: pre-norm attention projections and a SwiGLU."""

    def __init__(self, config: MiniConfig) -> None:
        """Make the weights."""
        super().__init__()
        head_width = config.width // config.heads
        self.norm_attention = nn.RMSNorm(config.width)
        self.query_key_value = nn.Linear(config.width, 3 * config.width, bias=False)
        self.norm_query = nn.RMSNorm(head_width)
        self.norm_key = nn.RMSNorm(head_width)
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.norm_hidden = nn.RMSNorm(config.width)
        self.gate_up = nn.Linear(config.width, 2 * config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)
        self.heads = config.heads

    def project(self, x: Tensor, turns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values `[batch, heads, tokens, head width]` of `x` `[batch, tokens, width]`."""
        batch, tokens, width = x.shape
        qkv = self.query_key_value(self.norm_attention(x)).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        return rotate(self.norm_query(q), turns), rotate(self.norm_key(k), turns), v

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add the attention result `[batch, heads, tokens, head width]` and the SwiGLU to `x`."""
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        gate, up = self.gate_up(self.norm_hidden(x)).chunk(2, dim=-1)
        finished: Tensor = x + self.down(functional.silu(gate) * up)
        return finished


class Layer(nn.Module):
    """Both experts and the attention in which they meet."""

    def __init__(self, config: MiniConfig) -> None:
        """Make the two experts."""
        super().__init__()
        self.reader = Expert(config)
        self.drawer = Expert(config)

    def forward(
        self,
        read: Tensor | None,
        drawn: Tensor | None,
        read_turns: Tensor | None,
        drawn_turns: Tensor | None,
        mask: Tensor | None,
        room: Room | None = None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Run one layer.

        Args:
            read: `[batch, n, width]` tokens of the reading expert.
            drawn: `[batch, m, width]` tokens of the drawing expert.
            read_turns: `[.., n, 2, head width / 2]`, from `picture_turns` and `word_turns`.
            drawn_turns: `[.., m, 2, head width / 2]`.
            mask: Broadcastable to `[batch, heads, n + m, all tokens]`; boolean (`True`: may see); `None`: all see all.
            room: Keys and values that come before; those of the new tokens are written into their end.

        Returns:
            The tokens after the layer.
        """
        parts = [
            expert.project(x, turns)
            for expert, x, turns in ((self.reader, read, read_turns), (self.drawer, drawn, drawn_turns))
            if x is not None and turns is not None
        ]
        q, k, v = (torch.cat(tensors, dim=2) if len(parts) > 1 else tensors[0] for tensors in zip(*parts, strict=True))
        if room is not None:
            for new, known in ((k, room[0]), (v, room[1])):
                known[:, :, -new.shape[2] :] = new
            k, v = room
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        split = 0 if read is None else read.shape[1]
        if read is not None:
            read = self.reader.finish(read, attended[:, :, :split])
        if drawn is not None:
            drawn = self.drawer.finish(drawn, attended[:, :, split:])
        return read, drawn


class MiniTransformer(nn.Module):
    """The whole network. Every method works on batches; shapes are in the docstrings."""

    def __init__(self, config: MiniConfig) -> None:
        """Make the weights: truncated normals of 0.02; the last layer of drawing starts at "copy half"."""
        super().__init__()
        self.config = config
        width, values = config.width, config.patch_values
        # Empty, since what `nn.Embedding` fills itself with imports torch's compiler on the meta device.
        self.words = nn.Embedding.from_pretrained(torch.empty(config.vocabulary, width), freeze=False)
        self.patches = nn.Linear(values, width)
        self.places = nn.Parameter(torch.empty(config.patches, width))
        self.slots = nn.Parameter(torch.empty(config.max_pictures, width))
        self.noisy = nn.Linear(values, width)
        self.source = nn.Linear(values, width)
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm_read = nn.RMSNorm(width)
        self.norm_drawn = nn.RMSNorm(width)
        self.patch_head = nn.Linear(width, 2 * values)
        self.apply(_initialise)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.places.device

    def embed_picture(self, patches: Tensor, slot: int) -> Tensor:
        """Reading tokens `[batch, patches, width]` of a picture as patches, in the given slot of the prefix."""
        embedded: Tensor = self.patches(patches) + self.places + self.slots[slot]
        return embedded

    def embed_words(self, ids: Tensor) -> Tensor:
        """Reading tokens `[batch, words, width]` of word ids."""
        embedded: Tensor = self.words(ids)
        return embedded

    def embed_drawing(self, noisy: Tensor, source: Tensor, t: Tensor) -> Tensor:
        """Drawing tokens `[batch, patches, width]`.

        Args:
            noisy: `[batch, patches, values]`, x_t.
            source: Same shape, the picture that is edited; each noisy patch is given its own source patch.
            t: `[batch]`, in [0, 1], 0 is all noise.
        """
        steps = torch.exp(torch.arange(32, device=t.device) * (-6.0 / 31.0)) * 64.0
        wave = t[:, None] * steps
        when: Tensor = self.time(torch.cat([wave.cos(), wave.sin()], dim=-1).to(noisy.dtype))
        embedded: Tensor = self.noisy(noisy) + self.source(source) + self.places + when[:, None]
        return embedded

    def clean_patches(self, drawn: Tensor, source: Tensor) -> Tensor:
        """Predicted clean patches `[batch, patches, values]` from the last layer's drawing tokens."""
        delta, gate = self.patch_head(self.norm_drawn(drawn)).chunk(2, dim=-1)
        clean: Tensor = delta + torch.sigmoid(gate) * source
        return clean

    def logits(self, read: Tensor) -> Tensor:
        """Scores over the vocabulary `[batch, words, vocabulary]` from the last layer's reading tokens.

        The weights are those of `embed_words`.
        """
        scores: Tensor = functional.linear(self.norm_read(read), self.words.weight)
        return scores


@torch.no_grad()
def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.trunc_normal_(module.weight, std=0.02)
    elif isinstance(module, nn.RMSNorm):
        nn.init.ones_(module.weight)
    elif isinstance(module, MiniTransformer):
        nn.init.trunc_normal_(module.places, std=0.02)
        nn.init.trunc_normal_(module.slots, std=0.02)


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Turn the pairs (x[i], x[i + half]) of `x` `[.., tokens, 2 * half]` by `turns` `[.., tokens, 2, half]`."""
    cos, sin = turns.to(x.dtype).unbind(-2)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


def picture_turns(side: int, pairs: int) -> Tensor:
    """Cosines and sines of the rotary angles of a picture of `side * side` patches: `[patches, 2, pairs]`."""
    place = torch.arange(side**2)
    return _turns(place // side, place % side, torch.zeros_like(place), pairs)


def word_turns(index: Tensor, pairs: int) -> Tensor:
    """The same for words at `index` `[..]`, which counts from 1 within their text: `[.., 2, pairs]`."""
    nowhere = torch.zeros_like(index)
    return _turns(nowhere, nowhere, index, pairs)


def _turns(row: Tensor, column: Tensor, index: Tensor, pairs: int) -> Tensor:
    spatial = pairs * 3 // 8
    rest = pairs - 2 * spatial
    fine = 30.0 ** -(torch.arange(spatial, device=row.device) / spatial)
    slow = 100.0 ** -(torch.arange(rest, device=row.device) / rest)
    angles = torch.cat([row[..., None] * fine, column[..., None] * fine, index[..., None] * slow], dim=-1)
    return torch.stack([angles.cos(), angles.sin()], dim=-2)


def to_patches(pictures: Tensor, patch: int) -> Tensor:
    """Cut `[batch, 3, height, width]` into `[batch, patches, 3 * patch * patch]`, row by row."""
    batch, channels, height, width = pictures.shape
    grid = pictures.view(batch, channels, height // patch, patch, width // patch, patch)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * patch * patch)


def from_patches(patches: Tensor, patch: int, side: int) -> Tensor:
    """Undo `to_patches` for square pictures of `side` patches: `[batch, 3, side * patch, side * patch]`."""
    grid = patches.view(patches.shape[0], side, side, 3, patch, patch)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(patches.shape[0], 3, side * patch, side * patch)
