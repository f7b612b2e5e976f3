"""Which files a folder of a BAGEL has, looked at before any is opened, and what to do about those that it has not."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ValidationError

from ....errors import WeightsError
from ...registry import MODELS
from ..inference.text import TOKENIZER_FILES
from ..network.config import GOLDEN_FILE, OFFICIAL_FILES, REMEDY
from ..sources import download_command

MODEL = "ema.safetensors"
"""The model itself, as BAGEL and most of its kin call it."""
NAMES = (MODEL, "model.safetensors", "model_bf16.safetensors")
"""All names of it: those of BAGEL, of ThinkMorph and of Zebra-CoT; the first that is there is read."""
OWN_NAMES = {"thinkmorph": ("model.safetensors", "model_bf16.safetensors", MODEL)}
"""The same of a registry key whose official program looks for another first."""
INDEX = ".index.json"
"""Ends the name of an index, in the place of a model that was cut into shards."""
AUTOENCODER = "ae.safetensors"


class _Index(BaseModel):
    weight_map: dict[str, str]


def home(place: Path) -> Path:
    """The folder of a place: a folder, or a file in it."""
    return place if place.is_dir() else place.parent


def find_model(place: Path, key: str = "bagel") -> Path:
    """The file of the model itself, or the index of its shards; where there is neither, the file that there should be.

    Args:
        place: A folder, or the very file.
        key: Registry key, whose official program may prefer a name.
    """
    if not place.is_dir():
        return place
    names = OWN_NAMES.get(key, NAMES)
    there = (place / f"{name}{end}" for name in names for end in ("", INDEX))
    return next((file for file in there if file.is_file()), place / names[0])


def model_files(place: Path) -> list[Path]:
    """The files that there are, or should be, of the model itself: one, or the shards that its index names.

    Args:
        place: A folder, a file or an index, see `find_model`.

    Raises:
        WeightsError: The index is damaged.
    """
    found = find_model(place)
    if not found.name.endswith(INDEX):
        return [found]
    try:
        shards = set(_Index.model_validate_json(found.read_bytes()).weight_map.values())
    except ValidationError as error:
        raise WeightsError(f"The index {found} is damaged: {error.errors()[0]['msg']}.", REMEDY) from error
    return [found.parent / Path(name).name for name in sorted(shards)]


def missing_files(place: Path) -> list[str]:
    """Names of the files that a BAGEL needs and a folder has not, shards that its index names among them.

    Args:
        place: A folder, or the file of the model in it.

    Raises:
        WeightsError: The index is damaged.
    """
    folder = home(place)
    settings = (GOLDEN_FILE,) if (folder / GOLDEN_FILE).is_file() else OFFICIAL_FILES
    names = (*settings, *(file.name for file in model_files(place)), AUTOENCODER, *TOKENIZER_FILES)
    return [name for name in names if not (folder / name).is_file()]


def check_files(place: Path, key: str) -> None:
    """Refuse a folder that is not whole.

    Args:
        place: Of the weights of a registry key: a folder, or the file of the model in it.
        key: That key.

    Raises:
        WeightsError: Files are missing; all are named.
    """
    if missing := missing_files(place):
        said = f"{home(place)} is not a whole folder of BAGEL: it has no {', '.join(missing)}."
        raise WeightsError(said, remedy(place, key, missing))


def remedy(place: Path, key: str, missing: list[str]) -> str:
    """What to do about a folder that is not whole: get what it has not, and never what it has.

    Args:
        place: A folder, or the file of the model in it.
        key: Registry key of the model.
        missing: Names of the files that it has not.
    """
    folder = home(place)
    models = sorted(file.name for file in folder.glob("*.safetensors") if file.name != AUTOENCODER)
    lacks_model = any(file.name in missing for file in model_files(place))
    if models and find_model(place, key).name in missing:
        names = ", ".join(OWN_NAMES.get(key, NAMES))
        one = f"name the one that is the model, such as `--weights {folder / models[0]}`"
        return f"It has {', '.join(models)}: {one}, or rename it to one of {names}."
    if not any((folder / name).is_file() for name in (*OFFICIAL_FILES, AUTOENCODER, *TOKENIZER_FILES, *models)):
        return f"Download all of it with `{download_command(key)}`."
    # All kin share these files with BAGEL, and a download of theirs may lack them.
    source = MODELS[key if lacks_model else "bagel"].repositories[0]
    return f"Download what is missing with `hf download {source} {' '.join(missing)} --local-dir {folder}`."
