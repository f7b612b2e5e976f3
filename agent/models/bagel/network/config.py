"""Sizes, token ids and limits of a BAGEL, from the files beside its weights.

The official files need four corrections, which the official program makes in its code: the reader has one layer less
than `vit_config.json` says; queries and keys are normed and the head is not tied to the embedding, whatever
`llm_config.json` says; `max_latent_size` of `config.json` is stale. The autoencoder is in no file at all.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ....errors import WeightsError
from ..sources import download_command

OFFICIAL_FILES = ("llm_config.json", "vit_config.json")
"""What a folder of the official checkpoint has beside its weights."""
GOLDEN_FILE = "meta.json"
"""What a folder of golden outputs has instead."""

REMEDY = f"Download all of it with `{download_command('bagel')}`."
"""What to do about a folder that is not whole."""


class _Sizes(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # the official files say much that is not used


class LanguageConfig(_Sizes):
    """The two-expert transformer; both experts have these sizes."""

    vocab_size: int = Field(gt=0)
    hidden_size: int = Field(gt=0, multiple_of=4)
    intermediate_size: int = Field(gt=0)
    num_hidden_layers: int = Field(gt=0)
    num_attention_heads: int = Field(gt=0)
    num_key_value_heads: int = Field(gt=0)
    rms_norm_eps: float = 1e-6
    rope_theta: float = 1e6
    max_position_embeddings: int = 32768
    """Positions, not tokens: a whole picture block shares one."""

    @property
    def head_size(self) -> int:
        """Width of one head of attention."""
        return self.hidden_size // self.num_attention_heads


class ReaderConfig(_Sizes):
    """The SigLIP reader, as many layers as are used."""

    hidden_size: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    num_hidden_layers: int = Field(gt=0)
    num_attention_heads: int = Field(gt=0)
    patch_size: int = Field(default=14, gt=0)
    num_patches_per_side: int = Field(default=70, gt=0)
    """Rows and columns of the table of positions."""
    layer_norm_eps: float = 1e-6


class AutoencoderConfig(_Sizes):
    """The autoencoder, that of FLUX."""

    ch: int = 128
    ch_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    z_channels: int = 16
    scale_factor: float = 0.3611
    shift_factor: float = 0.1159

    @property
    def stride(self) -> int:
        """Pixels per side of one latent."""
        return int(2 ** (len(self.ch_mult) - 1))


class TransformConfig(_Sizes):
    """Limits of a side when a picture is resized, in pixels."""

    longest: int = Field(gt=0, alias="max")
    shortest: int = Field(gt=0, alias="min")
    stride: int = Field(gt=0)
    """Sides are multiples of this."""
    max_pixels: int = Field(default=14 * 14 * 9 * 1024, gt=0)


class TokenIds(_Sizes):
    """Ids of the four special tokens."""

    bos_token_id: int = 151644
    """`<|im_start|>`"""
    eos_token_id: int = 151645
    """`<|im_end|>`"""
    start_of_image: int = 151652
    """`<|vision_start|>`"""
    end_of_image: int = 151653
    """`<|vision_end|>`"""


class BagelConfig(_Sizes):
    """A whole BAGEL."""

    llm: LanguageConfig
    vit: ReaderConfig
    vae: AutoencoderConfig = AutoencoderConfig()
    latent_patch_size: int = 2
    max_latent_size: int = 64
    """Rows and columns of latent tokens that a picture may have."""
    token_ids: TokenIds = TokenIds()
    vae_transform: TransformConfig = TransformConfig(max=1024, min=512, stride=16)
    """The picture that is drawn on, and the size of what is drawn."""
    vit_transform: TransformConfig = TransformConfig(max=980, min=224, stride=14)
    """The picture that is read, made from the one above."""
    evaluation_transform: TransformConfig = TransformConfig(max=980, min=378, stride=14, max_pixels=2_007_040)
    """The picture that is read in the official evaluation of understanding, made from the one that was given."""

    @property
    def latent_values(self) -> int:
        """Values of one latent token."""
        return self.latent_patch_size**2 * self.vae.z_channels

    @property
    def latent_stride(self) -> int:
        """Pixels per side of one latent token."""
        return self.latent_patch_size * self.vae.stride

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        llm = self.llm
        if llm.hidden_size % llm.num_attention_heads or llm.num_attention_heads % llm.num_key_value_heads:
            raise ValueError("heads do not divide the hidden size, or groups of keys the heads")
        if self.vit.hidden_size % self.vit.num_attention_heads:
            raise ValueError("heads of the reader do not divide its hidden size")
        if self.vae_transform.stride != self.latent_stride or any(
            one.stride != self.vit.patch_size for one in (self.vit_transform, self.evaluation_transform)
        ):
            raise ValueError("the strides of the transforms are not the sizes of a latent token and of a patch")
        if self.vae_transform.longest > self.max_latent_size * self.latent_stride:
            need = math.ceil(self.vae_transform.longest / self.latent_stride)
            raise ValueError(
                f"max_latent_size is {self.max_latent_size}, but pictures have up to {need} latents a side"
            )
        longest = max(self.vit_transform.longest, self.evaluation_transform.longest)
        if longest > self.vit.num_patches_per_side * self.vit.patch_size:
            raise ValueError("pictures have more patches a side than the reader has positions")
        return self


def read_config(folder: Path) -> BagelConfig:
    """The configuration of a folder, of the official checkpoint or of golden outputs.

    Raises:
        WeightsError: It is neither, or a file of it is damaged.
    """
    if (folder / GOLDEN_FILE).is_file():
        return _validated(folder, _read_json(folder / GOLDEN_FILE))
    if missing := [name for name in OFFICIAL_FILES if not (folder / name).is_file()]:
        raise WeightsError(f"{folder} is not a folder of BAGEL: it has no {', '.join(missing)}.", REMEDY)
    llm, vit = (_read_json(folder / name) for name in OFFICIAL_FILES)
    if "num_hidden_layers" in vit:
        vit["num_hidden_layers"] -= 1  # the official program drops the last one
    if "image_size" in vit and "patch_size" in vit:
        vit["num_patches_per_side"] = vit["image_size"] // vit["patch_size"]
    return _validated(folder, {"llm": llm, "vit": vit})


def _read_json(file: Path) -> dict[str, Any]:
    class _Object(BaseModel):
        model_config = ConfigDict(extra="allow")

    try:
        return _Object.model_validate_json(file.read_bytes()).model_dump()
    except ValidationError as error:
        raise WeightsError(f"{file} is damaged: {error.errors()[0]['msg']}.", REMEDY) from error


def _validated(folder: Path, values: dict[str, Any]) -> BagelConfig:
    try:
        return BagelConfig.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise WeightsError(f"The configuration in {folder} is not that of a BAGEL: {faults}.", REMEDY) from error
