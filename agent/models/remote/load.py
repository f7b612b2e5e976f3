"""From settings to a model; nothing is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import RemoteModel
    from .settings import Remote


def load(weights: str = "") -> RemoteModel:
    """A model of the servers that a user named.

    Args:
        weights: A YAML file that names them; empty for the variables of the environment.

    Raises:
        SettingError: There are none, or a setting is wrong, or a key that is named is missing.
        UnknownNameError: There is no setting of that name.
    """
    from .model import RemoteModel
    from .settings import read_settings

    settings = read_settings(weights)
    return RemoteModel(settings, keys_of(settings))


def keys_of(settings: Remote) -> dict[str, str]:
    """The keys of the servers, from the environment, where they are the only thing that settings do not hold.

    Raises:
        SettingError: The variable of one is named, and not set.
    """
    from .secrets import find_key
    from .settings import KEYS

    parts = {"reader": settings.reader, "editor": settings.editor}
    return {
        name: find_key(part.key_variable or KEYS[name], KEYS[name]) for name, part in parts.items() if part is not None
    }
