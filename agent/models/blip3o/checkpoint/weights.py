"""The official weights, loaded key by key, with nothing left over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from ....errors import WeightsError
from ...tensor_files import Stored, check_memory, check_tensors, read_headers, read_tensors, renamed
from ..network.config import FLOW, QUERIES, Blip3oConfig
from ..network.network import Blip3oNetwork, Precision
from ..sources import remedy
from .files import DECODER, missing_files, read_config, weight_files

BEGINNINGS = {
    "reader.model.visual.": "visual.",
    "reader.model.language_model.": "model.",
    "reader.lm_head.": "lm_head.",
    "flow.": FLOW,
    "queries": QUERIES,
    "unet.": "unet/",
    "vae.": "vae/",
}
"""What our names begin with, and the official keys; those of the reader are of before transformers 4.52. Keys of the
pixel decoder have the name of their folder before them here."""

OLD_ATTENTION = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}
"""Names in the attention of an autoencoder, and what diffusers called them before 0.18."""

UNUSED = ("model.gen_vision_tower.", "model.down_projector.")
"""Beginnings of keys that training alone needs."""
TABLES = (".inv_freq",)
"""Ends of keys of tables that are computed."""
HEAD = "lm_head.weight"


def load_network(
    folder: Path, key: str, precision: Precision = "bfloat16", device: torch.device | str = "cpu"
) -> Blip3oNetwork:
    """Load a folder in the official layout; its tokenizer is not looked at.

    Raises:
        WeightsError: The folder is not that of a BLIP3o, a file is truncated, or keys, shapes or dtypes are not those
            of its configuration; all faults of keys are named at once.
        BudgetError: The GPU has too little free memory for the weights.
    """
    stored = read_stored(folder, key)
    config = config_of(folder, stored, key)
    places = check_folder(folder, config, stored, key)
    network = bare_network(config)
    place, dtype = torch.device(device), torch.float32 if precision == "float32" else torch.bfloat16
    if place.type == "cuda":
        needed = sum(parameter.numel() for parameter in network.parameters()) * dtype.itemsize
        check_memory(needed, torch.cuda.mem_get_info(place)[0])
    state = read_tensors(places, stored, dtype, device)
    if config.reader.tie_word_embeddings:
        state["reader.lm_head.weight"] = state["reader.model.language_model.embed_tokens.weight"]
    network.load_state_dict(state, assign=True)
    if config.reader.tie_word_embeddings:
        network.reader.tie_weights()
    network.settle()
    network.train(False).requires_grad_(False)
    return network


def bare_network(config: Blip3oConfig) -> Blip3oNetwork:
    """A network of those sizes that takes no memory."""
    with torch.device("meta"):
        return Blip3oNetwork(config)


def read_stored(folder: Path, key: str) -> dict[str, Stored]:
    """What the files of a folder hold, by official key.

    Raises:
        WeightsError: Files are missing or damaged.
    """
    if missing := missing_files(folder, key):
        raise WeightsError(f"{folder} is not a whole folder of BLIP3o: it has no {', '.join(missing)}.", remedy(key))
    return {
        f"{beginning}{name}": tensor
        for beginning, files in weight_files(folder, key).items()
        for name, tensor in read_headers(files, remedy(key)).items()
    }


def config_of(folder: Path, stored: Mapping[str, Stored], key: str) -> Blip3oConfig:
    """All sizes of a folder; see `read_config`."""
    return read_config(folder, {name: tensor.shape for name, tensor in stored.items()}, key)


def check_folder(folder: Path, config: Blip3oConfig, stored: Mapping[str, Stored], key: str) -> dict[str, str]:
    """Check all keys, shapes and dtypes of a folder without loading it.

    Returns:
        The key that is stored of each of our names; a tied head has none.

    Raises:
        WeightsError: Some are not those of the configuration.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in bare_network(config).state_dict().items()}
    places = {ours: _spelling(theirs, stored) for ours, theirs in renamed(shapes, BEGINNINGS).items()}
    spare = {theirs for theirs in stored if theirs.startswith(UNUSED) or theirs.endswith(TABLES)}
    if config.reader.tie_word_embeddings:
        del places["reader.lm_head.weight"]
        spare.add(HEAD)
    check_tensors(folder, places, shapes, stored, spare, remedy(key), _named)
    return places


def _spelling(theirs: str, stored: Mapping[str, Stored]) -> str:
    """The key as the file has it, which may be an old one."""
    if theirs in stored or not theirs.startswith("vae/"):
        return theirs
    for new, old in OLD_ATTENTION.items():
        if new in theirs and (spelt := theirs.replace(new, old)) in stored:
            return spelt
    return theirs


def _named(theirs: str) -> str:
    """A key as a user finds it."""
    part, slash, name = theirs.rpartition("/")
    return f"{DECODER}/{part}: {name}" if slash else name
