"""What a study found in plain words: what a reader must know before any number, and one paragraph on what came out.

Every figure is one of the tables', none is computed here; what the study cannot say is left out.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from ..running.results import Results
from ..statistics import ALPHA
from ..tables.choices import REFERENCES, choosing_arms, gold_arm, head
from ..tables.table import Kind, Table, Value, counted, show

Row = Mapping[str, Value]


def notes(results: Results) -> list[str]:
    """What a reader must know before any number, a sentence or two each."""
    asked, found = results.expected, len(results.lines)
    failed = sum(bool(line.error) for line in results.lines)
    left_out = sum(bool(line.left_out) for line in results.lines)
    skipped, arms = results.header.skipped, len(results.header.study.arms)
    told = []
    if lacking := results.missing:
        command = f"g2u study run --out {shlex.quote(str(results.folder))}"
        told.append(
            f"This study is not finished: {asked - lacking:,} of {asked:,} answers are there. `{command}` goes on."
        )
    if failed:
        told.append(f"{failed:,} of {found:,} answers failed; a failure counts as wrong.")
    if left_out:
        told.append(f"{left_out:,} of {found:,} were left out, as the item is none for the arm; each says why.")
    for name, faults in results.header.passed_over.items():
        rows = f"{counted(len(faults), 'row')} of {name}"
        told.append(f"{rows} could not be asked, and are in no figure. The first: {faults[0]}")
    if skipped:
        reasons: dict[str, list[str]] = {}
        for arm, reason in skipped.items():
            reasons.setdefault(reason, []).append(arm)
        why = " ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
        of = sum(number for _, number in results.unasked.values())
        told.append(f"{len(skipped)} of {counted(arms, 'arm')} could not be asked, of {counted(of, 'answer')}. {why}")
    return told


def summary(results: Results, tables: Mapping[str, Table]) -> str:
    """One paragraph: what imagining gains, whether the choice is more than chance, what the verdict and all of it cost.

    It is about the arm that picks as the model was taught, `self`, or the first one that picks at all.

    Args:
        results: An unfinished study has a paragraph too; `notes` say that it is unfinished.
        tables: By name; those that are not there leave their sentences out.
    """
    choosing = [arm for arm in choosing_arms(results) if head(arm) not in REFERENCES and results.by_arm[arm.name]]
    if not choosing:
        return ""
    arm = next((arm for arm in choosing if head(arm) == "self"), choosing[0]).name
    told = (make(results, tables, arm) for make in (_gain, _choice, _verdict, _cost, _seeds))
    return " ".join(sentence for part in told for sentence in part)


def _gain(results: Results, tables: Mapping[str, Table], arm: str) -> Iterator[str]:
    row = _row(tables, "arms", arm)
    gain, p = row.get("gain"), row.get("p_holm")
    if gain is None or p is None:
        return
    if float(p) >= ALPHA:
        shown = f"{_figure(row, 'gain', 'points')}, corrected p {show(p, 'probability')}"
        yield f"Whether {arm!r} gains anything over the original alone is not shown: {shown}."
        return
    more, shown = "more" if float(gain) > 0 else "fewer", _figure(row, "gain", "points", signs=False)
    told = f"{shown} {more} of the answers are right with {arm!r} than from the original alone"
    if (gold := gold_arm(results)) and row.get("of_gold") is not None:
        told += f"; that is {_figure(row, 'of_gold', 'percent')} of what the edits known to help gain ({gold.name!r})"
    yield f"{told}."


def _choice(results: Results, tables: Mapping[str, Table], arm: str) -> Iterator[str]:
    chance = next((one.name for one in choosing_arms(results) if head(one) == "random"), "")
    for table, key, what in _FITTING:
        own, other = _row(tables, table, arm), _row(tables, table, chance)
        if own.get(key) is not None:
            told = f"It first picks {what} for {_figure(own, key, 'percent')} of the items"
            if other.get(key) is not None:
                told += f", and chance ({chance!r}) for {_figure(other, key, 'percent')}"
            yield f"{told}."
            return


def _verdict(results: Results, tables: Mapping[str, Table], arm: str) -> Iterator[str]:
    row = _row(tables, "gate", arm)
    worth, low, high = (row.get(key) for key in ("worth", "worth_low", "worth_high"))
    if worth is None or low is None or high is None:
        return
    against = f"against keeping them all ({row['unjudged']!r})"
    if float(low) <= 0 <= float(high):
        did, shown = "is not shown to gain or to cost answers", _figure(row, "worth", "points")
        yield f"Judging its own drawings {did}, {against}: {shown}."
    else:
        did, shown = "gained" if float(worth) > 0 else "cost", _figure(row, "worth", "points", signs=False)
        yield f"Judging its own drawings {did} {shown} of right answers {against}."


def _cost(results: Results, tables: Mapping[str, Table], arm: str) -> Iterator[str]:
    row = _row(tables, "costs", arm)
    if row.get("seconds") is None:
        return
    drawings, tokens, seconds = (show(row[key], kind) for key, kind in _COSTS.items())
    told = f"An answer of it took {drawings} drawings, {tokens} written tokens and {seconds} s of the model's own time"
    if row.get("times") is not None:
        told += f", {show(row['times'], 'number')} times that of a direct one"
    yield f"{told}."


def _seeds(results: Results, tables: Mapping[str, Table], arm: str) -> Iterator[str]:
    row = _row(tables, "seeds", arm)
    if row.get("same_answer") is not None:
        told = f"to {_figure(row, 'same_answer', 'percent')} of the items that have several"
        yield f"Seeds are repeats of an item, not evidence: {told} it gave the same answer with all of them."


_FITTING = (
    ("alignment", "agreement", "an edit that is known to help"),
    ("regret", "zero", "the best edit of all, or one as good,"),
)
"""Tables and columns that tell how far a choice fits, the best one first, with what they count."""
_COSTS: Mapping[str, Kind] = {"drawings": "number", "tokens": "number", "seconds": "seconds"}


def _row(tables: Mapping[str, Table], name: str, arm: str) -> Row:
    """The row of an arm; empty where there is none."""
    return next((row for row in tables[name].rows if row["arm"] == arm), {}) if name in tables else {}


def _figure(row: Row, key: str, kind: Kind, *, signs: bool = True) -> str:
    """A figure of a row with its interval, in words; without signs after words that tell them."""
    found = (row[key], *(row.get(f"{key}_{bound}") for bound in ("low", "high")))
    values = [float(value) for value in found if value is not None]
    if not signs:
        values = [values[0], *sorted(values[1:], key=abs)]
    middle, *bounds = [show(value, kind).lstrip("" if signs else "+-") for value in values]
    unit = " %" if kind == "percent" else " points"
    return f"{middle}{unit} ({' to '.join(bounds)})" if bounds else f"{middle}{unit}"
