"""The same answers by several kits, side by side: what each makes of them, and where they differ."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..rows import Row
from .scored import Item, Scored


@dataclass(frozen=True)
class Difference:
    """One row of which kits think differently."""

    index: str
    answer: str
    """The right one, as the benchmark has it."""
    prediction: str
    items: Mapping[str, Item]
    """By kit."""


def differences(rows: Sequence[Row], predictions: Mapping[str, str], scored: Mapping[str, Scored]) -> list[Difference]:
    """The rows that are worth something else to one kit than to another, in their order.

    What waits for a judge is left out: it has no value yet.
    """
    by_kit = {
        kit: {item.index: item for item in found.items if not item.unjudged}
        for kit, found in scored.items()
        if found.metrics
    }
    told = []
    for row in rows:
        items = {kit: items[row.index] for kit, items in by_kit.items() if row.index in items}
        if len({item.hit for item in items.values()}) > 1:
            told.append(Difference(row.index, row.cells.get("answer", ""), predictions[row.index], items))
    return told


def odd_rows(rows: Sequence[Row]) -> list[str]:
    """Sentences about rows that no answer can be right for."""
    labels = [label for label in string.ascii_uppercase if any(row.cells.get(label) for row in rows)]
    blank = [row.index for row in rows if not row.cells.get("answer", "").strip()]
    bare = [row.index for row in rows if labels and not any(row.cells.get(label) for label in labels)]
    outside = [
        row.index
        for row in rows
        if row.cells.get("answer", "") in string.ascii_uppercase and not row.cells.get(row.cells.get("answer", "A"))
        if row.index not in blank and row.index not in bare and labels
    ]
    said = {"no answer": blank, "no options": bare, "an answer that is none of their options": outside}
    return [
        f"{len(found):,} rows have {what}, the first is {found[0]!r}; no reply to them is right."
        for what, found in said.items()
        if found
    ]


def as_record(found: Scored) -> dict[str, Any]:
    """All of a score but its items, for JSON."""
    return {
        "rule": found.rule,
        "main": dict(found.main),
        "metrics": found.metrics,
        "groups": dict(found.groups),
        "answers": len(found.items),
        "unparsed": found.unparsed,
        "unjudged": found.unjudged,
        "missing": list(found.missing),
        "strange": list(found.strange),
        "problem": found.problem,
    }
