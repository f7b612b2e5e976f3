"""The arithmetic of an evaluation: from right and wrong answers to proportions, gains, losses and what is recovered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import NormalDist, fmean, pstdev
from typing import Any

from g2u.world.items.conditions import CONDITIONS
from g2u.world.items.items import Item
from g2u.world.items.tasks import TASKS

SMALL_LOSS = 0.01
"""Losses below are too small to ask what share of them is recovered."""

Right = Mapping[str, Sequence[bool]]
"""Arm to whether it answered each item right."""


def proportion(right: Sequence[bool]) -> dict[str, float]:
    """Accuracy and its 95 % interval (Wilson 1927): `accuracy`, `low`, `high`, `n`."""
    n, k, z = len(right), sum(right), NormalDist().inv_cdf(0.975)
    middle, spread_ = (k + z * z / 2) / (n + z * z), z * sqrt(k * (n - k) / n + z * z / 4) / (n + z * z)
    return {"accuracy": k / n, "low": max(0.0, middle - spread_), "high": min(1.0, middle + spread_), "n": n}


def paired(better: Sequence[bool], worse: Sequence[bool]) -> dict[str, float]:
    """Mean difference over the same items, and the 95 % interval of it: `gain`, `gain_low`, `gain_high`."""
    differences = [one - other for one, other in zip(better, worse, strict=True)]
    gain = fmean(differences)
    margin = NormalDist().inv_cdf(0.975) * pstdev(differences) / sqrt(len(differences))
    return {"gain": gain, "gain_low": max(-1.0, gain - margin), "gain_high": min(1.0, gain + margin)}


def by_case(items: Sequence[Item], right: Right) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Each arm on each case of each task: `{task: {case: {arm: proportion}}}`, in the order of `TASKS`."""
    report: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for task in TASKS:
        for case in TASKS[task].cases:
            rows = [n for n, item in enumerate(items) if (item.task, item.case) == (task, case)]
            if rows:
                report.setdefault(task, {})[items[rows[0]].fault] = _proportions(right, rows)
    return report


def plain(items: Sequence[Item], right: Right) -> dict[str, dict[str, dict[str, float]]]:
    """Each arm on the pictures of each task that need nothing: `{task: {arm: proportion}}`."""
    cells = {task: [n for n, item in enumerate(items) if item.task == task and not item.case] for task in TASKS}
    return {task: _proportions(right, rows) for task, rows in cells.items() if rows}


def faults(items: Sequence[Item], right: Right) -> dict[str, dict[str, Any]]:
    """Each arm over the pictures of all tasks that have one condition and no other.

    Returns:
        `{condition: {arm: proportion}}`; and, where `direct` and `clean` ran, `loss`, what the condition costs the
        direct answers, and `recovered`, the share of the loss that each arm wins back, `None` where the loss is under
        one point.
    """
    report: dict[str, dict[str, Any]] = {}
    for condition in CONDITIONS:
        rows = [n for n, item in enumerate(items) if item.case == (condition,)]
        if not rows:
            continue
        cell: dict[str, Any] = dict(_proportions(right, rows))
        if {"direct", "clean"} <= right.keys():
            direct = cell["direct"]["accuracy"]
            loss = cell["clean"]["accuracy"] - direct
            cell["recovered"] = {
                arm: (cell[arm]["accuracy"] - direct) / loss if loss >= SMALL_LOSS else None for arm in right
            }
            cell["loss"] = loss
        report[condition] = cell
    return report


def structure(items: Sequence[Item], right: Right) -> dict[str, dict[str, float]]:
    """Gain of each arm over `direct`, in points, on the one-condition pictures of each task of structure."""
    report: dict[str, dict[str, float]] = {}
    if "direct" not in right:
        return report
    for task in TASKS:
        rows = [n for n, item in enumerate(items) if item.task == task and len(item.case) == 1]
        if rows and TASKS[task].family == "structure":
            report[task] = {
                arm: 100 * paired(_at(answers, rows), _at(right["direct"], rows))["gain"]
                for arm, answers in right.items()
                if arm != "direct"
            }
    return report


def two_faults(items: Sequence[Item], right: Right, one_round: Right) -> dict[str, dict[str, float]]:
    """What the second round brings on pictures with two conditions.

    Args:
        items: All of them.
        right: Arms with all their rounds, over all items.
        one_round: The same arms with one round, over the items with two conditions alone, in their order.

    Returns:
        Per arm `one_round` and `two_rounds`, accuracies; `gain`, `gain_low` and `gain_high`, the paired difference;
        and `n`.
    """
    rows = [n for n, item in enumerate(items) if len(item.case) == 2]
    if not rows:
        return {}
    report = {}
    for arm, short in one_round.items():
        full = _at(right[arm], rows)
        means = {"one_round": fmean(short), "two_rounds": fmean(full), "n": len(rows)}
        report[arm] = means | paired(full, short)
    return report


def summarise(items: Sequence[Item], right: Right) -> dict[str, dict[str, Any]]:
    """Each arm over all items, and against `direct` where that ran.

    Returns:
        Per arm its `proportion`; `gain`, accuracy minus direct's over the items that have an edit that helps, with the
        95 % interval of the paired difference (`gain_low`, `gain_high`); `share_of_gold`, its gain over that of `gold`;
        and `clean_cost`, direct's accuracy minus its own over the items that need nothing. What cannot be said is
        `None`: the gain without `direct`, the share where `gold` gains nothing. No items, no arms.
    """
    if not items:
        return {}
    faulty = [n for n, item in enumerate(items) if item.case]
    needless = [n for n, item in enumerate(items) if not item.case]
    nothing = dict.fromkeys(("gain", "gain_low", "gain_high", "share_of_gold", "clean_cost"))
    summary: dict[str, dict[str, Any]] = {arm: proportion(answers) | nothing for arm, answers in right.items()}
    for arm, answers in right.items() if "direct" in right else ():
        if faulty:
            summary[arm] |= paired(_at(answers, faulty), _at(right["direct"], faulty))
        if needless:
            summary[arm]["clean_cost"] = paired(_at(right["direct"], needless), _at(answers, needless))["gain"]
    best = summary.get("gold", nothing)["gain"]
    if best and best > 0:
        for row in summary.values():
            row["share_of_gold"] = row["gain"] / best
    return summary


def seen_and_unseen(items: Sequence[Item], right: Right) -> dict[str, dict[str, dict[str, Any]]]:
    """The summary over the combinations that decide was taught on (`seen`) and over those kept from it (`unseen`)."""
    parts = {name: [n for n, item in enumerate(items) if item.unseen == flag] for name, flag in _HALVES.items()}
    return {
        name: summarise([items[n] for n in rows], {arm: _at(answers, rows) for arm, answers in right.items()})
        for name, rows in parts.items()
    }


_HALVES = {"seen": False, "unseen": True}


def _at(answers: Sequence[bool], rows: Sequence[int]) -> list[bool]:
    return [answers[n] for n in rows]


def _proportions(right: Right, rows: Sequence[int]) -> dict[str, dict[str, float]]:
    return {arm: proportion(_at(answers, rows)) for arm, answers in right.items()}
