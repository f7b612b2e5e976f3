"""How much memory a BLIP3o takes, told from its sizes."""

from __future__ import annotations

import torch

from .checkpoint.weights import bare_network
from .network.config import Blip3oConfig

READ = 1369
"""Tokens of a picture of 1024x1024 that is read."""
PREFIX_BYTES = 4 * 2**30
"""Of contexts that are kept, where there is so much; one picture of 1024x1024 has 79 MB in the 8B model."""


def weight_bytes(config: Blip3oConfig, itemsize: int = 2) -> int:
    """Bytes of the weights.

    Args:
        config: Sizes of the network.
        itemsize: Bytes of one of them.
    """
    return sum(parameter.numel() for parameter in bare_network(config).parameters()) * itemsize


def token_bytes(config: Blip3oConfig) -> int:
    """Bytes of the keys and values of one token, in bfloat16."""
    reader = config.reader
    return (
        2
        * 2
        * reader.num_hidden_layers
        * reader.num_key_value_heads
        * reader.hidden_size
        // (reader.num_attention_heads)
    )


def run_bytes(config: Blip3oConfig, drawings: int = 1, itemsize: int = 2) -> int:
    """Bytes that one run takes beside the weights, at most and about.

    Counted are a context of two pictures, and the widest layer of the decoder of pixels eight times, which is what such
    a decoder was measured to take; the layers of the network before it are smaller.

    Args:
        config: Sizes of the network.
        drawings: Made together.
        itemsize: Bytes of one value.
    """
    pixels = config.picture_side**2
    widest = itemsize * config.vae.block_out_channels[1] * pixels
    steps = itemsize * 2 * drawings * pixels * 16
    return 2 * READ * token_bytes(config) + 8 * widest + steps


def kept_bytes(run: int, free: int) -> int:
    """Bytes of contexts that may be kept for later: what is free beside one run, and `PREFIX_BYTES` at most.

    Args:
        run: Bytes of one run, see `run_bytes`.
        free: Bytes that are free once the weights are there.
    """
    return max(0, min(PREFIX_BYTES, free - run))


def free_bytes(place: torch.device) -> int:
    """Bytes of a GPU that this process may still use, those that its allocator holds for nobody included."""
    unused = torch.cuda.memory_reserved(place) - torch.cuda.memory_allocated(place)
    return torch.cuda.mem_get_info(place)[0] + unused
