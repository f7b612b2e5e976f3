"""What comes after the first round: whether arms choose anew, and what the second drawing brings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from g2u.edits.library import NONE

from ..grid.records import Line
from ..running.results import Results
from ..statistics import proportion
from .choices import choosing_arms, twin
from .pairing import Pairing, arm_pairs, difference
from .table import Column, Table, Value, cells, ranged, sentences


def rounds(results: Results) -> Table | None:
    """How each choosing arm went on after its first thought; `None` where none did."""
    pairing = Pairing.of(results)
    rows: list[dict[str, Value]] = []
    for arm in choosing_arms(results):
        lines = results.by_arm[arm.name]
        seconds = _went_on(lines)
        if not seconds:
            continue
        items = [results.cluster(line.item) for line in seconds]
        changes = [_change(line) for line in seconds]
        drew = {line.item for line in seconds if line.rounds[1].thought is not None}
        short = twin(results, arm, rounds=1)
        gained = difference(results, arm_pairs(results, arm.name, short.name), drew) if short else None
        rows.append(
            {
                "arm": arm.name,
                "n": len(seconds),
                "share": len(seconds) / len(lines),
                **cells("stopped", proportion([change == "stopped" for change in changes], items)),
                **cells("repeated", proportion([change == "repeated" for change in changes], items)),
                **cells("changed", proportion([change == "changed" for change in changes], items)),
                "drew": len(drew),
                **cells("gain", pairing.gain(arm.name, drew)),
                "one_round": short.name if short else None,
                **cells("second_gain", gained),
            }
        )
    columns = (
        Column("arm", "arm"),
        Column("n", "went on", "count", about="Answers with a second decision."),
        Column("share", "of all, %", "percent"),
        ranged("stopped", "stopped, %", "percent", "Second choice: `none`."),
        ranged("repeated", "repeated, %", "percent", "Second choice: the same edit, with other noise or on a thought."),
        ranged("changed", "changed, %", "percent", "Second choice: another edit."),
        Column("drew", "items with a second thought", "count"),
        ranged("gain", "gain", "points", "Over direct, on the items with a second thought."),
        Column("one_round", "one round", about="Arm that differs in having one round."),
        ranged("second_gain", "gain of the second", "points", "Over that arm, on the items with a second thought."),
    )
    about = sentences(
        "Second choices beside first ones. What the second round itself brings is seen against an arm that differs "
        "in having one round, where the study has it, on items that the arm itself took a second thought about.",
        pairing.about,
    )
    return Table("rounds", "Second rounds", about, columns, rows) if rows else None


def transitions(results: Results) -> Table | None:
    """How often each first choice was followed by each second one; `None` where there was no second."""
    rows: list[dict[str, Value]] = []
    for arm in choosing_arms(results):
        seconds = _went_on(results.by_arm[arm.name])
        pairs = Counter((line.rounds[0].decision.edit, line.rounds[1].decision.edit) for line in seconds)
        firsts = Counter(line.rounds[0].decision.edit for line in seconds)
        rows += [
            {"arm": arm.name, "first": first, "second": second, "n": n, "share": n / firsts[first]}
            for (first, second), n in sorted(pairs.items(), key=lambda entry: -entry[1])
        ]
    columns = (
        Column("arm", "arm"),
        Column("first", "first"),
        Column("second", "second"),
        Column("n", "answers", "count"),
        Column("share", "of the first, %", "percent"),
    )
    about = "First choices and the second ones that followed them, the most frequent first."
    return Table("transitions", "From first to second choices", about, columns, rows) if rows else None


def _went_on(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if len(line.rounds) > 1 and not line.error]


def _change(line: Line) -> str:
    first, second = line.rounds[0].decision.edit, line.rounds[1].decision.edit
    return "stopped" if second == NONE else "repeated" if second == first else "changed"
