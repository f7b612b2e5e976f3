"""Several models asked the same: each has a study of its own in a folder named after it, side by side in one folder.

Nothing of one model can so be taken for another's: results, drawings, identity and what is refused are of its folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from g2u.errors import StudyError
from g2u.models.registry import model_entry

from .folder import HEADER

REPORT = "report"
"""Of all of them, beside their folders."""


def model_folders(folder: Path, models: Sequence[str], weights: str | None = None) -> dict[Path, dict[str, str]]:
    """Where the study of each model lies, and what it changes in what is asked.

    Args:
        folder: Of one study, or of one for each model; it stays as it is.
        models: `KEY` or `KEY=WEIGHTS` each. None for those that are there; one is asked in `folder` itself, unless that
            holds studies of several.
        weights: Of the one model that is named, or of the folder's own.

    Raises:
        StudyError: The folder holds one study where several were named, two models would share a folder, or `weights`
            were given beside several.
        UnknownNameError: There is no such model.
    """
    there = studies_in(folder)
    if len(models) < 2 and not there:
        changes = _changes(models[0]) if models else {}
        return {folder: changes | ({"weights": weights} if weights is not None else {})}
    if weights is not None:
        raise StudyError("Weights of several models cannot be one folder.", "Name them as `--model KEY=FOLDER`.")
    if (folder / HEADER).exists():
        raise StudyError(f"{str(folder)!r} holds the study of one model.", "Name a new folder for several.")
    if not models:
        return {place: {} for place in there}
    found: dict[Path, dict[str, str]] = {}
    for one in models:
        changes = _changes(one)
        model_entry(changes["model"])
        place = folder / folder_name(**changes)
        if place in found:
            hint = "Name each model once; give folders of weights that end alike other names."
            raise StudyError(f"Two of the models would have the folder {place.name!r}.", hint)
        found[place] = changes
    return found


def folder_name(model: str, weights: str = "") -> str:
    """The name of a model's folder beside those of others: its key, with the last part of its weights' folder."""
    name = f"{Path(model.partition(':')[0]).stem}-{Path(weights).name}" if weights else model
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")


def studies_in(folder: Path) -> list[Path]:
    """Folders of studies that lie in a folder, by name."""
    return sorted(path.parent for path in folder.glob(f"*/{HEADER}"))


def _changes(named: str) -> dict[str, str]:
    model, equals, weights = named.partition("=")
    changes: Mapping[str, str] = {"weights": weights} if equals else {}
    return {"model": model, **changes}
