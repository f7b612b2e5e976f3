"""Models that a YAML file describes: its settings, read and checked, with what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ..errors import SettingError

Settings = TypeVar("Settings", bound=BaseModel)
MOST_BYTES: Final = 2**20
"""Of a file of settings."""


def read_description(file: Path, key: str, example: str) -> dict[str, Any]:
    """A YAML file that describes a model.

    Args:
        file: As the user named it.
        key: Of the model, for errors.
        example: Of such a file, for errors.

    Raises:
        SettingError: It is not there, or no YAML with names.
    """
    what, hint = f"The file {str(file)!r} of the model {key!r}", f"Write one, such as `{example}`."
    try:
        if not file.is_file():
            raise SettingError(f"{what} {'is a folder' if file.is_dir() else 'does not exist'}.", hint)
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise SettingError(f"{what} cannot be read: {error.strerror}.", hint) from None
    if len(content) > MOST_BYTES:
        raise SettingError(f"{what} has more than {MOST_BYTES:,} bytes, so that it is none of settings.", hint)
    try:
        given = yaml.safe_load(content.decode("utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date that there is not is a ValueError
        mark = getattr(error, "problem_mark", None)
        raise SettingError(f"{what} is no YAML{f' in line {mark.line + 1}' if mark else ''}.", hint) from None
    if not isinstance(given, dict):
        raise SettingError(f"{what} has no settings.", hint)
    return given


def checked_settings(kind: type[Settings], given: Mapping[str, Any], key: str, where: str) -> Settings:
    """Settings of a model, checked; an error does not repeat what was given, which may be a secret.

    Args:
        kind: Of the settings.
        given: As a file has them.
        key: Of the model, for errors.
        where: They come from, for errors.

    Raises:
        SettingError: One is wrong, missing, or none of those that there are.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    name = ".".join(map(str, first["loc"])) or "settings"
    if first["type"] == "extra_forbidden":
        message = f"There is no setting {name!r} of the model {key!r}, which {where} has."
        raise SettingError(message, f"There are: {', '.join(setting_names(kind))}.")
    if first["type"] == "missing":
        raise SettingError(f"The model {key!r} needs the setting {name!r}, which {where} has not.", "Add it.")
    said = first["msg"].removeprefix("Value error, ").rstrip(".")
    message = f"The setting {name!r} of the model {key!r}, from {where}, cannot be used: {said}."
    raise SettingError(message, "docs/other-models.md has every setting.")


def setting_names(kind: type[BaseModel]) -> Iterable[str]:
    """All settings by their names, those of a part behind its name and a dot."""
    for name, field in kind.model_fields.items():
        inner = part_of(field.annotation)
        yield from (f"{name}.{one}" for one in setting_names(inner)) if inner else (name,)


def part_of(annotation: Any) -> type[BaseModel] | None:
    """The settings that a part of settings has; `None` for a plain value."""
    kinds = (annotation, *getattr(annotation, "__args__", ()))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
