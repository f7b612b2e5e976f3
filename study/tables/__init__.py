"""The tables of a study: each a function of its results, `None` where there is nothing to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from g2u.study.results import Results
from g2u.study.table import Table
from g2u.study.tables.alignment import alignment
from g2u.study.tables.arms import arms
from g2u.study.tables.fidelity import fidelity
from g2u.study.tables.flips import flips
from g2u.study.tables.gate import gate, reliability
from g2u.study.tables.groups import groups
from g2u.study.tables.ladder import ladder, ladder_fit
from g2u.study.tables.regret import regret, regret_items
from g2u.study.tables.rounds import rounds, transitions
from g2u.study.tables.selection import selection
from g2u.study.tables.transfer import edits, transfer

TABLES: Mapping[str, Callable[[Results], Table | None]] = {
    "arms": arms,
    "groups": groups,
    "transfer": transfer,
    "edits": edits,
    "regret": regret,
    "regret_items": regret_items,
    "alignment": alignment,
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
