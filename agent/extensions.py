"""Functions that come from outside of the package: by a place, or by a name that an installed package brings.

A place is `package.module:function` or `path/to/file.py:function`. A module is looked for as Python does it and then in
the current folder; a file may import what lies beside it. An entry point of an installed package stands for a place.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from .errors import ExtensionError, UnknownNameError
from .files import settled_path

FORM: Final = "package.module:function, path/to/file.py:function"
"""How a place is written, for people."""

_DOTTED: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def is_place(name: str, *, dotted: bool = False) -> bool:
    """Whether a name is written as a place, without looking whether there is one.

    Args:
        name: As a user gave it.
        dotted: Whether a module must lie in a package, where `word:word` means something else.
    """
    home, colon, function = name.rpartition(":")
    if not colon or not function.isidentifier():
        return False
    return home.endswith(".py") or bool(_DOTTED.fullmatch(home) and ("." in home or not dotted))


def is_reachable(name: str) -> bool:
    """Whether there is a module or a file for a place; it is looked for, and not imported."""
    home = name.rpartition(":")[0]
    if not is_place(name) or home.endswith(".py"):
        return is_place(name) and settled_path(home).is_file()
    top = home.partition(".")[0]
    beside = (Path.cwd() / f"{top}.py", Path.cwd() / top)
    try:
        known = importlib.util.find_spec(top) is not None
    except ValueError:  # a module without a spec, such as `__main__`
        known = top in sys.modules
    return known or any(path.exists() for path in beside)


def settled_place(name: str) -> str:
    """A place that means the same from any folder; whatever names no file is left as it is."""
    home, _, function = name.rpartition(":")
    return f"{settled_path(home)}:{function}" if is_place(name) and home.endswith(".py") else name


def find(place: str) -> Any:
    """What stands at a place; imported once per process.

    Raises:
        ExtensionError: There is no such file or module, or it cannot be imported.
        UnknownNameError: It has nothing of that name.
    """
    home, _, name = place.rpartition(":")
    module = _import_file(settled_path(home)) if home.endswith(".py") else _import_module(home)
    if not hasattr(module, name):
        own = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise UnknownNameError(f"function in {home!r}", name, own)
    return getattr(module, name)


def find_function(place: str) -> Callable[..., Any]:
    """As `find`, of a function.

    Raises:
        ExtensionError: As for `find`, or it is something else.
        UnknownNameError: As for `find`.
    """
    found = find(place)
    if not callable(found):
        raise ExtensionError(f"{place!r} is of type {type(found).__name__}, and a function was expected.")
    return cast(Callable[..., Any], found)


@functools.cache
def installed(group: str) -> Mapping[str, str]:
    """What installed packages bring: names to places; looked up once per process.

    Args:
        group: Of entry points, such as `g2u.models`.
    """
    return {name: points[0].value for name, points in _points(group).items()}


def find_installed(group: str, name: str) -> Any:
    """What an entry point stands for.

    Raises:
        ExtensionError: Several packages bring that name, or it cannot be imported.
        UnknownNameError: Its module has nothing of that name.
    """
    places = sorted({point.value for point in _points(group)[name]})
    if len(places) > 1:
        message = f"Several installed packages bring {name!r} in the group {group!r}: {', '.join(places)}."
        raise ExtensionError(message, "Name the one that you mean by its place.")
    return find(places[0])


@functools.cache
def _points(group: str) -> Mapping[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, []).append(point)
    return found


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _unimportable(name, error) from error  # something that it imports is not there
        here = str(Path.cwd())
        if here not in sys.path and error.name == name.partition(".")[0]:
            sys.path.append(here)  # last, so that nothing there takes the place of an installed package
            importlib.invalidate_caches()
            if importlib.util.find_spec(error.name):
                return _import_module(name)
            sys.path.remove(here)
        message = f"There is no module {error.name!r}, neither installed nor in the current folder."
        raise ExtensionError(message, f"Write {' or '.join(FORM.split(', '))}.") from error
    except Exception as error:  # the module's own code, so any
        raise _unimportable(name, error) from error


@functools.cache
def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        near = sorted(other.name for other in path.parent.glob("*.py")) if path.parent.is_dir() else []
        hint = f"In {str(path.parent)!r} there are: {', '.join(near[:8])}." if near else ""
        raise ExtensionError(f"There is no file {str(path)!r}.", hint)
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"  # two files may have one name
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader, "it is a Python file"
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    sys.modules[name] = module  # before it runs, since dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the file's own code, so any
        del sys.modules[name]
        raise _unimportable(str(path), error) from error
    return module


def _unimportable(home: str, error: Exception) -> ExtensionError:
    line = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{error.filename}, line {error.lineno}" if isinstance(error, SyntaxError) else f"{line[0]}, line {line[1]}"
    told = error.msg if isinstance(error, SyntaxError) else error
    run = home if home.endswith(".py") else f"-c 'import {home}'"
    message = f"{home!r} cannot be imported: {type(error).__name__}: {str(told).rstrip('.')} ({where})."
    return ExtensionError(message, f"`python {run}` shows where.")
