"""The models that G2U knows: its own, those of installed packages and of this process.

None is imported before it is loaded. A model may also be named by the place of its loader, `package.module:load` or
`path/to/file.py:load`.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ..errors import ExtensionError, G2UError, SettingError, UnknownNameError
from ..extensions import FORM, find_function, find_installed, installed, is_place
from .checks import Check
from .contract import check_model
from .entries import ENTRIES, Loader, ModelEntry
from .protocol import UnifiedModel

GROUP: Final = "g2u.models"
"""Of the entry points by which an installed package brings a model."""

MODELS: Mapping[str, ModelEntry] = {entry.key: entry for entry in ENTRIES}
"""Every model that comes with G2U, by key."""
_REGISTERED: dict[str, ModelEntry] = {}


def models() -> dict[str, ModelEntry]:
    """Every model by key: those of G2U, of installed packages, and those that were registered in this process."""
    brought = {
        key: ModelEntry(key=key, title=f"Of an installed package: {place}", loader="", source="an installed package")
        for key, place in installed(GROUP).items()
    }
    return {**brought, **_REGISTERED, **MODELS}


def add_model(key: str, load: Loader, title: str = "") -> None:
    """Let a key stand for a model of this process; see `g2u.register_model`."""
    if not key or not callable(load) or key in MODELS or is_place(key):
        message = f"A model of your own cannot be called {key!r} and loaded with {load!r}."
        raise SettingError(message, f"Give a key that is none of {', '.join(MODELS)}, and a function.")
    _REGISTERED[key] = ModelEntry(
        key=key, title=title or "Registered in this process", loader=load, source="this process"
    )


def model_entry(key: str) -> ModelEntry:
    """Look a model up; of a place, whether there is something is found out when it is loaded.

    Raises:
        UnknownNameError: There is none of that key.
    """
    entry = MODELS.get(key) or _REGISTERED.get(key)
    if entry:
        return entry
    if is_place(key):
        return ModelEntry(key=key, title="Your own", loader=key, source=key)
    known = models()
    if key not in known:
        raise UnknownNameError("model", key, [*known, *FORM.split(", ")], "g2u models")
    return known[key]


def find_loader(key: str) -> Loader:
    """The function that loads a model.

    Raises:
        UnknownNameError: There is no such model, or its module has no such function.
        ExtensionError: Its module cannot be found or imported, or the function does not take `weights`.
    """
    entry = model_entry(key)
    load = entry.loader
    if isinstance(load, str):
        load = find_function(load) if load else find_installed(GROUP, key)
    try:
        inspect.signature(load).bind(weights="")
    except (TypeError, ValueError) as error:
        message = f"The function of the model {key!r} cannot be called as load(weights=FOLDER): {error}."
        raise ExtensionError(
            message, 'Write `def load(weights: str = "")`; an empty one means its own weights.'
        ) from None
    return load


def load_model(key: str, weights: str = "") -> UnifiedModel:
    """Import a model's code and load its weights; use `g2u.engine.registry.get_engine` to share one per process.

    Args:
        key: Registry key, or a place.
        weights: Folder of weights; empty for the model's own.

    Raises:
        UnknownNameError: There is no such model.
        ExtensionError: Its module cannot be found or imported.
        ProtocolError: What is loaded is no model.
        WeightsError: The weights are missing or damaged.
    """
    # In a notebook without ipywidgets, tqdm warns as soon as the libraries of a model import it, wanted or not.
    warnings.filterwarnings("ignore", "IProgress not found", module=r"tqdm\.")
    model = find_loader(key)(weights=weights)
    check_model(key, model)
    return model


def examine_model(key: str, weights: str = "") -> Iterator[Check]:
    """Look whether a model can run on this machine; one that says nothing of its needs is loaded.

    Args:
        key: Registry key, or a place.
        weights: Folder of weights; empty for the model's own.

    Raises:
        UnknownNameError: There is no such model.
    """
    entry = model_entry(key)
    if entry.examiner:
        examine: Callable[[str, str], Iterator[Check]] = find_function(entry.examiner)
        yield from examine(key, weights)
        return
    try:
        yield Check(name=f"weights of {key}", good=True, found=load_model(key, weights).identity.weights)
    except G2UError as error:
        yield Check(name=f"weights of {key}", good=False, found=str(error))
