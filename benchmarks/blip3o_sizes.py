"""Sizes of BLIP3o-8B, and of a tiny one, as `Blip3oConfig` takes them."""

from __future__ import annotations

from typing import Any

REAL: dict[str, Any] = {
    "reader": {
        "vocab_size": 151668,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": 128000,
        "vision_config": {"hidden_size": 1280},
    },
    "flow": {
        "channels": 1792,
        "width": 1792,
        "condition": 1024,
        "reader": 3584,
        "layers": 24,
        "heads": 28,
        "inner": 4864,
        "frequencies": 256,
    },
    "queries": 64,
    "unet": {
        "sample_size": 128,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "block_out_channels": [320, 640, 1280],
        "transformer_layers_per_block": [1, 2, 10],
        "attention_head_dim": [5, 10, 20],
        "cross_attention_dim": 1792,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 1792 + 6 * 256,
    },
    "vae": {
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "block_out_channels": [128, 256, 512, 512],
        "layers_per_block": 2,
        "latent_channels": 4,
        "sample_size": 1024,
        "scaling_factor": 0.13025,
    },
    "scheduler": {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "timestep_spacing": "leading",
        "steps_offset": 1,
    },
}
SMALL_READER = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rope_scaling": {"mrope_section": [1, 1, 2]},
    "vision_config": {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_heads": 2,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [1],
    },
}
TINY: dict[str, Any] = REAL | {
    "reader": SMALL_READER,
    "flow": REAL["flow"] | {"channels": 12, "width": 32, "reader": 32, "layers": 2, "heads": 4, "inner": 40},
    "queries": 16,
    "unet": REAL["unet"]
    | {
        "sample_size": 8,
        "block_out_channels": [8, 16, 16],
        "transformer_layers_per_block": 1,
        "attention_head_dim": [1, 2, 2],
        "norm_num_groups": 4,
        "cross_attention_dim": 12,
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 12 + 6 * 8,
    },
    "vae": REAL["vae"] | {"block_out_channels": [8, 8, 8, 8], "norm_num_groups": 4},
    "drawing_side": 112,
}
