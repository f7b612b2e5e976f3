"""`--set NAME=VALUE`: settings of a model's own sampler on the command line."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from ..errors import SettingError

VALUES = typer.Option(
    "--set", metavar="NAME=VALUE", help="A setting of the model's own sampler, such as cfg_text=4; once for each."
)
"""The option."""


def values_of(given: Sequence[str]) -> dict[str, bool | int | float | str]:
    """Names and values; a value stays a text, since only the model knows its type.

    Raises:
        SettingError: One has no equals sign or no name, or comes twice.
    """
    values: dict[str, bool | int | float | str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            raise SettingError(f"`--set` takes NAME=VALUE, not {one!r}.", "Write `--set cfg_text=4`.")
        if name.strip() in values:
            raise SettingError(f"`--set` was given twice for {name.strip()!r}.", "Give it once.")
        values[name.strip()] = value.strip()
    return values
