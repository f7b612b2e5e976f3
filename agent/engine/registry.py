"""The engines of this process: one for each model and folder of weights."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import Final

from ..errors import G2UError
from ..extensions import settled_place
from ..files import settled_path
from ..models.entries import Loader
from ..models.protocol import UnifiedModel
from ..models.registry import add_model, load_model, model_entry
from .engine import Engine

_PACKAGE: Final = Path(__file__).resolve().parents[1]
"""With the weights that come with it."""
_ENGINES: dict[tuple[str, str], Engine] = {}
_LOCK = threading.Lock()
# A forked process must not find it held by a thread that it does not have.
os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


def get_engine(key: str = "mini", weights: str = "") -> Engine:
    """The engine of a model in this process; made on the first call, and again after it was closed.

    Args:
        key: Of the model registry, or as given to `register_engine`; or the place of a function that loads a model,
            `package.module:load` or `path/to/file.py:load`.
        weights: Folder of weights; empty for the model's own.

    Raises:
        UnknownNameError: There is no such model.
    """
    key, place = settled_place(key), _place(weights)
    with _LOCK:
        engine = _ENGINES.get((key, place))
        if engine is None or engine.closed:
            model_entry(key)
            engine = _ENGINES[key, place] = Engine(partial(_loaded, key, place))
        return engine


def engines() -> dict[tuple[str, str], Engine]:
    """The engines of this process that are not closed, by key and folder of weights."""
    with _LOCK:
        return {place: engine for place, engine in _ENGINES.items() if not engine.closed}


def register_engine(key: str, engine: Engine, weights: str = "") -> None:
    """Let `get_engine(key, weights)` find an engine of your own, in the place of any other."""
    with _LOCK:
        _ENGINES[settled_place(key), _place(weights)] = engine


def register_model(key: str, load: Loader, title: str = "") -> None:
    """Let a key stand for a model of your own in this process; an engine that there is for it is closed.

    Other processes, such as the actors of a study over Ray, do not know it: they find a model by the place of its
    function or by an entry point of the group `g2u.models`.

    Args:
        key: Of your choice; none of those that G2U has.
        load: Called as `load(weights=FOLDER)` on the engine's thread, an empty folder meaning the model's own weights.
        title: What the model is, in one line.

    Raises:
        SettingError: The key is one of G2U's, or `load` is no function.

    Example:
        `register_model("mine", lambda weights="": MyModel(weights))`
    """
    add_model(key, load, title)
    with _LOCK:
        stale = [_ENGINES.pop(place) for place in list(_ENGINES) if place[0] == key]
    for engine in stale:
        engine.close()


def _loaded(key: str, place: str) -> UnifiedModel:
    """A model; why there is none is told to every client that asks for it, and not where its weights are."""
    try:
        return load_model(key, place)
    except G2UError as error:
        error.naming(*([place] if place else []), _PACKAGE)
        raise


def _place(weights: str) -> str:
    """One name for a folder however it is written, so that its weights are loaded once."""
    return str(settled_path(weights)) if weights else ""
