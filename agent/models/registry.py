"""The models that G2U knows by name; none is imported before it is loaded."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from ..errors import G2UError, UnknownNameError
from .checks import Check
from .protocol import UnifiedModel


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """How a model is listed and loaded."""

    key: str
    """The name that a user gives."""
    title: str
    """What it is, in one line."""
    loader: str
    """`module:function`; called as `function(weights=FOLDER)`, an empty folder meaning the model's own weights."""
    examiner: str = ""
    """`module:function` of a `g2u.models.checks.Examiner`; empty where loading it is the test."""


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
    """Import a model's code and load its weights; use `g2u.engine.registry.get_engine` to share one per process.

    Args:
        key: Registry key.
        weights: Folder of weights; empty for the model's own.

    Raises:
        UnknownNameError: There is no such model.
        WeightsError: The weights are missing or damaged.
    """
    return cast(UnifiedModel, _find(model_entry(key).loader)(weights=weights))


def examine_model(key: str, weights: str = "") -> Iterator[Check]:
    """Look whether a model can run on this machine; one that says nothing of its needs is loaded.

    Args:
        key: Registry key.
        weights: Folder of weights; empty for the model's own.

    Raises:
        UnknownNameError: There is no such model.
    """
    entry = model_entry(key)
    if entry.examiner:
        yield from _find(entry.examiner)(key, weights)
        return
    try:
        yield Check(name=f"weights of {key}", good=True, found=load_model(key, weights).identity.weights)
    except G2UError as error:
        yield Check(name=f"weights of {key}", good=False, found=str(error))


def _find(place: str) -> Callable[..., Any]:
    module, function = place.split(":")
    return cast(Callable[..., Any], getattr(importlib.import_module(module), function))
