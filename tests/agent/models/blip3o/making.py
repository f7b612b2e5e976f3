"""A tiny BLIP3o in the official layout: folders, shards, old keys, a tokenizer with added words, seeded weights."""

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from g2u.models.blip3o.checkpoint.weights import BEGINNINGS, bare_network
from g2u.models.blip3o.network.config import Blip3oConfig, FlowConfig
from g2u.models.tensor_files import renamed

WORDS = Path(__file__).parents[3] / "data" / "bagel"
"""Where a vocabulary of 307 words is."""
ADDED = ("<|image_pad|>", "[IMG]", "[/IMG]", "<image>")
SIZE = 307 + len(ADDED)

READER = {
    "model_type": "blip3o_qwen",
    "vocab_size": SIZE,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
    "vision_config": {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_heads": 2,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [1],
    },
}
FLOW = FlowConfig(channels=12, width=32, condition=24, reader=32, layers=2, heads=4, inner=40, frequencies=256)
UNET = {
    "_class_name": "UNet2DConditionModel",
    "sample_size": 8,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "block_out_channels": [8, 16],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "attention_head_dim": [1, 2],
    "cross_attention_dim": 12,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 12 + 6 * 8,
}
VAE = {
    "_class_name": "AutoencoderKL",
    "down_block_types": ["DownEncoderBlock2D"] * 3,
    "up_block_types": ["UpDecoderBlock2D"] * 3,
    "block_out_channels": [8, 8, 8],
    "norm_num_groups": 4,
    "latent_channels": 4,
    "sample_size": 32,
    "scaling_factor": 0.13025,
}
SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "timestep_spacing": "leading",
    "steps_offset": 1,
}


def make_folder(folder: Path, seed: int = 0, shards: int = 2, tied: bool = False) -> Path:
    """Write the whole of it.

    Args:
        folder: Made anew.
        seed: Of the weights.
        shards: Files of the model itself; with 1 there is no index.
        tied: Whether the head is the table of words, as in the 4B model.
    """
    config = READER | {"tie_word_embeddings": tied}
    sizes = Blip3oConfig.model_validate(
        {"reader": config, "flow": FLOW, "queries": 16, "unet": UNET, "vae": VAE, "scheduler": SCHEDULER}
    )
    decoder = folder / "diffusion-decoder"
    for name, content in (
        (folder / "config.json", config),
        (decoder / "model_index.json", {"_class_name": "EmuVisualGenerationPipeline"}),
        (decoder / "unet" / "config.json", UNET),
        (decoder / "vae" / "config.json", VAE),
        (decoder / "scheduler" / "scheduler_config.json", SCHEDULER),
    ):
        write_json(name, content)
    weights = make_weights(sizes, seed)
    if tied:
        del weights["lm_head.weight"]
    for part in ("unet", "vae"):
        save_file(part_of(weights, f"{part}/"), decoder / part / "diffusion_pytorch_model.bf16.safetensors")
    own = {key: tensor for key, tensor in weights.items() if "/" not in key}
    own["model.gen_vision_tower.blocks.0.weight"] = torch.zeros(2)  # what training alone needs
    names = [f"model-{i + 1:05}-of-{shards:05}.safetensors" for i in range(shards)]
    if shards == 1:
        names = ["model.safetensors"]
    else:
        index = {key: names[i % shards] for i, key in enumerate(sorted(own))}
        write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": index})
    for i, name in enumerate(names):
        save_file({key: own[key] for key in sorted(own)[i::shards]}, folder / name)
    make_tokenizer(folder)
    return folder


def make_weights(config: Blip3oConfig, seed: int) -> dict[str, Tensor]:
    """All tensors in bfloat16 by official key, those of the pixel decoder with the name of their folder before them."""
    chance = torch.Generator().manual_seed(seed)
    shapes = {name: tensor.shape for name, tensor in bare_network(config).state_dict().items()}
    keys = renamed(shapes, BEGINNINGS)
    return {keys[name]: _drawn(name, shape, chance).bfloat16() for name, shape in shapes.items()}


def _drawn(name: str, shape: torch.Size, chance: torch.Generator) -> Tensor:
    values = torch.randn(shape, generator=chance)
    if len(shape) == 1:
        return 1 + 0.1 * values if name.endswith("weight") else 0.05 * values
    return values if "embed_tokens" in name or name == "queries" else values / math.sqrt(math.prod(shape[1:]))


def part_of(weights: Mapping[str, Tensor], beginning: str) -> dict[str, Tensor]:
    """Tensors whose keys begin so, without that beginning."""
    return {
        key.removeprefix(beginning): tensor.contiguous() for key, tensor in weights.items() if key.startswith(beginning)
    }


def make_tokenizer(folder: Path) -> None:
    """The files as transformers 4 wrote them."""
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(WORDS / name, folder)
    settings = json.loads((WORDS / "tokenizer_config.json").read_text("utf-8"))
    added = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
    decoder = {str(307 + i): {"content": word, **added} for i, word in enumerate(ADDED)}
    write_json(folder / "tokenizer_config.json", settings | {"added_tokens_decoder": decoder})


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write it, and the folder where there is none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), "utf-8")
