"""Replay: arms that read the very same drawings, and differ in how alone, such as from a fresh or a shared state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from g2u.loop.rounds import is_kept
from g2u.state import Fusion

from ..grid.arms import Arm
from ..grid.records import Line
from ..running.results import Results
from .choices import twin
from .pairing import difference, share
from .table import Column, Table, Value, cells, counted, ranged, sentences

FRESH: Fusion = "concat"
BESIDE: Mapping[Fusion, Sequence[Fusion]] = {"continued": (FRESH, "latent")}
"""What a fusion is held against; any other against `FRESH`."""

COLUMNS = (
    Column("arm", "arm"),
    Column("fusion", "fusion", about="How it reads its drawings."),
    Column("other", "beside", about="Arm that differs in the fusion alone."),
    Column("other_fusion", "its fusion"),
    Column("n", "items", "count", about="With an answer of both after the same drawings, pixel by pixel."),
    ranged("accuracy", "right, %", "percent", "On these items."),
    ranged("other_accuracy", "right beside, %", "percent", "Of the other arm, on these items."),
    ranged("difference", "difference", "points", "Of the arm over the other one: what the way of reading makes."),
    Column("fixed", "fixed", "count", about="Items with a higher score than in the other arm."),
    Column("broken", "broken", "count", about="Items with a lower one."),
    Column("p", "p", "probability", about="Exact test of the difference, not corrected for the number of rows."),
    Column("undrawn", "without a drawing", "count", about="Pairs of answers in which neither arm has a thought."),
    Column("unlike", "with others", "count", about="Pairs whose drawings differ, or of which an answer failed."),
)


def replay(results: Results) -> Table | None:
    """Each arm beside its twin of another fusion; `None` where there is no such pair."""
    pairs = [
        (arm, other)
        for arm in results.arms
        for fusion in BESIDE.get(arm.fusion, (FRESH,))
        if arm.fusion != fusion and (other := twin(results, arm, fusion=fusion))
    ]
    rows = [_row(results, arm, other) for arm, other in pairs]
    unlike = sum(int(row["unlike"] or 0) for row in rows)
    about = sentences(
        "Arms that differ in their fusion alone, on the items on which both read the very same drawings, so that a "
        "difference is of the reading and of nothing else. `continued` reads on from the state in which the drawing "
        "was made, `concat` reads picture and drawing afresh, and `latent` does so in the drawer's view: against it, "
        "what `continued` has more is the instruction and the state after it.",
        f"{counted(unlike, 'pair')} with other drawings, or a failure: in no row." if unlike else "",
    )
    return Table("replay", "Replay", about, COLUMNS, rows) if rows else None


def _row(results: Results, arm: Arm, other: Arm) -> dict[str, Value]:
    found: dict[str, list[tuple[float, float]]] = {}
    undrawn = unlike = 0
    for line in results.by_arm[arm.name]:
        beside = results.by_key.get((other.name, line.item, line.seed))
        if beside is None or beside.left_out or line.unscored or beside.unscored:
            continue
        own, others = _read(line), _read(beside)
        if line.error or beside.error or own != others:
            unlike += 1
        elif not own:
            undrawn += 1
        else:
            found.setdefault(line.item, []).append((line.score, beside.score))
    scores = {item: (fmean(one for one, _ in pairs), fmean(two for _, two in pairs)) for item, pairs in found.items()}
    gain = difference(results, scores)
    return {
        "arm": arm.name,
        "fusion": arm.fusion,
        "other": other.name,
        "other_fusion": other.fusion,
        "n": len(scores),
        **cells("accuracy", share(results, {item: one for item, (one, _) in scores.items()})),
        **cells("other_accuracy", share(results, {item: two for item, (_, two) in scores.items()})),
        **cells("difference", gain),
        "fixed": gain.fixed if gain else None,
        "broken": gain.broken if gain else None,
        "p": gain.p if gain else None,
        "undrawn": undrawn,
        "unlike": unlike,
    }


def _read(line: Line) -> list[tuple[str, str]]:
    """The thoughts that an answer rests on, each with the picture that it was drawn on."""
    return [(turn.source.sha256, turn.thought.sha256) for turn in line.rounds if turn.thought and is_kept(turn)]
