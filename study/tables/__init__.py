"""The tables of a study: each a function of its results, `None` where there is nothing to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..running.results import Results
from .alignment import alignment
from .arms import arms, used
from .chance import seeds, selection
from .clusters import clusters
from .costs import costs
from .fidelity import fidelity
from .flips import flips
from .gate import gate, reliability
from .groups import groups
from .ladder import ladder, ladder_fit
from .readings import readings
from .regret import regret, regret_items
from .replay import replay
from .rounds import rounds, transitions
from .table import Table
from .transfer import edits, transfer

TABLES: Mapping[str, Callable[[Results], Table | None]] = {
    "arms": arms,
    "used": used,
    "readings": readings,
    "clusters": clusters,
    "costs": costs,
    "seeds": seeds,
    "groups": groups,
    "transfer": transfer,
    "edits": edits,
    "regret": regret,
    "regret_items": regret_items,
    "alignment": alignment,
    "replay": replay,
    "rounds": rounds,
    "transitions": transitions,
    "gate": gate,
    "reliability": reliability,
    "fidelity": fidelity,
    "ladder": ladder,
    "ladder_fit": ladder_fit,
    "flips": flips,
    "selection": selection,
}
"""Every table by its name, in the order of a report."""


def make_tables(results: Results) -> dict[str, Table]:
    """All tables that have something to say, by name.

    Raises:
        MissingExtraError: torchmetrics is not installed and there are verdicts to judge.
    """
    made = {name: make(results) for name, make in TABLES.items()}
    return {name: table for name, table in made.items() if table}


__all__ = ["TABLES", "make_tables"]
