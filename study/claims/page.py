"""The page of the paper's claims: `python -m g2u.study.claims.page DIR --out docs/claims.md`.

Each claim is decided by differences of two arms, item by item. What is said of it follows from the corrected p alone:
it holds where the difference is on the side that the paper says and p, corrected after Holm over the page, is below
0.05; it is reversed where it is on the other side; and it is not shown where p is not below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from g2u.files import write_atomic

from ..running.folder import read_study
from ..running.results import Results
from ..statistics import ALPHA, Difference, holm
from ..tables import make_tables
from ..tables.pairing import arm_pairs, difference
from ..tables.table import Table, Value, counted, show, show_cell
from .claims import CLAIMS, HOLDS, OPEN, PAPER, REVERSED, UNTAUGHT, UNTESTED, Claim, Comparison


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
    scope: str
    """Of what the verdict is said: model, world, items and seeds; empty where nothing could be asked."""

    @property
    def conclusion(self) -> str:
        """What we conclude."""
        return self.claim.conclusions.get(self.verdict, "")


def judge(found: Difference, p: float, sign: int) -> str:
    """What a comparison says of a claim.

    Args:
        found: The difference.
        p: Of its exact test, corrected for the other tests of the page.
        sign: 1 where the claim is that it is above zero, -1 where below.
    """
    if p >= ALPHA or found.value * (found.fixed - found.broken) <= 0:
        return OPEN
    return HOLDS if sign * found.value > 0 else REVERSED


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
        claims=[_told(claim, rows, results, tables) for claim, rows in zip(CLAIMS, compared, strict=True)],
        contrasts=[row for row in compared[0] if UNTAUGHT in (row.comparison.arm, row.comparison.other)],
        seeds=_of_seeds(tables),
        show=show,
        interval=_interval,
        alpha=ALPHA,
        command=command,
        paper=PAPER,
        results=results,
        items=sum(not item.paraphrase_of for item in results.items.values()),
    )


def _told(claim: Claim, rows: list[Compared], results: Results, tables: Mapping[str, Table]) -> Told:
    figures = [_figure(tables, name) for name in claim.figures]
    deciding = rows[: claim.deciding]
    verdicts = {
        judge(row.found, row.p, claim.sign) if row.found and row.p is not None else UNTESTED for row in deciding
    }
    if not rows:
        verdict, figure = "", "see the table"
    elif UNTESTED in verdicts:
        verdict, figure = UNTESTED, "-"
    else:
        verdict = verdicts.pop() if len(verdicts) == 1 else OPEN
        shown = [f"{_interval(row.found)} points, p {show(row.p, 'probability')}" for row in deciding if row.found]
        figure = "; ".join([*shown, *(_line(tables) if claim.line else [])])
    return Told(claim, rows, figures, verdict, figure, "" if verdict == UNTESTED else _scope(results, deciding))


def _scope(results: Results, deciding: Sequence[Compared]) -> str:
    """Of what something is said: model, world, items and seeds."""
    study = results.header.study
    world = f"the world's split `{study.items.split}`" if study.items.of_world else study.items.told
    items = sorted({row.found.n for row in deciding if row.found}) or [
        sum(not item.paraphrase_of for item in results.items.values())
    ]
    arms = {name for row in deciding for name in (row.comparison.arm, row.comparison.other)} or set(results.by_arm)
    seeds = len({line.seed for name in arms for line in results.by_arm[name]})
    told = " to ".join(f"{number:,}" for number in dict.fromkeys((items[0], items[-1])))
    return f"`{results.header.model.model}`, {world}, {told} items, {counted(seeds, 'seed')}"


def _line(tables: Mapping[str, Table]) -> list[str]:
    """The line through the levels of the ladder, over PSNR."""
    rows = tables["ladder_fit"].rows if "ladder_fit" in tables else []
    row = next((row for row in rows if (row["measure"], row["through"]) == ("psnr", "levels")), None)
    if row is None:
        return []
    slope = " [{}, {}]".format(*(show(row[key], "points") for key in ("slope_low", "slope_high")))
    bounds = " [{}, {}]".format(*(show(row[key], "number") for key in ("r2_low", "r2_high")))
    return [f"R² {show(row['r2'], 'number')}{bounds}, {show(row['slope'], 'points')}{slope} points a decibel"]


def _of_seeds(tables: Mapping[str, Table]) -> str:
    """How often other noise made another answer; empty where there was one seed."""
    rows = {str(row["arm"]): row for row in tables["seeds"].rows} if "seeds" in tables else {}
    if not rows:
        return ""
    column = next(column for column in tables["seeds"].columns if column.key == "same_answer")
    name = "self" if "self" in rows else next(iter(rows))
    least = min(rows.values(), key=lambda row: float(row["same_answer"] or 0))
    return (
        f"`{name}` gave the same answer under all seeds to {show_cell(rows[name], column)} % of the items, and the arm "
        f"that seeds change most, `{least['arm']}`, to {show_cell(least, column)} %"
    )


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
