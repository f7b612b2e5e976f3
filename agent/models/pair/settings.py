"""Which reader and which editor make a pair, and how the libraries are to load them: from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ...errors import SettingError
from ..described import checked_settings, read_description

EXAMPLE: Final = "{reader: {folder: DIR}, editor: {folder: DIR}}"


class Part(BaseModel):
    """What both have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = Field(min_length=1)
    """Of its weights, as the library saves them; `~` and paths beside the YAML file are taken."""
    device: str = ""
    """Such as `cuda:1`; empty for $G2U_DEVICE, or else the GPU if there is one."""
    device_map: str = ""
    """The library's own plan over several devices, such as `auto`, in the place of `device`."""
    quantization: dict[str, Any] = {}
    """The library's own options of quantised loading; empty for none."""


class Reader(Part):
    """A vision-language model of transformers."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the weights; `auto` for that in which they are stored."""
    pictures: int = Field(default=8, ge=1, le=16)
    """That it is shown at once."""
    together: int = Field(default=8, ge=1, le=64)
    """Texts that it continues at once."""


class Editor(Part):
    """An editing pipeline of diffusers."""

    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Of the weights."""
    offload: Literal["none", "model", "sequential"] = "none"
    """What lies in the memory of the CPU while it is not used: nothing, parts of the pipeline, single layers."""
    pixels: int = Field(default=1024 * 1024, ge=32 * 32, le=4096 * 4096)
    """Of a drawing, about: its width times its height."""


class Pair(BaseModel):
    """All settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reader: Reader | None = None
    """`None`: the reader within the pipeline, of those that have a whole one."""
    editor: Editor | None = None
    """`None`: it reads alone."""
    prompts: str = "bagel"
    """Prompt set."""


def read_settings(place: str) -> Pair:
    """The settings in a YAML file.

    Args:
        place: Of the file.

    Raises:
        SettingError: It is not there, or a setting is wrong; with what was expected.
    """
    if not place:
        hint = f"Name a YAML file with `--weights FILE`, such as `{EXAMPLE}`."
        raise SettingError("The model 'pair' is made of a reader and an editor, and none was named.", hint)
    file = Path(place).expanduser()
    settings = checked_settings(Pair, read_description(file, "pair", EXAMPLE), "pair", repr(place))
    if settings.reader is None and settings.editor is None:
        raise SettingError(f"The file {place!r} of the model 'pair' names neither a reader nor an editor.", EXAMPLE)
    parts = {name: part for name in ("reader", "editor") if (part := getattr(settings, name))}
    placed = {name: part.model_copy(update={"folder": _placed(file, part.folder)}) for name, part in parts.items()}
    return settings.model_copy(update=placed)


def _placed(file: Path, folder: str) -> str:
    """A folder, from the one in which the YAML file lies."""
    return str((file.resolve().parent / Path(folder).expanduser()).resolve())
