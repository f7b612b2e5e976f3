"""Which files a folder of a BLIP3o-NEXT-edit has, and the sizes that they tell; looked at before weights are opened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ....errors import WeightsError
from ...entries import cached
from ...registry import MODELS
from ...tensor_files import sample, tensor_files
from ..inference.text import TOKENIZER_FILES, missing_tokenizer
from ..sources import remedy
from .config import SEEN, NextEditConfig, Shapes, seen_config

CONFIG = "config.json"
MODEL = "model.safetensors"
SANA = "sana"
"""The folder in which SANA's files may lie."""
SANA_FILES = ("transformer/config.json", "vae/config.json", "scheduler/scheduler_config.json")
"""Sizes that the official program takes from SANA's own repository, whose weights are among those of the model."""


def sana_folder(folder: Path, key: str) -> Path:
    """Where SANA's files are: in the folder itself, or where `hf download` leaves them."""
    return folder / SANA if (folder / SANA).is_dir() else cached(MODELS[key].repositories[1]) or folder / SANA


def sana_remedy(key: str) -> str:
    """What to do where they are missing."""
    return f'Get them: `hf download {MODELS[key].repositories[1]} --include "*/*config.json" --local-dir DIR/{SANA}`.'


def weight_files(folder: Path, key: str) -> list[Path]:
    """The files of weights that a folder has or should have.

    Raises:
        WeightsError: An index is damaged.
    """
    return tensor_files(folder, MODEL, remedy(key))


def check_files(folder: Path, key: str) -> None:
    """Refuse a folder that is not whole.

    Raises:
        WeightsError: Files are missing; all of one source are named.
    """
    wanted = [folder / CONFIG, *weight_files(folder, key)]
    missing = [file.name for file in wanted if not file.is_file()] + missing_tokenizer(folder)
    if missing:
        message = f"{folder} is not a whole folder of BLIP3o-NEXT-edit: it has no {', '.join(missing)}."
        raise WeightsError(message, remedy(key))
    place = sana_folder(folder, key)
    if lacking := [name for name in SANA_FILES if not (place / name).is_file()]:
        message = f"The sizes of SANA, which are not in the weights, are missing: {place} has no {', '.join(lacking)}."
        raise WeightsError(message, sana_remedy(key))


def read_config(folder: Path, shapes: Shapes, key: str) -> NextEditConfig:
    """All sizes of a whole folder.

    Args:
        folder: The folder.
        shapes: Of its tensors, by official key.
        key: Registry key.

    Raises:
        WeightsError: It is none of a BLIP3o-NEXT-edit that draws from latents, or a file of it is damaged.
    """
    found, place = _read_json(folder / CONFIG, remedy(key)), sana_folder(folder, key)
    if (kind := str(found.get("model_type", ""))) and not kind.startswith("blip3o"):
        message = f"{folder / CONFIG} is of a {kind!r}; one of a 'blip3o_qwen' was expected."
        raise WeightsError(message, f"Name the folder that `{remedy(key).split('`')[1]}` makes.")
    sana, vae, scheduler = (_read_json(place / name, sana_remedy(key)) for name in SANA_FILES)
    try:
        return NextEditConfig.model_validate(
            {"reader": found, "seen": seen_config(shapes), "sana": sana, "vae": vae, "scheduler": scheduler}
        )
    except KeyError as error:
        message = f"The weights in {folder} see no picture: they have no {error.args[0]} of {SEEN}*."
        raise WeightsError(message, remedy(key)) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'all'}: {fault['msg']}" for fault in error.errors())
        message = f"The configuration in {folder} is not that of a BLIP3o-NEXT-edit with latents: {faults}."
        raise WeightsError(message, remedy(key)) from error


def digest_folder(folder: Path, key: str) -> str:
    """SHA-256 that names the weights in a whole folder, hexadecimal; over what, docs/blip3o.md says."""
    digest = hashlib.sha256()
    for part in _parts(folder, key):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _parts(folder: Path, key: str) -> Iterator[bytes]:
    place = sana_folder(folder, key)
    named = {name: folder / name for name in (CONFIG, *TOKENIZER_FILES)} | {name: place / name for name in SANA_FILES}
    for name, file in named.items():
        if file.is_file():
            yield name.encode()
            yield file.read_bytes()
    for file in weight_files(folder, key):
        yield from sample(file)


class _Object(BaseModel):
    model_config = ConfigDict(extra="allow")


def _read_json(file: Path, hint: str) -> dict[str, Any]:
    try:
        return _Object.model_validate_json(file.read_bytes()).model_dump()
    except (OSError, ValidationError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise WeightsError(f"{file} is damaged: {why}.", hint) from error
