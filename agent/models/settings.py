"""Values of a sampler that are a model's own: each with a name, a type and a range, as the model declares them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import SettingError, UnknownNameError

Value = bool | int | float | str
"""What a setting may be; its type is that of its default."""

_TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_TRUTHS = {"true": True, "on": True, "false": False, "off": False}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One value of a model's sampler that a user may set."""

    default: Value
    """What it is unless told otherwise, and of which type."""
    about: str = ""
    """What it does, in one line."""
    least: float | None = None
    """Of a number; `None` for no bound."""
    most: float | None = None
    """Of a number; `None` for no bound."""
    choices: tuple[str, ...] = ()
    """Of a text; empty for any."""
    reads: bool = False
    """Whether it is about how pictures are read, so that `extend` is given it, too."""

    @property
    def expected(self) -> str:
        """What may be given, as the end of a sentence."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        bounds = [f"at least {self.least:g}" if self.least is not None else ""]
        bounds += [f"at most {self.most:g}" if self.most is not None else ""]
        return ", ".join([_TYPES[type(self.default)], *filter(None, bounds)])

    def take(self, given: Value) -> Value:
        """A value in the type of this setting; a text, as the command line has it, is read.

        Raises:
            ValueError: It is of another type, or out of range.
        """
        kind = type(self.default)
        value: Value
        if kind is bool:
            value = _TRUTHS[given.lower()] if isinstance(given, str) and given.lower() in _TRUTHS else given
        elif isinstance(given, bool) or (kind is int and isinstance(given, float) and not given.is_integer()):
            raise ValueError
        else:
            value = kind(given)
        wrong = type(value) is not kind or (self.choices and value not in self.choices)
        if isinstance(value, int | float) and kind is not bool:
            least, most = (
                (-math.inf if self.least is None else self.least),
                (math.inf if self.most is None else self.most),
            )
            wrong = wrong or not (math.isfinite(value) and least <= value <= most)
        if wrong:
            raise ValueError
        return value


def settled_values(
    settings: Mapping[str, Setting], preset: Mapping[str, Value], given: Mapping[str, Value], model: str
) -> dict[str, Value]:
    """All settings of a sampler, in the order in which the model declares them.

    Args:
        settings: Those that there are.
        preset: Values of the preset, in the place of defaults.
        given: What the user wants, in the place of both.
        model: Key of the model, for errors.

    Raises:
        UnknownNameError: The model has no such setting.
        SettingError: A value is of the wrong type or out of range, or the model has no settings at all.
    """
    values = {name: preset.get(name, setting.default) for name, setting in settings.items()}
    for name, value in given.items():
        if not settings:
            message = f"The sampler of {model!r} has no settings of its own, so {name!r} cannot be set."
            raise SettingError(message, "Leave it out.")
        if name not in settings:
            raise UnknownNameError(f"setting of the sampler of {model!r}", name, settings)
        try:
            values[name] = settings[name].take(value)
        except ValueError as error:
            message = f"The setting {name!r} of {model!r} cannot be {value!r}: expected {settings[name].expected}."
            raise SettingError(message) from error
    return values
