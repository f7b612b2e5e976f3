"""How much memory a BAGEL takes, told from its sizes and from how it is run."""

from __future__ import annotations

import torch

from .network.config import BagelConfig
from .network.network import BagelNetwork
from .network.transforms import fit_size

LARGEST = (1024, 1024)
"""Width and height of the picture that memory is told for."""
TEXT = 1000
"""Words of a text that a drawing is made after: those of a thought, see `g2u.loop.thinking.TOKENS`."""
PREFIX_BYTES = 8 * 2**30
"""Of contexts that are kept, where there is so much; one of 1024x1024 has 281 MB to be read and 516 MB to be drawn on,
each longer one has a copy of what it begins with."""


def weight_bytes(config: BagelConfig, execution: str = "plain") -> int:
    """Bytes of the weights in bfloat16, the autoencoder in float32.

    Args:
        config: Sizes of the network.
        execution: Of `EXECUTIONS`. `float8` has the weights of the others while it is loaded, and these from then on.
    """
    with torch.device("meta"):
        network = BagelNetwork(config).set_precision("bfloat16")
    if execution != "float8":
        return network.nbytes
    matrices = [weight for name, weight in network.transformer.named_parameters() if ".drawer." in name]
    rounded = [weight for weight in matrices if weight.ndim == 2]
    # One byte in the place of two, and a scale in float32 for each row.
    return network.nbytes - sum(weight.numel() - 4 * len(weight) for weight in rounded)


def run_bytes(config: BagelConfig, execution: str = "plain") -> int:
    """Bytes that one run with a picture of `LARGEST` takes beside the weights, at most and about.

    Counted are the context that is drawn on, with its text and without; what a pass of the drawing makes, see below;
    and the widest layer of the autoencoder eight times, about what it was measured to take. All of it is counted as if
    it were there at once: what a drawing lets go of stays with the allocator for a while.

    Args:
        config: Sizes of the network.
        execution: Of `EXECUTIONS`.
    """
    drawn = fit_size(LARGEST, config.vae_transform)
    read = fit_size(drawn, config.vit_transform)
    latents = drawn[0] * drawn[1] // config.latent_stride**2 + 2
    patches = read[0] * read[1] // config.vit.patch_size**2 + 2
    llm = config.llm
    token = 2 * 2 * llm.num_hidden_layers * llm.num_key_value_heads * llm.head_size
    context = latents + patches
    contexts = (context + context + TEXT) * token
    # The SwiGLU is the widest: gate, up and their product; beside it lie tokens, the same normed, what attention gave.
    block = 2 * latents * (3 * llm.intermediate_size + 4 * llm.hidden_size)
    if execution == "plain":
        passes = (context + TEXT + latents) * token + block
    else:
        # One buffer for the branches with the picture and one for that without, each with room for the block. Passes
        # are recorded, and hold what they work on: one of a single branch, one of three that go through together.
        passes = (context + TEXT + latents + TEXT + latents) * token + (1 + 3) * block
    return contexts + passes + 8 * 4 * config.vae.ch * drawn[0] * drawn[1]


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
