"""The claims of the paper beside what a study found: `python -m g2u.study.claims DIR --out docs/claims.md`.

Each claim is a comparison of two arms, item by item, or a part of a table. What is said of it follows from the interval
alone: it holds where the whole interval is on the side that the paper says, is reversed where it is on the other, and
is not shown where it has both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from g2u.files import write_atomic
from g2u.study.arms import DIRECT
from g2u.study.folder import read_study
from g2u.study.results import Results
from g2u.study.statistics import Difference
from g2u.study.table import Table, Value, show, show_cell
from g2u.study.tables import make_tables
from g2u.study.tables.pairing import arm_pairs, difference

PAPER = "arXiv 2605.15792"


@dataclass(frozen=True)
class Comparison:
    """One arm against another."""

    arm: str
    other: str
    says: str
    """What is compared, in words."""


@dataclass(frozen=True)
class Claim:
    """One claim of the paper."""

    title: str
    paper: str
    """Its figure."""
    comparisons: Sequence[Comparison]
    """The first one decides; the others stand beside it."""
    sign: int = 1
    """1 where the first arm should be better, -1 where it should be worse."""
    figures: Sequence[str] = ()
    """Keys of `FIGURES`: what else belongs to it."""
    remark: str = ""
    """What to bear in mind."""


CLAIMS: Sequence[Claim] = (
    Claim(
        "Imagining helps",
        "+2.3 points on three benchmarks with prompts by GPT-4o-mini (62.6 to 64.9), +0.8 with its own",
        (
            Comparison("self", DIRECT, "the whole loop against the original alone"),
            Comparison("gold", DIRECT, "the edits that are known to help"),
            Comparison("gold", "twice", "the same thoughts against the original twice: is it the picture?"),
            Comparison("gold", "foreign", "the same thoughts against those of another picture: is it this picture?"),
            Comparison("gold", "random", "against edits by chance: is it the choice?"),
            Comparison("true", "gold", "true results against drawings: what better drawing could still bring"),
        ),
        remark="The controls say what the gain is made of: a second picture, any edit, or this edit of this picture.",
    ),
    Claim(
        "Fidelity bounds the gain",
        "R² of 0.27 between a judge's fidelity and accuracy, over sub-tasks",
        (
            Comparison("ladder-whole", "ladder-blur-4", "drawings as they are against blurred ones"),
            Comparison("ladder-whole", "ladder-noise-50", "against noisy ones"),
            Comparison("ladder-whole", "ladder-mix-75", "against ones that are mostly of another picture"),
        ),
        figures=("ladder",),
        remark="Fidelity is lowered on purpose here, so that nothing else differs; the paper compares sub-tasks. A "
        "decibel lost in one way does other harm than one lost in another, so the ways are told apart.",
    ),
    Claim(
        "Families of edits help different tasks",
        "gains above 10 points on 3D height and illusions; reading of text falls",
        (),
        figures=("transfer",),
    ),
    Claim(
        "Textual chain of thought hurts",
        "-4.8 points",
        (
            Comparison("chain-of-thought", DIRECT, "thinking in words before the answer"),
            Comparison("caption", DIRECT, "the instruction in words, in the place of the picture"),
        ),
        sign=-1,
        remark="`mini` cannot write a thought. The nearest that it can be given is the instruction in words, which it "
        "was never taught to read before a question.",
    ),
    Claim(
        "The thought beside the original beats the thought in its place",
        "+0.9 points for one fixed prompt (63.5 against 62.6)",
        (
            Comparison("gold", "gold-replace", "beside against in place of, with the edits that are known to help"),
            Comparison("fixed-concat", "fixed-replace", "the same with one fixed edit"),
            Comparison("self-unjudged", "self-replace", "the same with the model's own choice"),
        ),
    ),
    Claim(
        "Giving the reader the drawer's latents collapses",
        "-3.5 points (HallusionBench 50.9 to 42.2)",
        (Comparison("gold-latent", DIRECT, "picture and thought as the drawer sees them"),),
        sign=-1,
        remark="`mini` reads and draws from one and the same view, so that there is nothing to collapse; models with "
        "two views, such as BAGEL, run this arm.",
    ),
    Claim(
        "Models can imagine but do not know what to imagine",
        "own prompts 63.4, prompts by GPT-4o-mini 64.9",
        (
            Comparison("gold", "naive", "edits known to help against a choice without training"),
            Comparison("self-unjudged", "naive", "the trained choice against the one without training"),
            Comparison("gold", "self-unjudged", "edits known to help against the trained choice"),
        ),
        figures=("choices",),
        remark="Without training of the choice the claim is put to the test as the paper has it; what training brings "
        "stands beside it.",
    ),
)
"""The claims, in the paper's order."""


def judge(found: Difference, sign: int) -> str:
    """What an interval says of a claim."""
    low, high = sorted((sign * found.low, sign * found.high))
    return "holds" if low > 0 else "is reversed" if high < 0 else "is not shown"


def claims_page(results: Results, command: str) -> str:
    """The page in Markdown.

    Args:
        results: Of a study with the arms of the preset `paper-world`.
        command: That made it.
    """
    tables = make_tables(results)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("claims.md.j2").render(
        claims=[
            (claim, _compared(results, claim), [_figure(tables, name) for name in claim.figures]) for claim in CLAIMS
        ],
        judge=judge,
        show=show,
        command=command,
        paper=PAPER,
        results=results,
        items=sum(not item.paraphrase_of for item in results.items.values()),
    )


def _figure(tables: Mapping[str, Table], name: str) -> str:
    table, show_table = FIGURES[name]
    return show_table(tables) if table in tables else "The study has no arms for this."


def _compared(results: Results, claim: Claim) -> list[tuple[Comparison, Difference | None, str]]:
    """The differences of a claim; with the reason, where there is none."""
    rows: list[tuple[Comparison, Difference | None, str]] = []
    for one in claim.comparisons:
        missing = [arm for arm in (one.arm, one.other) if arm not in results.by_arm]
        if missing:
            reason = results.header.skipped.get(missing[0], f"The study has no arm {missing[0]!r}.")
            rows.append((one, None, reason))
            continue
        found = difference(arm_pairs(results, one.arm, one.other))
        rows.append((one, found, "" if found else "There is no item that both answered."))
    return rows


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
