"""Regret: what the first choice of an arm gives away against the best edit of the sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from g2u.edits.library import NONE
from g2u.state import Answer

from ..grid.arms import DIRECT, Arm
from ..grid.records import ItemRecord, Line
from ..running.results import Results
from ..statistics import mean, proportion
from .choices import choosing_arms, first_decision, sweep
from .table import Column, Table, Value, cells, counted, ranged, sentences

TIE = 0.001
"""Probabilities that differ by less are alike: rounding in batches moves them as much."""


@dataclass(frozen=True)
class Outcome:
    """What an edit makes of an item."""

    score: float
    """From 0, wrong, to 1, right."""
    probability: float | None
    """Of the right answer; `None` for a free answer."""


@dataclass(frozen=True)
class Regret:
    """One first choice, beside every other that could have been made."""

    item: str
    seed: int
    choice: str
    best: str
    """Edit with the highest probability of the right answer; the choice where that is as good."""
    chosen: Outcome
    none: Outcome
    """What comes of not imagining."""
    probability: float | None
    """Regret in the probability of the right answer; `None` for a free answer."""
    right: float
    """Regret in what the answer is worth: 1 where some edit is right and the chosen one is wrong."""
    never: float | None
    """Regret in probability of never imagining."""


def regret(results: Results) -> Table | None:
    """Mean regret of each choosing arm; `None` without a sweep or without such arms."""
    rows: list[dict[str, Value]] = []
    for arm in choosing_arms(results) if sweep(results) else ():
        found, lines = list(_regrets(results, arm)), results.by_arm[arm.name]
        if not found:
            continue
        items = [one.item for one in found]
        clusters = [results.cluster(item) for item in items]
        likely = [(one.item, one.probability, one.never) for one in found if one.probability is not None]
        where = [results.cluster(item) for item, _, _ in likely]
        never = [value for _, _, value in likely if value is not None]
        rows.append(
            {
                "arm": arm.name,
                "n": len(set(items)),
                **cells("regret", mean([value for _, value, _ in likely], where)),
                "never": fmean(never) if never else None,
                "zero": fmean(value <= TIE for _, value, _ in likely) if likely else None,
                **cells("regret_right", mean([one.right for one in found], clusters)),
                **cells("zero_right", proportion([one.right == 0 for one in found], clusters)),
                "fixed": fmean(one.chosen.score > one.none.score for one in found),
                "broken": fmean(one.chosen.score < one.none.score for one in found),
                "left_out": len(lines) - len(found),
            }
        )
    left_out = sum(int(row["left_out"] or 0) for row in rows)
    about = sentences(
        "For each item, the edit that the arm chose first against the best of the sweep, `none` among them, with the "
        "sweep's own drawing of the same seed (of seed 0 where the sweep ran once). Regret is what the best has more "
        "in the probability of the right answer, and in right answers.",
        "The sweep makes one edit, so that of an item that needs two the first choice alone may have no regret and yet "
        "be wrong. The best of many drawings is partly luck: regret is above zero even for a perfect choice of edit.",
        "Intervals are of a bootstrap over items.",
        f"{counted(left_out, 'answer')} left out: failed, or the sweep lacks what was chosen." if left_out else "",
    )
    columns = (
        Column("arm", "arm"),
        Column("n", "items", "count"),
        ranged("regret", "regret", "number", "In the probability of the right answer."),
        Column("never", "of never imagining", "number", about="The same for the choice `none` on every item."),
        Column("zero", "best choice, %", "percent", about=f"Share of choices within {TIE} of the best probability."),
        ranged("regret_right", "regret, %", "percent", "Share of items that some edit gets right and the choice not."),
        ranged("zero_right", "without regret, %", "percent", "Share of choices that are right where any edit is."),
        Column("fixed", "fixed, %", "percent", about="Share of items that the choice gets right and direct not."),
        Column("broken", "broken, %", "percent", about="Share of items that direct gets right and the choice not."),
        Column("left_out", "left out", "count"),
    )
    return Table("regret", "Regret of the first choice", about, columns, rows) if rows else None


def regret_items(results: Results) -> Table | None:
    """Regret of each first choice, a row each; `None` where `regret` is."""
    rows: list[dict[str, Value]] = [
        {
            "arm": arm.name,
            "item": one.item,
            "seed": one.seed,
            "choice": one.choice,
            "best": one.best,
            "regret": one.probability,
            "regret_right": one.right,
            "probability": one.chosen.probability,
            "right": one.chosen.score,
            "directly_right": one.none.score,
        }
        for arm in (choosing_arms(results) if sweep(results) else ())
        for one in _regrets(results, arm)
    ]
    columns = (
        Column("arm", "arm"),
        Column("item", "item"),
        Column("seed", "seed", "count"),
        Column("choice", "chosen"),
        Column("best", "best"),
        Column("regret", "regret", "number", about="In the probability of the right answer."),
        Column("regret_right", "regret in right answers", "number"),
        Column("probability", "probability", "number", about="Of the right answer, with the chosen edit."),
        Column("right", "right", "number", about="With the chosen edit, as the sweep has it."),
        Column("directly_right", "directly right", "number"),
    )
    about = "Every first choice against the best edit of the sweep, as in the table of regret."
    return Table("regret_items", "Regret by item", about, columns, rows) if rows else None


def _regrets(results: Results, arm: Arm) -> Iterator[Regret]:
    for line in results.by_arm[arm.name]:
        decision, outcomes = first_decision(line), _outcomes(results, line)
        if decision is None or decision.edit not in outcomes or NONE not in outcomes:
            continue
        chosen, none = outcomes[decision.edit], outcomes[NONE]
        sure = {edit: one.probability for edit, one in outcomes.items() if one.probability is not None}
        top = max(sure.values(), default=None)
        own, never = sure.get(decision.edit), sure.get(NONE)
        known = top is not None and own is not None
        best = max(sure, key=sure.__getitem__) if known else max(outcomes, key=lambda edit: outcomes[edit].score)
        alike = top - own <= TIE if top is not None and own is not None else chosen.score == outcomes[best].score
        yield Regret(
            item=line.item,
            seed=line.seed,
            choice=decision.edit,
            best=decision.edit if alike else best,
            chosen=chosen,
            none=none,
            probability=top - own if top is not None and own is not None else None,
            right=float(max(one.score for one in outcomes.values()) - chosen.score),
            never=top - never if top is not None and never is not None else None,
        )


def _outcomes(results: Results, line: Line) -> Mapping[str, Outcome]:
    """Edit to what it makes of the item of a line; those that failed or were left out are absent."""
    item, found = results.items[line.item], dict[str, Outcome]()
    plain = results.by_key.get((DIRECT, line.item, line.seed)) or results.by_key.get((DIRECT, line.item, 0))
    if plain and plain.answer:
        found[NONE] = _outcome(item, plain.answer, plain.score)
    elif line.direct:
        found[NONE] = _outcome(item, line.direct, line.direct_score or 0.0)
    for edit, arm in sweep(results).items():
        other = results.by_key.get((arm, line.item, line.seed)) or results.by_key.get((arm, line.item, 0))
        if other and other.answer:
            found[edit] = _outcome(item, other.answer, other.score)
    return found


def _outcome(item: ItemRecord, answer: Answer, score: float) -> Outcome:
    return Outcome(score, answer.probabilities.get(item.answer))
