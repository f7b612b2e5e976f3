"""The models that G2U knows: its own, those of installed packages and of this process.

None is imported before it is loaded. A model may also be named by the place of its loader, `package.module:load` or
`path/to/file.py:load`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ..errors import ExtensionError, G2UError, SettingError, UnknownNameError
from ..extensions import FORM, find_function, find_installed, installed, is_place
from .checks import Check
from .contract import check_model
from .protocol import UnifiedModel

GROUP: Final = "g2u.models"
"""Of the entry points by which an installed package brings a model."""

Loader = Callable[..., UnifiedModel]
"""Called as `load(weights=FOLDER)`, an empty folder meaning the model's own weights."""


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """How a model is listed and loaded."""

    key: str
    """The name that a user gives."""
    title: str
    """What it is, in one line."""
    loader: str | Loader
    """A `Loader`, or its place; empty for that of the entry point of the same name."""
    examiner: str = ""
    """Place of a `g2u.models.checks.Examiner`; empty where loading it is the test."""


_ENTRIES = (
    ModelEntry(
        key="mini",
        title="The embedded model: a small unified transformer, trained in the picture world, for any laptop",
        loader="g2u.models.mini.load:load",
    ),
    ModelEntry(
        key="bagel",
        title="BAGEL-7B-MoT from its official files (`--weights DIR`): reads, draws and edits; for a GPU of 48 GB",
        loader="g2u.models.bagel.load:load",
        examiner="g2u.models.bagel.needs:examine",
    ),
    ModelEntry(
        key="bagel-float8",
        title="The same with its drawing expert rounded to eight bits: draws faster, and a little differently",
        loader="g2u.models.bagel.load:load_float8",
        examiner="g2u.models.bagel.needs:examine",
    ),
    ModelEntry(
        key="thinkmorph",
        title="ThinkMorph-7B, a BAGEL trained to think in pictures, from its official files (`--weights DIR`)",
        loader="g2u.models.bagel.load:load_thinkmorph",
        examiner="g2u.models.bagel.needs:examine",
    ),
    ModelEntry(
        key="remote",
        title="Servers that read and draw, in OpenAI's form, from the environment or a YAML file (`--weights FILE`)",
        loader="g2u.models.remote.load:load",
        examiner="g2u.models.remote.needs:examine",
    ),
    ModelEntry(
        key="pair",
        title="A reader of transformers with an editing pipeline of diffusers, from a YAML file (`--weights FILE`)",
        loader="g2u.models.pair.load:load",
        examiner="g2u.models.pair.needs:examine",
    ),
)

MODELS: Mapping[str, ModelEntry] = {entry.key: entry for entry in _ENTRIES}
"""Every model that comes with G2U, by key."""
_REGISTERED: dict[str, ModelEntry] = {}


def models() -> dict[str, ModelEntry]:
    """Every model by key: those of G2U, of installed packages, and those that were registered in this process."""
    brought = {
        key: ModelEntry(key=key, title=f"Of an installed package: {place}", loader="")
        for key, place in installed(GROUP).items()
    }
    return {**brought, **_REGISTERED, **MODELS}


def add_model(key: str, load: Loader, title: str = "") -> None:
    """Let a key stand for a model of this process; see `g2u.register_model`."""
    if not key or not callable(load) or key in MODELS or is_place(key):
        message = f"A model of your own cannot be called {key!r} and loaded with {load!r}."
        raise SettingError(message, f"Give a key that is none of {', '.join(MODELS)}, and a function.")
    _REGISTERED[key] = ModelEntry(key=key, title=title or "Registered in this process", loader=load)


def model_entry(key: str) -> ModelEntry:
    """Look a model up; of a place, whether there is something is found out when it is loaded.

    Raises:
        UnknownNameError: There is none of that key.
    """
    entry = MODELS.get(key) or _REGISTERED.get(key)
    if entry:
        return entry
    if is_place(key):
        return ModelEntry(key=key, title="Your own", loader=key)
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
