"""The weights folder of mini: Hugging Face layout, sharded safetensors, checked before anything is loaded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from g2u.errors import WeightsError
from g2u.models.mini.transformer import MiniConfig, MiniTransformer

INDEX = "model.safetensors.index.json"
SHARD_SIZE = "15MB"

_REMEDY = "Train them with `python -m g2u.world.train --out DIR`, or leave the folder out to use the shipped ones."


def save_weights(network: MiniTransformer, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write config, tokenizer, bfloat16 shards and an index that holds the SHA-256 of every shard."""
    network.bfloat16().save_pretrained(folder, max_shard_size=SHARD_SIZE)
    tokenizer.save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(0o644)  # transformers leaves the shards unreadable to others
    index, whole = folder / INDEX, folder / "model.safetensors"
    if whole.exists():  # small enough for one shard, for which transformers writes no index
        content: dict[str, Any] = {"metadata": {}, "weight_map": dict.fromkeys(network.state_dict(), whole.name)}
    else:
        content = json.loads(index.read_text("utf-8"))
    content["metadata"]["sha256"] = {
        name: _digest(folder / name) for name in sorted(set(content["weight_map"].values()))
    }
    index.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")


def load_weights(folder: Path, device: torch.device) -> tuple[MiniTransformer, PreTrainedTokenizerFast, str]:
    """Check and load a weights folder.

    Returns:
        The network in float32 on `device`, its tokenizer, and the SHA-256 that identifies the weights.

    Raises:
        WeightsError: A file is missing, a shard does not have its hash, or keys or shapes are not the network's; all
            faults of one kind are named at once.
    """
    identity = check_weights(folder)
    config = MiniConfig.from_pretrained(folder, local_files_only=True)
    with torch.device("meta"):
        network = MiniTransformer(config)
    state: dict[str, Tensor] = {}
    for shard in sorted(folder.glob("*.safetensors")):
        state |= {key: value.to(torch.float32) for key, value in load_file(shard, device=str(device)).items()}
    network.load_state_dict(state, assign=True)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    network.train(False).requires_grad_(False)
    return network, tokenizer, identity


def check_weights(folder: Path) -> str:
    """Check a weights folder without loading it; returns the SHA-256 over the hashes of its shards.

    Raises:
        WeightsError: As `load_weights`.
    """
    wanted = (INDEX, "config.json", "tokenizer.json", "tokenizer_config.json")
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise WeightsError(f"{folder} is not a folder of mini weights: it has no {', '.join(missing)}.", _REMEDY)
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
        places: dict[str, str] = index["weight_map"]
        hashes: dict[str, str] = index["metadata"]["sha256"]
        config = MiniConfig.from_pretrained(folder, local_files_only=True)
    except (ValueError, KeyError, OSError) as error:
        raise WeightsError(f"The index or config in {folder} is damaged: {error}.", _REMEDY) from error
    shards = sorted(set(places.values()))
    if missing := [name for name in shards if not (folder / name).is_file()]:
        raise WeightsError(f"{folder} misses {len(missing)} of {len(shards)} shards: {', '.join(missing)}.", _REMEDY)
    if wrong := [name for name in shards if _digest(folder / name) != hashes.get(name)]:
        raise WeightsError(f"These shards in {folder} do not have the hash of the index: {', '.join(wrong)}.", _REMEDY)
    found: dict[str, tuple[int, ...]] = {}
    for name in shards:
        try:
            with safe_open(folder / name, "pt") as shard:
                keys = list(shard.keys())
                found |= {key: tuple(shard.get_slice(key).get_shape()) for key in keys}
        except SafetensorError as error:
            raise WeightsError(f"{folder / name} is no safetensors file: {error}.", _REMEDY) from error
    with torch.device("meta"):
        expected = {key: tuple(value.shape) for key, value in MiniTransformer(config).state_dict().items()}
    faults = [f"missing {key}" for key in expected.keys() - found.keys()]
    faults += [f"unknown {key}" for key in found.keys() - expected.keys()]
    faults += [
        f"{key} has shape {found[key]}, not {shape}"
        for key, shape in expected.items()
        if found.get(key, shape) != shape
    ]
    if faults:
        raise WeightsError(f"The keys in {folder} are not those of the network: {'; '.join(sorted(faults))}.", _REMEDY)
    return hashlib.sha256("".join(hashes[name] for name in shards).encode()).hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
