"""How a model in a worker process is named: by a loader that is made here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ...extensions import settled_place
from ..entries import Loader
from ..protocol import UnifiedModel


def worker_loader(python: str | Path, place: str) -> Loader:
    """A loader whose model runs in a process of its own, with another Python and its packages.

    The model is written as for this process, but needs nothing of G2U: see `docs/own-model.md`.

    Args:
        python: The other Python, such as `.venv-old/bin/python`; it has Pillow.
        place: Of the function that loads the model there, `package.module:function` or `path/to/file.py:function`.

    Example:
        `load = worker_loader(".venv-old/bin/python", "old_model.py:load")`
    """
    # A virtual environment's Python is a link, so the path is not resolved.
    named = os.path.expanduser(python)
    found = os.path.abspath(named) if os.sep in named else shutil.which(named) or named

    def load(weights: str = "") -> UnifiedModel:
        from .model import WorkerModel

        return WorkerModel(found, settled_place(place), weights)

    return load
