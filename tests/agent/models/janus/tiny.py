"""A tiny Janus in the layout of transformers, made by code."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    JanusConfig,
    JanusForConditionalGeneration,
    JanusVisionConfig,
    JanusVQVAEConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
)
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil
from transformers.models.janus.processing_janus import JanusProcessor

BEGIN, END, PAD = "<begin>", "<end>", "<pad>"
PICTURE = {"image_token": "<image_placeholder>", "boi_token": "<begin_of_image>", "eoi_token": "<end_of_image>"}
TEMPLATE = (
    "{% for message in messages %}<|User|>: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image_placeholder>\n{% else %}{{ part['text'] }}{% endif %}{% endfor %}\n\n"
    "{% endfor %}{% if add_generation_prompt %}<|Assistant|>:{% endif %}"
)
"""Writes what that of the official folder writes for one question and the pictures before it."""


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token for each byte, and the special ones."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    words.add_special_tokens([BEGIN, END, PAD, *PICTURE.values()])
    words.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, words.token_to_id(BEGIN))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token=BEGIN, eos_token=END, pad_token=PAD, extra_special_tokens=PICTURE
    )


def make_folder(folder: Path, system: bool = True, positions: int = 4096, seed: int = 0) -> Path:
    """Write a tiny one, whose head is not tied to its embeddings.

    Args:
        folder: Is made.
        system: Whether its processor adds the system prompt.
        positions: Of the network.
        seed: Of the weights.
    """
    tokenizer = make_tokenizer()
    torch.manual_seed(seed)
    network = JanusForConditionalGeneration(
        JanusConfig(
            text_config=LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                intermediate_size=48,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=positions,
                initializer_range=0.4,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            ),
            vision_config=JanusVisionConfig(
                hidden_size=24,
                num_hidden_layers=2,
                num_attention_heads=2,
                image_size=32,
                patch_size=8,
                projection_dim=32,
                num_image_tokens=16,
                initializer_range=0.2,
            ),
            vq_config=JanusVQVAEConfig(
                embed_dim=4,
                num_embeddings=16,
                latent_channels=32,
                base_channels=32,
                channel_multiplier=[1, 1],
                num_res_blocks=1,
                projection_dim=32,
                image_token_embed_dim=32,
            ),
            image_token_id=tokenizer.convert_tokens_to_ids(PICTURE["image_token"]),
            tie_word_embeddings=False,
        )
    )
    network.eval().save_pretrained(folder)
    pictures = JanusImageProcessorPil(
        size={"height": 32, "width": 32}, min_size=4, image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5]
    )
    JanusProcessor(
        pictures, tokenizer, chat_template=TEMPLATE, use_default_system_prompt=system, num_image_tokens=16
    ).save_pretrained(folder)
    pictures.save_pretrained(folder)
    return folder


def change_config(folder: Path, **changes: object) -> None:
    """Change what config.json says."""
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changes}))
