"""Sizes of a BLIP3o: of the reader as its `config.json` has them, of the flow-matching transformer as its tensors show.

The official program has the sizes of the transformer in its code and not in `config.json`; the 4B model has others than
the 8B one. Whatever `config.json` leaves out is what transformers 4.51 had by default when the file was written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of tensors by their official keys."""

FLOW = "model.dit.model."
"""What the official keys of the flow-matching transformer begin with."""
QUERIES = "model.latent_queries"
"""The official key of the queries."""


class _Sizes(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # the official file says much that is not used


class VisionConfig(_Sizes):
    """The part of the reader that sees."""

    depth: int = Field(default=32, gt=0)
    hidden_size: int = Field(default=3584, gt=0)
    intermediate_size: int = Field(default=3420, gt=0)
    num_heads: int = Field(default=16, gt=0)
    out_hidden_size: int = Field(default=3584, gt=0)
    patch_size: int = Field(default=14, gt=0)
    temporal_patch_size: int = Field(default=2, gt=0)
    spatial_merge_size: int = Field(default=2, gt=0)
    window_size: int = Field(default=112, gt=0)
    fullatt_block_indexes: tuple[int, ...] = (7, 15, 23, 31)
    """Layers in which each patch attends to the whole picture, not to its window alone."""


class RopeConfig(_Sizes):
    """How positions of three axes share the values of a head."""

    mrope_section: tuple[int, int, int] = (16, 24, 24)
    """Pairs of values that turn by time, row and column."""
    type: Literal["default", "mrope"] = "mrope"
    """Two names of the same."""


class ReaderConfig(_Sizes):
    """Qwen2.5-VL, with the official names."""

    vocab_size: int = Field(gt=0)
    hidden_size: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    num_hidden_layers: int = Field(gt=0)
    num_attention_heads: int = Field(gt=0)
    num_key_value_heads: int = Field(gt=0)
    rms_norm_eps: float = 1e-5
    rope_theta: float = 1e6
    rope_scaling: RopeConfig = RopeConfig()
    max_position_embeddings: int = Field(default=32768, gt=0)
    tie_word_embeddings: bool = False
    """Whether the head is the table of words."""
    hidden_act: Literal["silu"] = "silu"
    use_sliding_window: Literal[False] = False
    vision_config: VisionConfig

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        vision = self.vision_config
        if self.hidden_size % self.num_attention_heads or self.num_attention_heads % self.num_key_value_heads:
            raise ValueError("heads do not divide the hidden size, or groups of keys the heads")
        if sum(self.rope_scaling.mrope_section) * 2 != self.hidden_size // self.num_attention_heads:
            raise ValueError("the sections of the positions do not add up to half a head")
        if vision.out_hidden_size != self.hidden_size:
            raise ValueError(f"pictures have tokens of width {vision.out_hidden_size}, words of {self.hidden_size}")
        if vision.hidden_size % vision.num_heads:
            raise ValueError("heads of the vision part do not divide its hidden size")
        return self


class FlowConfig(_Sizes):
    """The flow-matching transformer."""

    channels: int
    """Values of one feature."""
    width: int
    condition: int
    """Width of the time and of the pooled condition."""
    reader: int
    """Width of the hidden states that it draws from."""
    layers: int
    heads: int
    inner: int
    """Width between the two products of the SwiGLU."""
    frequencies: int
    """Values of a time."""


class _LibrarySizes(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")  # all of it is for diffusers


class UnetConfig(_LibrarySizes):
    """The network that draws latents, as diffusers has it; here is what is looked at."""

    sample_size: int = Field(gt=0)
    """Rows and columns of latents."""
    in_channels: int = Field(default=4, gt=0)
    """Values of one latent."""
    cross_attention_dim: int
    """Values of one feature."""


class VaeConfig(_LibrarySizes):
    """The autoencoder of those latents, as diffusers has it."""

    block_out_channels: tuple[int, ...] = Field(min_length=2)


class Blip3oConfig(_Sizes):
    """A whole BLIP3o; the sizes of its pixel decoder are those of its own files."""

    reader: ReaderConfig
    flow: FlowConfig
    queries: int
    """How many hidden states of the reader a drawing is made from."""
    unet: UnetConfig
    """As in `unet/config.json`."""
    vae: VaeConfig
    """As in `vae/config.json`."""
    scheduler: dict[str, Any]
    """As in `scheduler/scheduler_config.json`."""
    drawing_side: int = 448
    """Pixels per side of a picture that is drawn from."""

    @property
    def feature_side(self) -> int:
        """Rows and columns of features."""
        return math.isqrt(self.queries)

    @property
    def latent_stride(self) -> int:
        """Pixels per side of one latent."""
        return int(2 ** (len(self.vae.block_out_channels) - 1))

    @property
    def picture_side(self) -> int:
        """Pixels per side of a drawing."""
        return self.unet.sample_size * self.latent_stride

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.feature_side**2 != self.queries:
            raise ValueError(f"{self.queries} queries are no square of features")
        if self.flow.reader != self.reader.hidden_size:
            raise ValueError(
                f"the transformer draws from hidden states of width {self.flow.reader}, "
                f"the reader has {self.reader.hidden_size}"
            )
        if self.unet.cross_attention_dim != self.flow.channels:
            raise ValueError(
                f"the pixel decoder takes features of {self.unet.cross_attention_dim} values, "
                f"the transformer draws {self.flow.channels}"
            )
        return self


def flow_config(shapes: Shapes) -> FlowConfig:
    """The sizes of the flow-matching transformer that its tensors show.

    Raises:
        KeyError: A tensor that shows one is not there.
    """
    width, channels = shapes[f"{FLOW}patch_embedder.proj.weight"]
    (heads,) = shapes[f"{FLOW}layers.0.gate"]
    layers = f"{FLOW}layers."
    numbers = {key.removeprefix(layers).split(".")[0] for key in shapes if key.startswith(layers)}
    condition, frequencies = shapes[f"{FLOW}time_caption_embed.timestep_embedder.linear_1.weight"]
    return FlowConfig(
        channels=channels,
        width=width,
        condition=condition,
        reader=shapes[f"{FLOW}caption_projection.linear_1.weight"][1],
        layers=len(numbers),
        heads=heads,
        inner=shapes[f"{FLOW}layers.0.feed_forward.linear_1.weight"][0],
        frequencies=frequencies,
    )
