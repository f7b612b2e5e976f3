"""A tiny BLIP3o-NEXT-edit in the official layout, made by code: shards, official keys, a tokenizer with added words."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from g2u.models.blip3o.next_edit.config import SEEN, NextEditConfig
from g2u.models.blip3o.next_edit.weights import BEGINNINGS, bare_network
from g2u.models.tensor_files import renamed
from tests.agent.models.blip3o.making import WORDS, write_json

ADDED = ("<|image_pad|>", "<im_start>", "<im_end>", "<S0>", "<S1>", "<S2>")
FIRST = 307 + ADDED.index("<im_start>")
PICTURE_WORDS = 64
IMAGES = 307 + len(ADDED)
SIZE = IMAGES + PICTURE_WORDS

READER = {
    "model_type": "blip3o_qwen",
    "vocab_size": SIZE,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000,
    "rope_scaling": None,
    "max_position_embeddings": 2048,
    "image_start_tag_id": FIRST,
    "image_end_tag_id": FIRST + 1,
    "image_start_token_id": IMAGES,
    "diffusion_name_or_path": "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers",
    "use_tar_siglip_features": False,
    "use_und_image_vae": True,
    "use_und_image_vae_as_noise": True,
    "only_use_und_image_vae_as_noise": False,
}
SEEN_SIZES = {"width": 72, "inner": 40, "layers": 3, "patch": 96, "code": 24, "words": PICTURE_WORDS, "tokens": 16}
SANA = {
    "_class_name": "SanaTransformer2DModel",
    "in_channels": 4,
    "out_channels": 4,
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "num_layers": 2,
    "num_cross_attention_heads": 2,
    "cross_attention_head_dim": 8,
    "cross_attention_dim": 16,
    "caption_channels": 20,
    "sample_size": 6,
    "interpolation_scale": None,
    "qk_norm": "rms_norm_across_heads",
}
VAE = {
    "_class_name": "AutoencoderDC",
    "latent_channels": 4,
    "attention_head_dim": 4,
    "encoder_block_types": ["ResBlock", "ResBlock", "EfficientViTBlock"],
    "decoder_block_types": ["ResBlock", "ResBlock", "EfficientViTBlock"],
    "encoder_block_out_channels": [4, 8, 8],
    "decoder_block_out_channels": [4, 8, 8],
    "encoder_layers_per_block": [1, 1, 1],
    "decoder_layers_per_block": [1, 1, 1],
    "encoder_qkv_multiscales": [[], [], [5]],
    "decoder_qkv_multiscales": [[], [], [5]],
    "scaling_factor": 0.41407,
}
SCHEDULER = {"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": True, "flow_shift": 3.0}
"""As SANA's own is: what it says of a shift is called otherwise than in the scheduler that reads it here."""


def make_folder(folder: Path, seed: int = 0, shards: int = 2, **changed: Any) -> Path:
    """Write the whole of it.

    Args:
        folder: Made anew.
        seed: Of the weights.
        shards: Files of weights; with 1 there is no index.
        changed: Values of `config.json`.
    """
    config = READER | changed
    write_json(folder / "config.json", config)
    write_json(folder / "sana" / "transformer" / "config.json", SANA)
    write_json(folder / "sana" / "vae" / "config.json", VAE)
    write_json(folder / "sana" / "scheduler" / "scheduler_config.json", SCHEDULER)
    weights = make_weights(sizes(**changed), seed)
    if config.get("tie_word_embeddings"):
        del weights["lm_head.weight"]
    names = [f"model-{i + 1:05}-of-{shards:05}.safetensors" for i in range(shards)]
    if shards == 1:
        names = ["model.safetensors"]
    else:
        index = {key: names[i % shards] for i, key in enumerate(sorted(weights))}
        write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": index})
    for i, name in enumerate(names):
        save_file({key: weights[key] for key in sorted(weights)[i::shards]}, folder / name)
    make_tokenizer(folder)
    return folder


def sizes(**changed: Any) -> NextEditConfig:
    """All of its sizes."""
    return NextEditConfig.model_validate(
        {"reader": READER | changed, "seen": SEEN_SIZES, "sana": SANA, "vae": VAE, "scheduler": SCHEDULER}
    )


def make_weights(config: NextEditConfig, seed: int) -> dict[str, Tensor]:
    """All tensors in bfloat16 by official key, with some of those that are never asked."""
    chance = torch.Generator().manual_seed(seed)
    shapes = {name: tensor.shape for name, tensor in bare_network(config).state_dict().items()}
    keys = renamed(shapes, BEGINNINGS)
    made = {keys[name]: _drawn(name, shape, chance).bfloat16() for name, shape in shapes.items()}
    made["model.und_image_vae_as_noise_connector.0.weight"] = torch.ones(4, 8, 1, 1).bfloat16()
    made[f"{SEEN}encoder.encoder.layers.2.mlp.fc1.weight"] = torch.ones(40, 72).bfloat16()  # the last layer
    made[f"{SEEN}encoder.head.probe"] = torch.ones(1, 1, 72).bfloat16()
    made[f"{SEEN}scale_layer.shift"] = torch.zeros(1, 3, 1, 1).bfloat16()
    return made


def _drawn(name: str, shape: torch.Size, chance: torch.Generator) -> Tensor:
    values = torch.randn(shape, generator=chance)
    if len(shape) == 1:
        return 1 + 0.1 * values if name.endswith("weight") else 0.2 * values
    if ".attn2." in name:
        values = 4 * values  # so that a drawing of so few values depends on what was told
    return values if "embed" in name or "codebook" in name else values / math.sqrt(math.prod(shape[1:]))


def make_tokenizer(folder: Path) -> None:
    """The files as transformers 4 wrote them."""
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(WORDS / name, folder)
    settings = json.loads((WORDS / "tokenizer_config.json").read_text("utf-8"))
    added = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
    decoder = {str(307 + i): {"content": word, **added} for i, word in enumerate(ADDED)}
    write_json(folder / "tokenizer_config.json", settings | {"added_tokens_decoder": decoder})
