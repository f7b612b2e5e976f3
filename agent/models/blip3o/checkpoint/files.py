"""Which files a folder of a BLIP3o has, and the sizes that they tell; looked at before any weights are opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ....errors import WeightsError
from ...tensor_files import tensor_files
from ..inference.text import missing_tokenizer
from ..network.config import QUERIES, Blip3oConfig, Shapes, flow_config
from ..sources import remedy

CONFIG = "config.json"
MODEL = "model.safetensors"
DECODER = "diffusion-decoder"
"""The folder of the pixel decoder."""
DECODER_PARTS = ("unet", "vae")
DECODER_FILES = ("diffusion_pytorch_model.bf16.safetensors", "diffusion_pytorch_model.safetensors")
"""The weights of each part: the official ones, or those without a variant."""
DECODER_CONFIGS = (
    f"{DECODER}/unet/config.json",
    f"{DECODER}/vae/config.json",
    f"{DECODER}/scheduler/scheduler_config.json",
)
SCHEDULER = "EulerDiscreteScheduler"


def weight_files(folder: Path, key: str) -> dict[str, list[Path]]:
    """The files of weights that a folder has or should have, by what `BEGINNINGS` of the weights put before keys.

    Raises:
        WeightsError: An index is damaged.
    """
    decoder = {f"{part}/": [_decoder_file(folder / DECODER / part)] for part in DECODER_PARTS}
    return {"": tensor_files(folder, MODEL, remedy(key)), **decoder}


def _decoder_file(folder: Path) -> Path:
    official = folder / DECODER_FILES[0]
    return next((folder / name for name in DECODER_FILES if (folder / name).is_file()), official)


def missing_files(folder: Path, key: str) -> list[str]:
    """Names of the files that a BLIP3o needs and a folder has not, those of the tokenizer aside.

    Raises:
        WeightsError: An index is damaged.
    """
    weights = [file for files in weight_files(folder, key).values() for file in files]
    wanted = [folder / CONFIG, *weights, *(folder / name for name in DECODER_CONFIGS)]
    return [file.relative_to(folder).as_posix() for file in wanted if not file.is_file()]


def check_files(folder: Path, key: str) -> None:
    """Refuse a folder that is not whole.

    Raises:
        WeightsError: Files are missing; all are named.
    """
    if missing := [*missing_files(folder, key), *missing_tokenizer(folder)]:
        raise WeightsError(f"{folder} is not a whole folder of BLIP3o: it has no {', '.join(missing)}.", remedy(key))


def read_config(folder: Path, shapes: Shapes, key: str) -> Blip3oConfig:
    """All sizes of a folder.

    Args:
        folder: The folder.
        shapes: Of the tensors of the model itself, by official key.
        key: Registry key.

    Raises:
        WeightsError: It is none of a BLIP3o, or a file of it is damaged.
    """
    found = _read_json(folder / CONFIG, key)
    if (kind := str(found.get("model_type", ""))) and not kind.startswith("blip3o"):
        hint = f"Name the folder that `{remedy(key).split('`')[1]}` makes."
        raise WeightsError(f"{folder / CONFIG} is of a {kind!r}; one of a 'blip3o_qwen' was expected.", hint)
    unet, vae, scheduler = (_read_json(folder / name, key) for name in DECODER_CONFIGS)
    if (called := scheduler.get("_class_name")) != SCHEDULER:
        raise WeightsError(f"The scheduler in {folder / DECODER} is {called!r}, not {SCHEDULER!r}.", remedy(key))
    try:
        return Blip3oConfig.model_validate(
            {
                "reader": found,
                "flow": flow_config(shapes),
                "queries": shapes[QUERIES][1],
                "unet": unet,
                "vae": vae,
                "scheduler": scheduler,
            }
        )
    except KeyError as error:
        message = f"The weights in {folder} draw nothing: they have no {error.args[0]}. A BLIP3o was expected."
        raise WeightsError(message, remedy(key)) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'all'}: {fault['msg']}" for fault in error.errors())
        raise WeightsError(f"The configuration in {folder} is not that of a BLIP3o: {faults}.", remedy(key)) from error


def _read_json(file: Path, key: str) -> dict[str, Any]:
    class _Object(BaseModel):
        model_config = ConfigDict(extra="allow")

    try:
        return _Object.model_validate_json(file.read_bytes()).model_dump()
    except (OSError, ValidationError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise WeightsError(f"{file} is damaged: {why}.", remedy(key)) from error
