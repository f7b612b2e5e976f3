"""The page of the paper's claims: `python -m g2u.study.claims.page DIR --out docs/claims.md`.

Each claim is decided by one difference of two arms, item by item, or by the line through the fidelity ladder. What is
said of it follows from the 95 % interval alone: it holds where the whole interval is on the side that the paper says,
is reversed where it is on the other, and is not shown where it has both. p is corrected after Holm over the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from g2u.files import write_atomic

from ..running.folder import read_study
from ..running.results import Results
from ..statistics import Difference, holm
from ..tables import make_tables
from ..tables.pairing import arm_pairs, difference
from ..tables.table import Table, Value, show, show_cell
from .claims import CLAIMS, HOLDS, OPEN, PAPER, REVERSED, UNTESTED, Claim, Comparison


@dataclass(frozen=True)
class Compared:
    """What came of one comparison."""

    comparison: Comparison
    found: Difference | None
    reason: str = ""
    """Why there is none."""
    p: float | None = None
    """Corrected after Holm over all comparisons of the page."""


@dataclass(frozen=True)
class Told:
    """A claim with what is said of it."""

    claim: Claim
    rows: list[Compared]
    figures: list[str]
    verdict: str
    """One of the four of `claims`; empty where a table speaks for itself."""
    figure: str
    """What decided it."""

    @property
    def conclusion(self) -> str:
        """What we conclude."""
        return self.claim.conclusions.get(self.verdict, "")


def judge(found: Difference, sign: int) -> str:
    """What an interval says of a claim."""
    low, high = sorted((sign * found.low, sign * found.high))
    return HOLDS if low > 0 else REVERSED if high < 0 else OPEN


def claims_page(results: Results, command: str) -> str:
    """The page in Markdown.

    Args:
        results: Of a study with the arms of the preset `paper-world`.
        command: That made it.
    """
    tables = make_tables(results)
    compared = _corrected([[_compare(results, one) for one in claim.comparisons] for claim in CLAIMS])
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("claims.md.j2").render(
        claims=[_told(claim, rows, tables) for claim, rows in zip(CLAIMS, compared, strict=True)],
        show=show,
        interval=_interval,
        command=command,
        paper=PAPER,
        results=results,
        items=sum(not item.paraphrase_of for item in results.items.values()),
    )


def _told(claim: Claim, rows: list[Compared], tables: Mapping[str, Table]) -> Told:
    figures = [_figure(tables, name) for name in claim.figures]
    if claim.decided_by:
        verdict, figure = _by_line(tables)
    elif not rows:
        verdict, figure = "", "see the table"
    elif first := rows[0].found:
        verdict, figure = judge(first, claim.sign), f"{_interval(first)} points"
    else:
        verdict, figure = UNTESTED, "-"
    return Told(claim, rows, figures, verdict, figure)


def _by_line(tables: Mapping[str, Table]) -> tuple[str, str]:
    """What the line through the levels of the ladder says, over PSNR."""
    rows = tables["ladder_fit"].rows if "ladder_fit" in tables else []
    row = next((row for row in rows if (row["measure"], row["through"]) == ("psnr", "levels")), None)
    if row is None:
        return UNTESTED, "-"
    low, high, r2 = float(row["slope_low"] or 0), float(row["slope_high"] or 0), row["r2"]
    verdict = HOLDS if low > 0 else REVERSED if high < 0 else OPEN
    slope = f"{show(row['slope'], 'points')} [{show(low, 'points')}, {show(high, 'points')}] points a decibel"
    bounds = f"[{show(row['r2_low'], 'number')}, {show(row['r2_high'], 'number')}]"
    return verdict, f"R² {show(r2, 'number')} {bounds}; {slope}"


def _interval(found: Difference) -> str:
    return f"{show(found.value, 'points')} [{show(found.low, 'points')}, {show(found.high, 'points')}]"


def _compare(results: Results, one: Comparison) -> Compared:
    if missing := [arm for arm in (one.arm, one.other) if arm not in results.by_arm]:
        return Compared(one, None, results.header.skipped.get(missing[0], f"The study has no arm {missing[0]!r}."))
    found = difference(results, arm_pairs(results, one.arm, one.other))
    return Compared(one, found, "" if found else "There is no item that both answered.")


def _corrected(claims: list[list[Compared]]) -> list[list[Compared]]:
    corrected = iter(holm([row.found.p for rows in claims for row in rows if row.found]))
    return [[replace(row, p=next(corrected)) if row.found else row for row in rows] for rows in claims]


def _figure(tables: Mapping[str, Table], name: str) -> str:
    table, show_table = FIGURES[name]
    return show_table(tables) if table in tables else "The study has no arms for this."


def _ladder(tables: Mapping[str, Table]) -> str:
    """The line through the levels, and the levels."""
    lines = [tables["ladder"].about, "", "| lowered by | level | PSNR, dB | gain |", "|---|---|---|---|"]
    columns = {column.key: column for column in tables["ladder"].columns}
    for row in tables["ladder"].rows:
        shown = (show_cell(row, columns[key]) for key in ("way", "about", "psnr", "gain"))
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines)


def _transfer(tables: Mapping[str, Table]) -> str:
    """Gain of each family on each task."""
    rows = tables["transfer"].rows
    families = list(dict.fromkeys(str(row["family"]) for row in rows))
    lines = ["Gain over direct, points, when always the same edit of a family is drawn, the mean over its edits:", ""]
    lines += [f"| task | {' | '.join(families)} |", f"|---{'|---' * len(families)}|"]
    columns = {column.key: column for column in tables["transfer"].columns}
    for task in dict.fromkeys(row["task"] for row in rows):
        own = {str(row["family"]): row for row in rows if row["task"] == task}
        cells = (show_cell(own[family], columns["gain"]) if family in own else "-" for family in families)
        lines.append(f"| {task} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _choices(tables: Mapping[str, Table]) -> str:
    """How far the choices of each arm fit."""
    wanted: tuple[tuple[str, str], ...] = (
        ("alignment", "agreement"),
        ("alignment", "entropy"),
        ("alignment", "bits_fault"),
        ("alignment", "bits_fault_baseline"),
        ("alignment", "same_words"),
        ("regret", "regret"),
        ("regret", "zero"),
    )
    wanted = tuple((name, key) for name, key in wanted if name in tables)
    columns = {(name, column.key): column for name, _ in wanted for column in tables[name].columns}
    titles = [columns[place].title for place in wanted]
    lines = [f"| arm | {' | '.join(titles)} |", f"|---{'|---' * len(wanted)}|"]
    rows: dict[str, dict[str, Mapping[str, Value]]] = {}
    for name, _ in wanted:
        for row in tables[name].rows:
            rows.setdefault(str(row["arm"]), {})[name] = row
    for arm, own in rows.items():
        cells = (show_cell(own[name], columns[name, key]) if name in own else "-" for name, key in wanted)
        lines.append(f"| `{arm}` | {' | '.join(cells)} |")
    return "\n".join(lines)


FIGURES: Mapping[str, tuple[str, Callable[[Mapping[str, Table]], str]]] = {
    "ladder": ("ladder", _ladder),
    "transfer": ("transfer", _transfer),
    "choices": ("alignment", _choices),
}
"""Parts of tables that belong to a claim: the table that is needed, and what makes Markdown of it."""


def main(
    folder: Annotated[Path, typer.Argument(help="Of a study.")],
    out: Annotated[Path, typer.Option(help="Markdown file to write.")],
    command: Annotated[str, typer.Option(help="That made the study, for the page.")] = "make claims",
) -> None:
    """Write the page of the paper's claims."""
    write_atomic(out, claims_page(read_study(folder), command).encode())
    typer.echo(str(out))


if __name__ == "__main__":
    typer.run(main)
