"""Tables of what `g2u world eval` found, for a terminal; programs read the JSON, which has more in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .layout import Heading, Table
from .output import NOTHING, figure

Report = dict[str, Any]


def _table(*columns: str) -> Table:
    """A table whose first column is names and whose others are numbers."""
    return Table([Heading(column, words=not number) for number, column in enumerate(columns)])


def _percent(value: float | None) -> str:
    return figure(value, 100)


def _interval(row: Report, middle: str, low: str, high: str) -> str:
    if row.get(middle) is None:
        return NOTHING
    return f"{_percent(row[middle])} [{figure(row[low], 100, 0)}, {figure(row[high], 100, 0)}]"


def answers(report: Report) -> Iterator[tuple[str, Table]]:
    """By number of conditions, one condition, plain pictures, structure, two conditions, all; per cent and points."""
    arms = [arm for arm in report["summary"] if arm != "clean"]
    others = [arm for arm in arms if arm != "direct"]
    table = _table("conditions", "n", *arms)
    for number, cells in sorted(_by_number(report).items()):
        n = sum(cell[arms[0]]["n"] for cell in cells) if arms else 0
        right = (sum(cell[arm]["accuracy"] * cell[arm]["n"] for cell in cells) / n for arm in arms)
        table.add(str(number), str(n), *map(_percent, right))
    yield "By the number of conditions that stand in the way: right answers, %", table
    losses = {name: row for name, row in report["faults"].items() if "loss" in row}
    if losses:
        table = _table("condition", "n", "clean", "direct", "loss", *others)
        for name, row in losses.items():
            middle = (row["clean"]["accuracy"], row["direct"]["accuracy"], row["loss"])
            recovered = (row["recovered"][arm] for arm in others)
            table.add(name, str(row["direct"]["n"]), *map(_percent, (*middle, *recovered)))
        yield (
            "One condition: what it costs the direct answers, and the share of the loss that each arm recovers, %",
            table,
        )
    if report["plain"] and arms:
        table = _table("task", "n", *arms)
        for name, row in report["plain"].items():
            table.add(name, str(row[arms[0]]["n"]), *(_percent(row[arm]["accuracy"]) for arm in arms))
        yield "Pictures that need nothing: right answers, %", table
    if report["structure"]:
        table = _table("task", *others)
        for name, row in report["structure"].items():
            table.add(name, *(figure(row[arm]) for arm in others))
        yield "Tasks of structure: gain over direct, points", table
    if report["two_faults"]:
        table = _table("arm", "n", "one round", "two rounds", "gain")
        for name, row in report["two_faults"].items():
            shown = (_percent(row["one_round"]), _percent(row["two_rounds"]))
            table.add(name, str(row["n"]), *shown, _interval(row, "gain", "gain_low", "gain_high"))
        yield "Two conditions: right answers and what the second round brings, %", table
    table = _table("arm", "right", "gain", "of gold's", "plain cost", "seen", "unseen")
    for arm, row in report["summary"].items():
        halves = (report[half].get(arm, {}).get("gain") for half in ("seen", "unseen"))
        table.add(
            arm,
            _interval(row, "accuracy", "low", "high"),
            _interval(row, "gain", "gain_low", "gain_high"),
            *map(_percent, (row["share_of_gold"], row["clean_cost"], *halves)),
        )
    yield "All: right answers; gain, also over combinations that decide was and was not taught on; %", table


def _by_number(report: Report) -> dict[int, list[Report]]:
    """Cells by how many conditions they have."""
    found: dict[int, list[Report]] = {}
    for cases in report["tasks"].values():
        for name, cell in cases.items():
            found.setdefault(0 if name == "none" else name.count("+") + 1, []).append(cell)
    return found


def reflect(report: Report) -> Iterator[tuple[str, Table]]:
    """Kinds of thought, and how far confidence can be trusted."""
    table = _table("kind", "n", "good", "P(keep)", "right")
    for name, row in report["kinds"].items():
        table.add(name, str(row["n"]), *map(_percent, (row["good"], row["confidence"], row["accuracy"])))
    table.add("all", str(report["n"]), "", "", _percent(report["accuracy"]))
    yield "Thoughts by kind: good ones, mean confidence and right verdicts, %", table
    table = _table("P(keep)", "n", "mean", "good")
    for row in report["reliability"]:
        mean = (_percent(row["confidence"]), _percent(row["good"]))
        table.add(f"{row['low']:.1f} to {row['high']:.1f}", str(row["n"]), *mean)
    found = f"AUROC {figure(report['auroc'], digits=3)}, calibration error {report['calibration_error']:.3f}"
    yield f"Confidence: {found}", table


def edits(report: Report) -> Iterator[tuple[str, Table]]:
    """Each measure by the number of sampler steps."""
    rows = {**report["edits"], "all": report["overall"]}
    steps = list(report["overall"]["steps"])
    for measure, (title, digits) in _MEASURES.items():
        last = ["one-step gap"] if measure == "psnr" else []
        table = _table("edit", "n", *steps, *last)
        for name, row in rows.items():
            shown = [figure(row["steps"][number][measure], digits=digits) for number in steps]
            gap = [figure(row["one_step_gap"], digits=2)] if last else []
            table.add(name, str(row["n"]), *shown, *gap)
        yield f"{title}, by sampler steps", table


_MEASURES: dict[str, tuple[str, int]] = {
    "psnr": ("PSNR against the true result, dB", 1),
    "ssim": ("SSIM against the true result", 3),
    "unfit_psnr": ("PSNR of pictures that the edit does not fit and should leave alone, dB", 1),
}
"""Measure to its title and decimals."""

TABLES: dict[str, Callable[[Report], Iterator[tuple[str, Table]]]] = {
    "answers": answers,
    "reflect": reflect,
    "edits": edits,
}
"""What was examined to its tables and their titles."""
