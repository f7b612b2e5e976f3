"""The autoencoder of FLUX, through diffusers: pictures to latents and back."""

from __future__ import annotations

from typing import cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn

from .config import AutoencoderConfig


class Autoencoder(nn.Module):
    """Encoder and decoder; computes in the dtype of its weights, whatever it is given."""

    def __init__(self, config: AutoencoderConfig) -> None:
        """Make the weights."""
        super().__init__()
        self.config = config
        levels = len(config.ch_mult)
        whole = AutoencoderKL(
            in_channels=3,
            out_channels=3,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            block_out_channels=tuple(config.ch * factor for factor in config.ch_mult),
            layers_per_block=config.num_res_blocks,
            latent_channels=config.z_channels,
            norm_num_groups=32,
            use_quant_conv=False,
            use_post_quant_conv=False,
        )
        self.encoder = cast(nn.Module, whole.encoder)
        self.decoder = cast(nn.Module, whole.decoder)

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of its weights."""
        return next(self.parameters()).dtype

    def encode(self, pixels: Tensor, noise: Tensor) -> Tensor:
        """Latents of a picture, drawn from the distribution that the encoder gives.

        Args:
            pixels: `[3, height, width]` in [-1, 1].
            noise: `[channels, height / stride, width / stride]`, standard normal.

        Returns:
            Shaped like `noise`, scaled as the transformer expects.
        """
        mean, log_variance = self.encoder(pixels[None].to(self.dtype))[0].chunk(2)
        sample = mean + torch.exp(0.5 * log_variance) * noise
        scaled: Tensor = self.config.scale_factor * (sample - self.config.shift_factor)
        return scaled

    def decode(self, latents: Tensor) -> Tensor:
        """The picture `[3, height, width]`, about in [-1, 1], of latents as `encode` gives them."""
        sample = latents / self.config.scale_factor + self.config.shift_factor
        pixels: Tensor = self.decoder(sample[None].to(self.dtype))[0]
        return pixels
