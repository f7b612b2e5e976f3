"""What an analysis used: how much each arm was asked, and what of that there is."""

from __future__ import annotations

from ..running.results import Results
from .cells import counted, sentences
from .table import Column, Table, Value

COLUMNS = (
    Column("arm", "arm"),
    Column("items", "items", "count", about="Asked, those in other words among them."),
    Column("seeds", "seeds", "count", about="Asked, of an item at most."),
    Column("asked", "asked", "count", about="Answers that are to be had."),
    Column("used", "used", "count", about="Answers that the tables rest on, failures among them."),
    Column("left_out", "left out", "count", about="Questions that are none for the arm."),
    Column("unscored", "not scored", "count", about="Answers without a value yet."),
    Column("missing", "missing", "count", about="Answers that were not had yet."),
    Column("why", "why not asked", about="What the model lacks; empty for an arm that was asked."),
)


def used(results: Results) -> Table | None:
    """Every arm of a study with how much of it there is, those that the model cannot be asked among them."""
    had: dict[str, list[tuple[bool, bool]]] = {}
    for line in results.lines:
        had.setdefault(line.arm, []).append((bool(line.left_out), bool(line.unscored)))
    rows: list[dict[str, Value]] = []
    for arm, asked in results.asked.items():
        lines = had.get(arm, [])
        left_out, unscored = (sum(line[place] for line in lines) for place in (0, 1))
        rows.append(
            {
                "arm": arm,
                "items": len({item for item, _ in asked}),
                "seeds": len({seed for _, seed in asked}),
                "asked": len(asked),
                "used": len(lines) - left_out - unscored,
                "left_out": left_out,
                "unscored": unscored,
                "missing": len(asked) - len(lines),
                "why": results.header.skipped.get(arm, ""),
            }
        )
    items = sum(not item.paraphrase_of for item in results.items.values())
    told = [f"{counted(len(results.arms), 'arm')}", counted(items, "item"), counted(results.header.study.seeds, "seed")]
    ragged = "Arms differ in what they were asked; two are compared on the items and seeds that both have."
    about = sentences(
        f"The tables rest on {', '.join(told[:-1])} and {told[-1]}.",
        "Arms differ in what they were asked; two are compared on the items and seeds that both have."
        if ragged
        else "",
    )
    return Table("used", "What was used", about, COLUMNS, rows) if rows else None
