"""A whole BLIP3o-NEXT-edit as one module: Qwen3, tokenizer of pictures, two connectors, SANA and its autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from diffusers import AutoencoderDC, FlowMatchEulerDiscreteScheduler, SanaTransformer2DModel
from diffusers.models.normalization import RMSNorm
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import Qwen3Config, Qwen3ForCausalLM, SiglipVisionConfig
from transformers.cache_utils import DynamicCache
from transformers.models.siglip.modeling_siglip import SiglipEncoderLayer

from .config import SEEN_SIDE, TEMPERATURE, NextEditConfig, ReaderConfig, SeenConfig, text_parameters
from .pictures import to_picture, to_reference, to_seen

EPSILON = 1e-5
"""Of the norms of the connectors."""


class SeenWords(nn.Module):
    """The tokenizer of pictures: SigLIP 2 but for its last layer, and the nearest entry of a codebook for each patch.

    Args:
        config: Its sizes.
    """

    def __init__(self, config: SeenConfig) -> None:
        """Make the weights."""
        super().__init__()
        vision = SiglipVisionConfig(
            hidden_size=config.width,
            intermediate_size=config.inner,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            image_size=SEEN_SIDE,
            patch_size=config.patch,
        )
        vision._attn_implementation = "sdpa"
        self.patches = nn.Conv2d(3, config.width, config.patch, config.patch)
        self.positions = nn.Embedding(config.tokens, config.width)
        self.layers = nn.ModuleList(SiglipEncoderLayer(vision) for _ in range(config.layers - 1))
        self.task = nn.Linear(config.width, config.width)
        self.inward = nn.Linear(config.width, config.code)
        self.codebook = nn.Embedding(config.words, config.code)
        self.mapped = nn.Linear(config.code, config.code)

    def forward(self, pixels: Tensor) -> Tensor:
        """Numbers of the words of pictures.

        Args:
            pixels: `[rows, 3, 384, 384]` in [-1, 1], in the dtype of the weights.

        Returns:
            `[rows, tokens]`, each from 0.
        """
        x = self.patches(pixels).flatten(2).transpose(1, 2) + self.positions.weight
        for layer in self.layers:
            x = layer(x, attention_mask=None)
        codes = functional.normalize(self.inward(self.task(x).tanh()), dim=-1)
        entries = functional.normalize(self.mapped(self.codebook.weight), dim=-1)
        # Only the order matters; but in bfloat16 the shares have ties that cosines have not, of which the first counts.
        return (codes @ entries.T * (1 / TEMPERATURE)).softmax(dim=-1).argmax(dim=-1)


class NextEditNetwork(nn.Module):
    """All of it.

    Args:
        config: Its sizes.
    """

    def __init__(self, config: NextEditConfig) -> None:
        """Make the weights."""
        super().__init__()
        self.config = config
        self.reader = Qwen3ForCausalLM(_text_config(config.reader))
        self.seen = SeenWords(config.seen)
        self.from_states = _connector(config.reader.hidden_size, config.sana.caption_channels)
        self.from_latents = _connector(config.sana.in_channels, config.sana.caption_channels)
        self.sana = _of_diffusers(SanaTransformer2DModel, config.sana.model_dump())
        self.vae = _of_diffusers(AutoencoderDC, config.vae.model_dump())

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.seen.positions.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights."""
        return self.seen.positions.weight.dtype

    def place_tables(self) -> None:
        """Compute what no checkpoint has and a network made without memory lacks: the frequencies of the reader."""
        bare = self.config.reader.model_copy(update={"num_hidden_layers": 0, "vocab_size": 1})
        tables = dict(Qwen3ForCausalLM(_text_config(bare)).named_buffers())
        for name, _ in list(self.reader.named_buffers()):
            holder, _, last = name.rpartition(".")
            self.reader.get_submodule(holder)._buffers[last] = tables[name].to(self.device)

    def words_of(self, picture: Image.Image) -> list[int]:
        """Ids of the words of a picture."""
        numbers: Tensor = self.seen(to_seen(picture).to(self.device, self.dtype))
        return (numbers[0] + self.config.reader.image_start_token_id).tolist()

    def latents_of(self, picture: Image.Image) -> Tensor:
        """Latents `[1, channels, side, side]` of the middle of a picture."""
        pixels = to_reference(picture, self.config.picture_side).to(self.device, self.dtype)
        return cast(Tensor, self.vae.encode(pixels).latent) * self.config.vae.scaling_factor

    def picture_of(self, latents: Tensor) -> Image.Image:
        """A picture of latents `[1, channels, side, side]`."""
        return to_picture(self.vae.decode(latents / self.config.vae.scaling_factor).sample[0])

    def run(self, ids: Sequence[int], past: DynamicCache | None = None) -> tuple[Tensor, DynamicCache]:
        """Read words after others, at plain positions, whether they are of texts or of pictures.

        Args:
            ids: Of the words.
            past: What was read before, which grows.

        Returns:
            Hidden states `[1, words, width]` behind the last norm, and what was read.
        """
        given = torch.tensor([list(ids)], device=self.device)
        cache = DynamicCache() if past is None else past
        out = self.reader.model(input_ids=given, past_key_values=cache, use_cache=True)
        return cast(Tensor, out.last_hidden_state), cache

    def scores(self, hidden: Tensor) -> Tensor:
        """Scores of the word after each: `[..., vocabulary]`, float32."""
        return cast(Tensor, self.reader.lm_head(hidden)).float()

    def scheduler(self) -> Any:
        """The `FlowMatchEulerDiscreteScheduler` of the official program, with a state of its own."""
        return _of_diffusers(FlowMatchEulerDiscreteScheduler, self.config.scheduler)


def _connector(channels: int, width: int) -> nn.Sequential:
    norm = RMSNorm(width, eps=EPSILON, elementwise_affine=True)
    return nn.Sequential(nn.Linear(channels, width), nn.GELU(approximate="tanh"), nn.Linear(width, width), norm)


def _text_config(config: ReaderConfig) -> Qwen3Config:
    made = Qwen3Config(**text_parameters(config))
    made._attn_implementation = "sdpa"
    return made


def _of_diffusers(kind: Any, config: dict[str, Any]) -> Any:
    # Diffusers has no types that a checker understands.
    return kind.from_config(config)
