"""The models that G2U knows by name; none is imported before it is loaded."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import cast

from g2u.errors import UnknownNameError
from g2u.models.protocol import UnifiedModel


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """How a model is listed and loaded."""

    key: str
    """The name that a user gives."""
    title: str
    """What it is, in one line."""
    loader: str
    """`module:function`; called as `function(weights=FOLDER)`, an empty folder meaning the model's own weights."""


_ENTRIES = (
    ModelEntry(
        key="mini",
        title="The embedded model: a small unified transformer, trained in the picture world, for any laptop",
        loader="g2u.models.mini:load",
    ),
)

MODELS: dict[str, ModelEntry] = {entry.key: entry for entry in _ENTRIES}
"""Every model, by key."""


def model_entry(key: str) -> ModelEntry:
    """Look a model up.

    Raises:
        UnknownNameError: There is none of that key.
    """
    if key not in MODELS:
        raise UnknownNameError("model", key, MODELS, "g2u models")
    return MODELS[key]


def load_model(key: str, weights: str = "") -> UnifiedModel:
    """Import a model's code and load its weights; use `g2u.engine.get_engine` to share one per process.

    Args:
        key: Registry key.
        weights: Folder of weights; empty for the model's own.

    Raises:
        UnknownNameError: There is no such model.
        WeightsError: The weights are missing or damaged.
    """
    module, function = model_entry(key).loader.split(":")
    return cast(UnifiedModel, getattr(importlib.import_module(module), function)(weights=weights))
