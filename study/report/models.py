"""Several models beside each other: one table over the studies of a folder, and its page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from g2u.files import write_atomic

from ..running.model_folders import REPORT
from ..running.results import Results
from ..tables.arms import arms
from ..tables.table import Column, Table, Value, ranged, sentences
from .page import render_models

_EDITS = {"native": "edits", "reimagine": "reimaginings", "none": "none"}
"""How drawings come about, as the table says it."""
_COLUMNS = (
    Column("name", "model: arm"),
    Column("model", "model", about="Its folder, beside those of the others."),
    Column("arm", "arm"),
    Column("drawings", "drawings", about="Edits of the picture itself, or reimaginings of what was read of it."),
    Column("n", "items", "count", about="Items answered, failures among them."),
    ranged("accuracy", "right, %", "percent", "Share of right answers, mean over seeds; a failure is wrong."),
    ranged("gain", "gain", "points", "Right answers more than the same model's direct ones, on the items of both."),
    ranged("of_gold", "of gold's, %", "percent", "That gain as a share of what the edits known to help gain."),
    Column("failed", "failed", "count", about="Answers that failed; scored as wrong."),
    Column("weights", "weights", about="SHA-256 that names them, its first digits."),
)


def models_table(studies: Mapping[str, Results]) -> Table:
    """Every arm of every model in a row.

    Args:
        studies: By the name of the folder of each.
    """
    rows: list[dict[str, Value]] = []
    kept = [key for column in _COLUMNS for key in (column.key, column.low, column.high) if key]
    for name, results in studies.items():
        header = results.header
        own = {"model": name, "drawings": _EDITS[header.edits], "weights": header.model.weights[:12]}
        table = arms(results)
        for row in table.rows if table else ():
            rows.append({key: row.get(key) for key in kept} | own | {"name": f"{name}: {row['arm']}"})
    asked = {results.header.items for results in studies.values()}
    about = sentences(
        "Each model against its own direct answers; two of them item by item: `g2u study compare A B`.",
        "Not all of them were asked the same items." if len(asked) > 1 else "All were asked the same items.",
    )
    return Table("models", "Models", about, _COLUMNS, rows)


def write_models(folder: Path, studies: Mapping[str, Results], table: Table) -> Path:
    """Write the page of several models to `report/index.html` in the folder that holds theirs.

    Raises:
        OutputError: The folder cannot be written to.
    """
    path = folder / REPORT / "index.html"
    write_atomic(path, render_models(folder, studies, table).encode())
    return path
