"""Two studies of the same items: what became better or worse, and what differs between them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from statistics import fmean
from typing import Any

from g2u.errors import StudyError

from ..running.results import Results
from ..statistics import holm, paired_difference
from ..tables.choices import own_items
from ..tables.pairing import Pairs, pairs, without_chance
from ..tables.table import Column, Table, Value, cells, counted, ranged, sentences

_NOTHING = 1e-9


def compare(a: Results, b: Results) -> list[Table]:
    """Compare the arms of two studies by name, on the questions that both asked.

    Args:
        a: The one before, A in the tables, which name its folder.
        b: The one after, B; differences are `b - a`.

    Returns:
        `comparison`, each arm of both; `changes`, the items that a change fixed or broke; `differences`, what differs
        in the settings of the two. A table without rows says in `about` that there is nothing.

    Raises:
        StudyError: They have no arm or no question in common.
    """
    arms = [arm.name for arm in b.arms if arm.name in a.by_arm]
    if not arms:
        names = (", ".join(results.by_arm) for results in (a, b))
        raise StudyError("The two studies have no arm in common: {} and {}.".format(*names))
    shared = [item.id for item in own_items(b) if item.id in a.items]
    common = [item for item in shared if a.items[item].asks_the_same(b.items[item])]
    if not common:
        raise StudyError(
            f"The two studies have no question in common: {len(a.items)} and {len(b.items)} items, "
            f"{len(shared)} with the same id.",
            "Run both with the same items.",
        )
    return [_comparison(a, b, arms, common, len(shared)), _changes(a, b, arms, common), _differences(a, b)]


def _comparison(a: Results, b: Results, arms: list[str], common: list[str], shared: int) -> Table:
    rows: list[dict[str, Value]] = []
    for arm in arms:
        both = _both(a, b, arm, common)
        clusters = [a.cluster(item) for item in both]
        found = paired_difference([one for _, one in both.values()], [one for one, _ in both.values()], clusters)
        if found:
            rows.append(
                {
                    "arm": arm,
                    "n": len(both),
                    "before": fmean(one for one, _ in both.values()),
                    "after": fmean(one for _, one in both.values()),
                    **cells("difference", found),
                    "p": found.p,
                    "fixed": found.fixed,
                    "broken": found.broken,
                    "detectable": found.detectable,
                }
            )
    for row, p in zip(rows, holm([float(row["p"] or 0) for row in rows]), strict=True):
        row["p_holm"] = p
    columns = (
        Column("arm", "arm"),
        Column("n", "items", "count"),
        Column("before", "A, %", "percent", about=f"Right answers in {a.folder}."),
        Column("after", "B, %", "percent", about=f"Right answers in {b.folder}."),
        ranged("difference", "B - A", "points", f"{b.folder} less {a.folder}, on the items of both."),
        Column("p", "p", "probability", about="McNemar's exact test; with several seeds the exact sign test."),
        Column("p_holm", "p, Holm", "probability", about="Corrected for the number of arms."),
        Column("fixed", "fixed", "count", about="Items with a higher score in B than in A."),
        Column("broken", "broken", "count", about="Items with a lower score in B than in A."),
        Column("detectable", "detectable", "points", about="Smallest difference found in 80 % of such comparisons."),
    )
    others = [arm.name for results in (a, b) for arm in results.arms if arm.name not in arms]
    about = sentences(
        f"A is {a.folder}, B is {b.folder}.",
        f"{counted(len(common), 'question')} in both studies; intervals are of a paired bootstrap over them.",
        f"{counted(shared - len(common), 'item')} with one id that asks something else: left out."
        if shared > len(common)
        else "",
        _seeds_used(a, b, arms),
        f"Arms in one study alone: {', '.join(others)}." if others else "",
    )
    return Table("comparison", f"{a.folder} (A) and {b.folder} (B)", about, columns, rows)


def _both(a: Results, b: Results, arm: str, common: Collection[str]) -> Pairs:
    """Item to its scores before and after, means over the seeds that both studies have of the arm."""
    once = without_chance(a, arm) or without_chance(b, arm)
    found = pairs(a.by_seed[arm], b.by_seed[arm], once)
    return {item: found[item] for item in common if item in found}


def _seeds_used(a: Results, b: Results, arms: Collection[str]) -> str:
    """Which answers are compared where one study has more seeds of an arm than the other."""
    told = []
    for arm in arms:
        own, others = ({line.seed for line in results.by_arm[arm]} for results in (a, b))
        if own != others and not (without_chance(a, arm) or without_chance(b, arm)):
            told.append(f"{arm} {len(own & others)} of {len(own)} and {len(others)}")
    return f"Seeds that both have are compared: {', '.join(told)}." if told else ""


def _changes(a: Results, b: Results, arms: list[str], common: list[str]) -> Table:
    rows: list[dict[str, Value]] = []
    for arm in arms:
        for item, (before, after) in _both(a, b, arm, common).items():
            if abs(after - before) > _NOTHING:
                change = "fixed" if after > before else "broken"
                rows.append({"arm": arm, "item": item, "change": change, "before": before, "after": after})
    columns = (
        Column("arm", "arm"),
        Column("item", "item"),
        Column("change", "change"),
        Column("before", "A, %", "percent", about=f"Of {a.folder}."),
        Column("after", "B, %", "percent", about=f"Of {b.folder}."),
    )
    about = f"Items whose score changed from {a.folder} (A) to {b.folder} (B)." if rows else "No item changed."
    return Table("changes", "Fixed and broken", about, columns, rows)


def _differences(a: Results, b: Results) -> Table:
    before, after = dict(_settings(a)), dict(_settings(b))
    rows: list[dict[str, Value]] = [
        {"setting": name, "before": before.get(name), "after": after.get(name)}
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
    columns = (
        Column("setting", "setting"),
        Column("before", "A", about=f"Of {a.folder}."),
        Column("after", "B", about=f"Of {b.folder}."),
    )
    about = (
        f"Everything that differs between {a.folder} (A) and {b.folder} (B); `-` where one has no such setting. "
        "Wherever more than one thing differs, the comparison does not tell which of them made the difference."
        if rows
        else "Nothing differs but the lines."
    )
    return Table("differences", "What differs", about, columns, rows)


def _settings(results: Results) -> Iterator[tuple[str, str]]:
    """Everything that decides the lines of a study, by name."""
    header = results.header
    yield "g2u", header.g2u
    yield from _flat("model", asdict(header.model))
    yield from _flat("prompts", header.prompts)
    yield "items", header.items
    yield from _flat("study", header.study.model_dump(exclude={"arms", "about"}))
    for arm in results.arms:
        yield from _flat(f"arms.{arm.name}", arm.model_dump(exclude={"name", "about", "set"}))


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}", str(value)
