"""The engines of this process: one for each model and folder of weights."""

from __future__ import annotations

import os
import threading
from functools import partial

from ..files import settled_path
from ..models.registry import load_model, model_entry
from .engine import Engine

_ENGINES: dict[tuple[str, str], Engine] = {}
_LOCK = threading.Lock()
# A forked process must not find it held by a thread that it does not have.
os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


def get_engine(key: str = "mini", weights: str = "") -> Engine:
    """The engine of a model in this process; made on the first call, and again after it was closed.

    Args:
        key: Of the model registry, or as given to `register_engine`.
        weights: Folder of weights; empty for the model's own.

    Raises:
        UnknownNameError: There is no such model.
    """
    place = _place(weights)
    with _LOCK:
        engine = _ENGINES.get((key, place))
        if engine is None or engine.closed:
            model_entry(key)
            engine = _ENGINES[key, place] = Engine(partial(load_model, key, place))
        return engine


def engines() -> dict[tuple[str, str], Engine]:
    """The engines of this process that are not closed, by key and folder of weights."""
    with _LOCK:
        return {place: engine for place, engine in _ENGINES.items() if not engine.closed}


def register_engine(key: str, engine: Engine, weights: str = "") -> None:
    """Let `get_engine(key, weights)` find an engine of your own, in the place of any other."""
    with _LOCK:
        _ENGINES[key, _place(weights)] = engine


def _place(weights: str) -> str:
    """One name for a folder however it is written, so that its weights are loaded once."""
    return str(settled_path(weights)) if weights else ""
