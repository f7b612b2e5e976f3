"""Alignment: do the chosen edits fit the item, do they tell tasks apart, and are they stable under other words?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from g2u.edits.library import NONE

from ..grid.arms import Arm
from ..grid.records import Line
from ..running.results import Results
from ..statistics import Estimate, effective_number, entropy, mutual_information, proportion
from .choices import choosing_arms, edits_made, first_decision, group_names, own_items
from .table import Column, Table, Value, cells, counted, ranged, sentences

Choices = Mapping[tuple[str, int], str]
"""Item and seed to the edit that was chosen first."""


def alignment(results: Results) -> Table | None:
    """Each choosing arm in a row; `None` without such arms."""
    names = group_names(results)
    rows = [_row(results, arm, names) for arm in choosing_arms(results) if results.by_arm[arm.name]]
    if not rows:
        return None
    unknown = sum(item.gold_edits is None for item in own_items(results))
    about = sentences(
        "The first choice of each arm against the gold edits, those known to help, and against everything else that a "
        "choice could hang on.",
        "Intervals are Wilson's with one seed, of a bootstrap over items with several.",
        f"{counted(unknown, 'item')} without gold edits: in no agreement." if unknown else "",
        "Mutual information is of plain counts, which overrate it in small samples; beside it its mean when the values "
        "are dealt out anew among items (permutation baseline) and the share of deals that reach it (p)."
        if names
        else "",
    )
    return Table("alignment", "Alignment of choices", about, [*_COLUMNS, *_information_columns(names)], rows)


_COLUMNS = (
    Column("arm", "arm"),
    Column("n", "items", "count", about="Items with a first choice."),
    Column("n_gold", "with gold", "count", about="Those of them whose gold edits are known."),
    ranged("agreement", "first is gold, %", "percent", "Share of first choices that are the first gold edit."),
    ranged(
        "agreement_set", "all are gold, %", "percent", "Share of answers whose edits, of all rounds, are the gold ones."
    ),
    ranged("none_fit", "none where gold, %", "percent", "Share of `none` where nothing needs to be imagined."),
    ranged("none_unfit", "none elsewhere, %", "percent", "Share of `none` where some edit is known to help."),
    Column("entropy", "entropy, bits", "number", about="Of first choices."),
    Column("effective", "effective edits", "number", about="As many edits, all as frequent, have that entropy: 2^H."),
    ranged("same_words", "same in other words, %", "percent", "Same first choice for an item and its paraphrase."),
    Column("n_words", "paraphrased", "count", about="Items with a paraphrase."),
    Column("reasked", "re-asked, %", "percent", about="Share of first decisions that took more than one attempt."),
)


def _information_columns(names: Sequence[str]) -> list[Column]:
    columns = []
    for name in names:
        columns += [
            Column(f"bits_{name}", f"{name}, bits", "number", about=f"Mutual information of first choice and {name}."),
            Column(f"bits_{name}_baseline", f"{name} by chance, bits", "number", about="Its mean over permutations."),
            Column(f"bits_{name}_p", f"{name}, p", "probability", about="Permutation test."),
        ]
    return columns


def _row(results: Results, arm: Arm, names: Sequence[str]) -> dict[str, Value]:
    lines = [line for line in results.by_arm[arm.name] if first_decision(line)]
    gold = [line for line in lines if results.items[line.item].gold_edits is not None]
    choices = _choices(lines)
    words = _paraphrased(results, arm, choices)
    bits = entropy(list(choices.values()))
    attempts = [decision.attempts > 1 for line in lines if (decision := first_decision(line))]
    row: dict[str, Value] = {
        "arm": arm.name,
        "n": len({line.item for line in lines}),
        "n_gold": len({line.item for line in gold}),
        **cells(
            "agreement", _share(results, gold, [choices[_place(line)] == _gold(results, line)[0] for line in gold])
        ),
        **cells("agreement_set", _share(results, gold, [_all_gold(results, line) for line in gold])),
        **cells("none_fit", _none(results, choices, [line for line in gold if _gold(results, line) == [NONE]])),
        **cells("none_unfit", _none(results, choices, [line for line in gold if _gold(results, line) != [NONE]])),
        "entropy": bits if choices else None,
        "effective": effective_number(bits) if choices else None,
        **cells("same_words", proportion(list(words.values()), [results.cluster(item) for item, _ in words])),
        "n_words": len({item for item, _ in words}),
        "reasked": sum(attempts) / len(attempts) if attempts else None,
    }
    for name in names:
        told = [place for place in choices if name in results.items[place[0]].groups]
        found = mutual_information(
            [choices[place] for place in told],
            [results.items[item].groups[name] for item, _ in told],
            [item for item, _ in told],
        )
        row |= {
            f"bits_{name}": found.bits if found else None,
            f"bits_{name}_baseline": found.baseline if found else None,
            f"bits_{name}_p": found.p if found else None,
        }
    return row


def _place(line: Line) -> tuple[str, int]:
    return line.item, line.seed


def _choices(lines: Sequence[Line]) -> Choices:
    return {_place(line): decision.edit for line in lines if (decision := first_decision(line))}


def _gold(results: Results, line: Line) -> list[str]:
    return results.items[line.item].gold_edits or [NONE]


def _all_gold(results: Results, line: Line) -> bool:
    return set(edits_made(line)) == set(_gold(results, line)) - {NONE}


def _share(results: Results, lines: Sequence[Line], values: Sequence[bool]) -> Estimate | None:
    return proportion(values, [results.cluster(line.item) for line in lines])


def _none(results: Results, choices: Choices, lines: Sequence[Line]) -> Estimate | None:
    return _share(results, lines, [choices[_place(line)] == NONE for line in lines])


def _paraphrased(results: Results, arm: Arm, choices: Choices) -> dict[tuple[str, int], bool]:
    """Item and seed to whether a paraphrase has the same first choice; of several, the first."""
    found: dict[tuple[str, int], bool] = {}
    for line in results.lines:
        place = results.items[line.item].paraphrase_of, line.seed
        decision = first_decision(line)
        if line.arm == arm.name and decision and place in choices:
            found.setdefault(place, decision.edit == choices[place])
    return found
