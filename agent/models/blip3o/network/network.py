"""A whole BLIP3o as one module: words and pictures to hidden states, these to features, and features to pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from ...device import upload
from .config import Blip3oConfig, ReaderConfig
from .flow import Condition, FlowTransformer
from .layers import KeysValues, TextLayer, normed, rotation, run
from .pictures import Patches
from .windows import WindowAttention, Windows

Precision = Literal["float32", "bfloat16"]
"""Of all weights."""


class Blip3oNetwork(nn.Module):
    """Reader, queries, flow-matching transformer and pixel decoder.

    Args:
        config: Its sizes.
    """

    def __init__(self, config: Blip3oConfig) -> None:
        """Make the weights."""
        super().__init__()
        self.config = config
        self.reader = Qwen2_5_VLForConditionalGeneration(reader_config(config.reader))
        windows, vision = Windows(), config.reader.vision_config
        for block in self.reader.model.visual.blocks:
            block.attn = WindowAttention(vision, windows)
            for name in ("norm1", "norm2"):
                setattr(block, name, nn.RMSNorm(vision.hidden_size, block.get_submodule(name).variance_epsilon))
        self.layers: list[TextLayer] = []
        """Of the reader, once the network is settled."""
        self.queries = nn.Parameter(torch.zeros(1, config.queries, config.reader.hidden_size))
        self.flow = FlowTransformer(config.flow, config.feature_side)
        self.flow_passes: dict[int, Callable[[Tensor, Tensor, Condition], Tensor]] = {}
        """Passes of `flow` by the number of drawings, kept from one to the next; `inference.sampler` makes them."""
        self.unet = _of_diffusers(UNet2DConditionModel, config.unet.model_dump())
        self.vae = _of_diffusers(AutoencoderKL, config.vae.model_dump())

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.queries.device

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights."""
        return self.queries.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of its weights; a head that is the table of words counts once."""
        return sum(tensor.nbytes for tensor in self.parameters())

    def settle(self) -> None:
        """Make what no checkpoint has: frequencies of the reader, and products that are joined.

        It is called once, when all weights are where they stay.
        """
        tables = dict(Qwen2_5_VLForConditionalGeneration(reader_config(_bare(self.config.reader))).named_buffers())
        for name, _ in list(self.reader.named_buffers()):
            holder, _, last = name.rpartition(".")
            self.reader.get_submodule(holder)._buffers[last] = tables[name].to(self.device)
        heads = self.config.reader.num_key_value_heads
        self.layers = [TextLayer(layer, heads) for layer in self.reader.model.language_model.layers]
        self.flow.settle()

    def embed_words(self, ids: Sequence[int]) -> Tensor:
        """Tokens `[1, words, width]` of word ids."""
        return cast(Tensor, self.reader.get_input_embeddings()(upload(torch.tensor([list(ids)]), self.device)))

    def embed_picture(self, patches: Patches) -> Tensor:
        """Tokens `[1, tokens, width]` of a picture."""
        values = upload(patches.values, self.device).to(self.dtype)
        seen = self.reader.model.visual(values, grid_thw=patches.grid.to(self.device))
        return cast(Tensor, seen.pooler_output)[None]

    def run(
        self, x: Tensor, positions: Tensor, past: Sequence[KeysValues], seen: Tensor | None = None
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """Take tokens through all layers of the reader.

        Args:
            x: `[rows, tokens, width]`.
            positions: `[3, rows, tokens]`: by time, row and column.
            past: Layer by layer what was read before; empty for nothing.
            seen: What a token attends to, true where it does: `[rows, 1, tokens, past and tokens]`; left out, all that
                comes before it.

        Returns:
            `[rows, tokens, width]` behind the last norm, and `past` with these tokens.
        """
        model = self.reader.model.language_model
        hidden, grown = run(self.layers, x, rotation(self.config.reader, positions, x.dtype), past, seen)
        return normed(hidden, model.norm), grown

    def scores(self, hidden: Tensor) -> Tensor:
        """Scores of the word after each token: `[..., vocabulary]`, float32."""
        return cast(Tensor, self.reader.lm_head(hidden)).float()

    def scheduler(self) -> Any:
        """The `EulerDiscreteScheduler` of the pixel decoder, with a state of its own."""
        return _of_diffusers(EulerDiscreteScheduler, self.config.scheduler)


def reader_config(config: ReaderConfig) -> Qwen2_5_VLConfig:
    """The configuration of the library, in which the sizes of the text are apart."""
    text: dict[str, Any] = config.model_dump(
        include={
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "rms_norm_eps",
            "max_position_embeddings",
            "hidden_act",
        }
    )
    rope = {
        "rope_type": "default",
        "rope_theta": config.rope_theta,
        "mrope_section": list(config.rope_scaling.mrope_section),
    }
    tied = config.tie_word_embeddings
    ends = {"bos_token_id": None, "eos_token_id": None}  # which words end a text, the tokenizer knows
    vision = config.vision_config.model_dump(mode="json")
    made = Qwen2_5_VLConfig(
        text_config=text | ends | {"rope_parameters": rope, "tie_word_embeddings": tied},
        vision_config=vision,
        tie_word_embeddings=tied,
    )
    made._attn_implementation = "sdpa"
    return made


def _of_diffusers(kind: Any, config: dict[str, Any]) -> Any:
    # Diffusers has no types that a checker understands.
    return kind.from_config(config)


def _bare(config: ReaderConfig) -> ReaderConfig:
    """The same without layers and words, which is made in no time."""
    vision = config.vision_config.model_copy(update={"depth": 0})
    return config.model_copy(update={"num_hidden_layers": 0, "vocab_size": 1, "vision_config": vision})
