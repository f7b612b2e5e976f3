"""Sizes of a BLIP3o-NEXT-edit: what its configuration says, what its tensors say, and what SANA's files say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Shapes = Mapping[str, tuple[int, ...]]
"""Of tensors, by official key."""

SEEN = "model.vision_tower.vision_tower."
"""What keys of the tokenizer of pictures, TA-Tok, begin with."""
SEEN_SIDE = 384
"""Pixels per side of the picture that it takes."""
HEAD = 72
"""Values of one head of its transformer, SigLIP 2's."""
TEMPERATURE = 0.03
"""By which it divides cosines."""


class _Sizes(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ReaderConfig(_Sizes):
    """Of `config.json`: Qwen3, and how the official program was told to draw."""

    vocab_size: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    intermediate_size: int = Field(ge=1)
    num_hidden_layers: int = Field(ge=1)
    num_attention_heads: int = Field(ge=1)
    num_key_value_heads: int = Field(ge=1)
    head_dim: int = Field(ge=1)
    rms_norm_eps: float
    rope_theta: float
    max_position_embeddings: int = Field(ge=1)
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    image_start_tag_id: int
    """Id of `<im_start>`, the first word that is none of Qwen3's."""
    image_start_token_id: int
    """Id of the first word of pictures."""
    use_und_image_vae: Literal[True]
    """Latents of the old picture are part of the condition."""
    use_und_image_vae_as_noise: Literal[True]
    """They lie beside those that are drawn."""
    only_use_und_image_vae_as_noise: Literal[False] = False
    use_tar_siglip_features: Literal[False] = False
    """The old picture is read as words, not as features."""


class SeenConfig(_Sizes):
    """Of the tokenizer of pictures."""

    width: int
    inner: int
    layers: int = Field(ge=2)
    """Of which the last is not used."""
    patch: int
    code: int
    """Values of an entry of its codebook."""
    words: int
    """Entries."""
    tokens: int
    """Words that one picture has."""

    @model_validator(mode="after")
    def _fits(self) -> SeenConfig:
        if self.tokens != (SEEN_SIDE // self.patch) ** 2 or self.width % HEAD:
            raise ValueError(f"patches of {self.patch} pixels do not make {self.tokens} tokens of {self.width} values")
        return self

    @property
    def heads(self) -> int:
        """Of each layer."""
        return self.width // HEAD


class SanaConfig(_Sizes):
    """Of `transformer/config.json`, which the library reads whole; these are what is asked here."""

    model_config = ConfigDict(frozen=True, extra="allow")

    in_channels: int
    caption_channels: int
    sample_size: int
    patch_size: int = 1
    interpolation_scale: None = None
    """It has no table of positions: none would fit two pictures side by side."""


class AutoencoderConfig(_Sizes):
    """Of `vae/config.json`; as there."""

    model_config = ConfigDict(frozen=True, extra="allow")

    latent_channels: int
    encoder_block_out_channels: tuple[int, ...]
    scaling_factor: float


class NextEditConfig(_Sizes):
    """All sizes."""

    reader: ReaderConfig
    seen: SeenConfig
    sana: SanaConfig
    vae: AutoencoderConfig
    scheduler: dict[str, Any]
    """Whatever kind SANA's own is of, `FlowMatchEulerDiscreteScheduler` takes of it what it knows."""

    @model_validator(mode="after")
    def _fits(self) -> NextEditConfig:
        if self.vae.latent_channels != self.sana.in_channels:
            raise ValueError("the autoencoder and the transformer of SANA have other channels")
        if self.reader.image_start_token_id + self.seen.words > self.reader.vocab_size:
            raise ValueError("the vocabulary has no room for all words of pictures")
        return self

    @property
    def latent_side(self) -> int:
        """Latents per side of a picture."""
        return self.sana.sample_size

    @property
    def picture_side(self) -> int:
        """Pixels per side of a drawing."""
        return self.latent_side << (len(self.vae.encoder_block_out_channels) - 1)


def seen_config(shapes: Shapes) -> dict[str, int]:
    """Sizes of the tokenizer of pictures, read off its tensors.

    Raises:
        KeyError: One of them is missing.
    """
    width, _, patch, _ = shapes[f"{SEEN}encoder.embeddings.patch_embedding.weight"]
    layer = re.compile(re.escape(f"{SEEN}encoder.encoder.layers.") + r"(\d+)\.")
    numbers = {int(found[1]) for key in shapes if (found := layer.match(key))}
    words, code = shapes[f"{SEEN}bottleneck.regularizer.embedding.weight"]
    return {
        "width": width,
        "inner": shapes[f"{SEEN}encoder.encoder.layers.0.mlp.fc1.weight"][0],
        "layers": 1 + max(numbers),
        "patch": patch,
        "code": code,
        "words": words,
        "tokens": shapes[f"{SEEN}encoder.embeddings.position_embedding.weight"][0],
    }


def text_parameters(config: ReaderConfig) -> dict[str, Any]:
    """What the library's configuration of Qwen3 is made of."""
    own = {name for name in ReaderConfig.model_fields if "image" in name or "siglip" in name} | {"rope_theta"}
    rope = {"rope_type": "default", "rope_theta": config.rope_theta}
    ends = {"bos_token_id": None, "eos_token_id": None}  # which words end a text, the tokenizer knows
    return config.model_dump(exclude=own) | ends | {"rope_parameters": rope}
