"""The official weights, loaded key by key, with nothing left over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from ...tensor_files import Stored, check_memory, check_tensors, read_headers, read_tensors, renamed
from ..network.network import Precision
from ..sources import remedy
from .config import SEEN, NextEditConfig
from .files import check_files, read_config, weight_files
from .network import NextEditNetwork

BEGINNINGS = {
    "reader.": "",
    "seen.patches.": f"{SEEN}encoder.embeddings.patch_embedding.",
    "seen.positions.": f"{SEEN}encoder.embeddings.position_embedding.",
    "seen.layers.": f"{SEEN}encoder.encoder.layers.",
    "seen.task.": f"{SEEN}encode_task_layer.0.",
    "seen.inward.": f"{SEEN}bottleneck.in_linear.",
    "seen.codebook.": f"{SEEN}bottleneck.regularizer.embedding.",
    "seen.mapped.": f"{SEEN}bottleneck.regularizer.embedding_proj.",
    "from_states.": "model.diffusion_connector.",
    "from_latents.": "model.und_image_vae_connector.",
    "sana.": "model.sana.",
    "vae.": "model.sana_vae.",
}
"""What our names begin with, and the official keys."""

UNUSED = (
    "model.und_image_vae_as_noise_connector.",
    f"{SEEN}decode_task_layer.",
    f"{SEEN}decoder.",
    f"{SEEN}bottleneck.out_linear.",
    f"{SEEN}encoder.head.",
    f"{SEEN}encoder.post_layernorm.",
    f"{SEEN}scale_layer.",
)
"""Beginnings of keys of what the official program makes and never asks."""
TABLES = (".inv_freq",)
"""Ends of keys of tables that are computed."""
HEAD = "lm_head.weight"


def load_network(
    folder: Path, key: str, precision: Precision = "bfloat16", device: torch.device | str = "cpu"
) -> NextEditNetwork:
    """Load a folder in the official layout.

    Raises:
        WeightsError: The folder is not whole, a file is truncated, or keys, shapes or dtypes are not those of its
            configuration; all faults of keys are named at once.
        BudgetError: The GPU has too little free memory for the weights.
    """
    config, stored = read_folder(folder, key)
    places = check_weights(folder, config, stored, key)
    network = bare_network(config)
    place, dtype = torch.device(device), torch.float32 if precision == "float32" else torch.bfloat16
    if place.type == "cuda":
        check_memory(weight_bytes(config, dtype.itemsize), torch.cuda.mem_get_info(place)[0])
    state = read_tensors(places, stored, dtype, device)
    if config.reader.tie_word_embeddings:
        state["reader.lm_head.weight"] = state["reader.model.embed_tokens.weight"]
    network.load_state_dict(state, assign=True)
    if config.reader.tie_word_embeddings:
        network.reader.tie_weights()
    network.place_tables()
    network.train(False).requires_grad_(False)
    return network


def bare_network(config: NextEditConfig) -> NextEditNetwork:
    """A network of those sizes that takes no memory."""
    with torch.device("meta"):
        return NextEditNetwork(config)


def weight_bytes(config: NextEditConfig, itemsize: int = 2) -> int:
    """Bytes of the weights; a head that is the table of words counts once.

    Args:
        config: Sizes of the network.
        itemsize: Bytes of one weight.
    """
    return sum(parameter.numel() for parameter in bare_network(config).parameters()) * itemsize


def read_folder(folder: Path, key: str) -> tuple[NextEditConfig, dict[str, Stored]]:
    """Sizes of a folder, and what its files hold by official key.

    Raises:
        WeightsError: Files are missing or damaged, or it is the folder of another model.
    """
    check_files(folder, key)
    stored = read_headers(weight_files(folder, key), remedy(key))
    return read_config(folder, {name: tensor.shape for name, tensor in stored.items()}, key), stored


def check_weights(folder: Path, config: NextEditConfig, stored: Mapping[str, Stored], key: str) -> dict[str, str]:
    """Check all keys, shapes and dtypes of a folder without loading it.

    Returns:
        The official key of each of our names; a tied head has none.

    Raises:
        WeightsError: Some are not those of the configuration.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in bare_network(config).state_dict().items()}
    places = renamed(shapes, BEGINNINGS)
    unused = (*UNUSED, f"{SEEN}encoder.encoder.layers.{config.seen.layers - 1}.")
    spare = {theirs for theirs in stored if theirs.startswith(unused) or theirs.endswith(TABLES)}
    if config.reader.tie_word_embeddings:
        del places["reader.lm_head.weight"]
        spare.add(HEAD)
    check_tensors(folder, places, shapes, stored, spare, remedy(key))
    return places
