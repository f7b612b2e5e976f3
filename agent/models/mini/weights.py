"""The weights folder of mini: Hugging Face layout, sharded safetensors, checked before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from ...errors import WeightsError
from .domain import FILE as DOMAIN
from .domain import Domain, load_domain, save_domain
from .text import Text
from .transformer import MiniConfig, MiniTransformer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

INDEX = "model.safetensors.index.json"
SHARD_SIZE = "15MB"

_OTHERS = ("config.json", "tokenizer.json", "tokenizer_config.json")
_REMEDY = (
    "Train them with `python -m g2u.world.training.train --out DIR`, or leave the folder out to use the shipped ones."
)


class _Metadata(BaseModel):
    sha256: dict[str, str]


class _Index(BaseModel):
    metadata: _Metadata
    weight_map: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a weights folder holds."""

    network: MiniTransformer
    text: Text
    domain: Domain | None
    """Where the pictures lie that it was trained on; `None` where that was not measured or not asked for."""
    sha256: str
    """Identifies the weights."""


def save_weights(
    network: MiniTransformer, tokenizer: PreTrainedTokenizerFast, folder: Path, domain: Domain | None = None
) -> None:
    """Write config, tokenizer, bfloat16 shards and an index with the SHA-256 of every file, all of them or none.

    Args:
        network: Is in bfloat16 from then on.
        tokenizer: Its own.
        folder: Is replaced where there is one.
        domain: From `measure_domain`; left out: the model cannot say how far a picture lies from what it knows.
    """
    from huggingface_hub import save_torch_state_dict  # here, because a model is asked without it

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".weights-") as name:
        new = Path(name) / folder.name
        new.mkdir()
        save_torch_state_dict(network.bfloat16().state_dict(), new, max_shard_size=SHARD_SIZE)
        named = {"architectures": [type(network).__name__], "dtype": "bfloat16", "model_type": "g2u_mini"}
        config = named | network.config.model_dump()
        (new / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
        tokenizer.save_pretrained(new)
        whole = new / "model.safetensors"
        if whole.exists():  # small enough for one shard, for which huggingface_hub writes no index
            content: dict[str, Any] = {"weight_map": dict.fromkeys(network.state_dict(), whole.name)}
        else:
            content = json.loads((new / INDEX).read_text("utf-8"))
        if domain is not None:
            save_domain(domain, new)
        files = (*_OTHERS, *sorted(file.name for file in new.glob("*.safetensors")))
        content["metadata"] = {"sha256": {file: _digest(new / file) for file in files}}
        (new / INDEX).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
        for file in new.iterdir():
            file.chmod(0o644)  # huggingface_hub leaves the shards unreadable to others
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(new, folder)


def replace_domain(folder: Path, domain: Domain) -> None:
    """Write another domain into a weights folder, and its hash into the index; whole or not at all.

    Args:
        folder: Of weights; what else lies in it stays as it is.
        domain: From `measure_domain`, of the network of this folder.

    Raises:
        WeightsError: The folder is not what its index says.
    """
    folder = folder.resolve()
    check_weights(folder)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".weights-") as name:
        new = Path(name) / folder.name
        shutil.copytree(folder, new)
        save_domain(domain, new)
        (new / DOMAIN).chmod(0o644)
        content = json.loads((new / INDEX).read_text("utf-8"))
        content["metadata"]["sha256"][DOMAIN] = _digest(new / DOMAIN)
        (new / INDEX).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
        shutil.rmtree(folder)
        os.replace(new, folder)


def load_weights(folder: Path, device: torch.device, with_domain: bool = True) -> Loaded:
    """Check and load a weights folder, the network in float32 on `device`.

    Args:
        folder: Of weights.
        device: Where to put the network.
        with_domain: Also load where the pictures of the world lie; without it, a file of another form does not matter.

    Raises:
        WeightsError: A file is missing or does not have its hash, or keys or shapes are not the network's; all of one
            kind are named at once.
    """
    index = _read_index(folder)
    config = _read_config(folder)
    with torch.device("meta"):
        network = MiniTransformer(config)
    shards = sorted(set(index.weight_map.values()))
    _check_keys(folder, shards, {key: tuple(value.shape) for key, value in network.state_dict().items()})
    state: dict[str, Tensor] = {}
    for shard in shards:
        state |= {key: value.to(torch.float32) for key, value in load_file(folder / shard, str(device)).items()}
    network.load_state_dict(state, assign=True)
    network.train(False).requires_grad_(False)
    text = _read_text(folder, config)
    domain = load_domain(folder, config.width) if with_domain and DOMAIN in index.metadata.sha256 else None
    return Loaded(network=network, text=text, domain=domain, sha256=_identity(index))


def check_weights(folder: Path) -> str:
    """Check the files of a weights folder without loading it; returns the SHA-256 over the hashes of them all.

    Raises:
        WeightsError: A file is missing, is not in the index, or does not have its hash.
    """
    return _identity(_read_index(folder))


def _identity(index: _Index) -> str:
    return hashlib.sha256(json.dumps(index.metadata.sha256, sort_keys=True).encode()).hexdigest()


def _read_index(folder: Path) -> _Index:
    """The index, once every file is known to be what it says."""
    if missing := [name for name in (INDEX, *_OTHERS) if not (folder / name).is_file()]:
        raise WeightsError(f"{folder} is not a folder of mini weights: it has no {', '.join(missing)}.", _REMEDY)
    try:
        index = _Index.model_validate_json((folder / INDEX).read_bytes())
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise WeightsError(f"The index {folder / INDEX} is damaged: {reason}.", _REMEDY) from error
    hashes = index.metadata.sha256
    tensors = sorted({*index.weight_map.values(), *({DOMAIN} & hashes.keys())})
    present = {file.name for file in folder.glob("*.safetensors")}
    if missing := [name for name in tensors if name not in present]:
        which = f"{len(missing)} of {len(tensors)} safetensors files"
        raise WeightsError(f"{folder} misses {which}: {', '.join(missing)}.", _REMEDY)
    if surplus := sorted(present - set(tensors)):
        raise WeightsError(f"{folder} has files that are not in its index: {', '.join(surplus)}.", _REMEDY)
    if wrong := [name for name in (*_OTHERS, *tensors) if _digest(folder / name) != hashes.get(name)]:
        raise WeightsError(f"These files in {folder} do not have the hash of the index: {', '.join(wrong)}.", _REMEDY)
    return index


def _read_config(folder: Path) -> MiniConfig:
    try:
        return MiniConfig.model_validate_json((folder / "config.json").read_bytes())
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise WeightsError(f"{folder / 'config.json'} is no config of mini: {reason}.", _REMEDY) from error


def _read_text(folder: Path, config: MiniConfig) -> Text:
    # By tokenizers, and not by transformers around it, whose import takes half as long as torch's.
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    named = json.loads((folder / "tokenizer_config.json").read_bytes()).get("eos_token")
    end = tokenizer.token_to_id(named) if isinstance(named, str) else None
    if end is None:
        what = f"{folder / 'tokenizer_config.json'} names {named!r} as `eos_token`, which is no token of its tokenizer"
        raise WeightsError(f"{what}.", _REMEDY)
    return Text(tokenizer, end, config.known_words)


def _check_keys(folder: Path, shards: list[str], expected: dict[str, tuple[int, ...]]) -> None:
    found: dict[str, tuple[int, ...]] = {}
    for name in shards:
        try:
            with safe_open(folder / name, "pt") as shard:
                keys = list(shard.keys())
                found |= {key: tuple(shard.get_slice(key).get_shape()) for key in keys}
        except SafetensorError as error:
            raise WeightsError(f"{folder / name} is no safetensors file: {error}.", _REMEDY) from error
    faults = [f"missing {key}" for key in expected.keys() - found.keys()]
    faults += [f"unknown {key}" for key in found.keys() - expected.keys()]
    faults += [
        f"{key} has shape {found[key]}, not {shape}"
        for key, shape in expected.items()
        if found.get(key, shape) != shape
    ]
    if faults:
        raise WeightsError(f"The keys in {folder} are not those of the network: {'; '.join(sorted(faults))}.", _REMEDY)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
