"""Chance: whether other noise makes other choices and answers of an item, and what luck the best of several had."""

from __future__ import annotations

from collections.abc import Sequence

from scipy import integrate, stats

from ..grid.records import Line
from ..running.results import Results
from ..statistics import proportion
from .pairing import share
from .table import Column, Table, Value, cells, ranged

COLUMNS = (
    Column("arm", "arm"),
    Column("n", "items", "count", about="Answered with more than one seed."),
    ranged(
        "same_choices",
        "same choices, %",
        "percent",
        "Share of items with the same edits in all rounds, whatever the seed.",
    ),
    ranged("same_answer", "same answer, %", "percent", "Share of items with the same answer, whatever the seed."),
)


def seeds(results: Results) -> Table | None:
    """Each arm that ran with several seeds; `None` where none did."""
    rows: list[dict[str, Value]] = []
    for arm in results.arms:
        repeated = _repeated(results.by_arm[arm.name])
        if repeated:
            clusters = [results.cluster(item) for item in repeated]
            choices = [_alike([_choices(line) for line in lines]) for lines in repeated.values()]
            answers = [
                _alike([line.answer.text if line.answer else None for line in lines]) for lines in repeated.values()
            ]
            rows.append(
                {
                    "arm": arm.name,
                    "n": len(repeated),
                    **cells("same_choices", proportion(choices, clusters)),
                    **cells("same_answer", proportion(answers, clusters)),
                }
            )
    about = (
        "Seeds are repeats of an item, not more items: every interval and test counts an item once, whatever the "
        "number of its seeds, so that a seed that changes nothing adds nothing."
    )
    return Table("seeds", "Seeds", about, COLUMNS, rows) if rows else None


def selection(results: Results) -> Table | None:
    """What choosing the best of several variants can have made of nothing; `None` where only one was tried."""
    study = results.header.study
    if study.tried < 2:
        return None
    rows: list[dict[str, Value]] = []
    for arm in results.arms:
        found = share(results, results.scores(arm.name))
        if found:
            error = (found.high - found.low) / 2 / float(stats.norm.ppf(0.975))
            rows.append({"arm": arm.name, "tried": study.tried, "luck": expected_best(study.tried) * error})
    columns = (
        Column("arm", "arm"),
        Column("tried", "tried", "count", about="Variants compared before the study."),
        Column("luck", "luck", "points", about="What the best of so many equals would have by chance, points."),
    )
    about = (
        f"{study.tried} variants were compared before this study was fixed. Had they been compared on items like these "
        "and as many, the best of equally good ones would look better by about the points below (expected maximum of "
        "independent normal errors; less where they fail on the same items). A comparison on a development split "
        "leaves nothing of that here."
    )
    return Table("selection", "Selection", about, columns, rows)


def expected_best(number: int) -> float:
    """Expected maximum of so many independent standard normal values (Tippett 1925)."""
    return float(
        integrate.quad(lambda x: x * number * stats.norm.pdf(x) * stats.norm.cdf(x) ** (number - 1), -12, 12)[0]
    )


def _repeated(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """Item to its answers, where there are several."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        if not line.error:
            found.setdefault(line.item, []).append(line)
    return {item: own for item, own in found.items() if len(own) > 1}


def _choices(line: Line) -> tuple[str, ...]:
    return tuple(turn.decision.call.text for turn in line.rounds)


def _alike(values: Sequence[object]) -> bool:
    return len(set(values)) == 1
