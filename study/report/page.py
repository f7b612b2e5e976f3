"""A study as one HTML file that needs nothing from outside: tables, charts and a gallery of answers.

It works from a disk, on a phone, in the dark, by keyboard and on paper. Its script is named by hash in the page's own
security policy, so that no text of a question or an answer can ever run.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from g2u.files import write_atomic
from g2u.pictures.store import ImageStore

from ..running.model_folders import REPORT
from ..running.results import Results
from ..tables.table import Column, Kind, Table, Value, show
from .cards import Card, cards_of, pairs_of
from .gallery import build_gallery
from .parts import parts_of
from .summary import notes, summary

MOST_ROWS: Final = 200
"""Of a table on the page; its CSV file has all of them."""
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class _Asked:
    """What the page says of one study."""

    title: str
    facts: Mapping[str, str]
    arms: Table
    hashes: Mapping[str, str]


def render(results: Results, tables: Mapping[str, Table]) -> str:
    """The page of a study.

    Args:
        results: What it has found so far; an unfinished study has a page too.
        tables: By name, see `g2u.study.tables`; those in `parts` get a chart.
    """
    study = results.header.study
    return _render(
        [results],
        tables,
        cards_of(results),
        names=[""],
        title=f"{study.name}: a study of {study.model}",
        about=study.about,
        summary=summary(results, tables),
        notes=notes(results),
        gallery_of="answers",
        gallery_first="those that imagining fixed or broke first, then failures",
        gallery_about=(
            "Every answer with the original, the visual thought (the picture that the model drew before it answered) "
            "and the difference between the two; before is the direct answer from the original alone."
        ),
    )


def write_report(results: Results, tables: Mapping[str, Table]) -> Path:
    """Write the page to `report/index.html` in the study's folder, whole or not at all.

    Raises:
        OutputError: The folder cannot be written to.
    """
    path = results.folder / "report" / "index.html"
    write_atomic(path, render(results, tables).encode())
    return path


def render_comparison(a: Results, b: Results, tables: Mapping[str, Table]) -> str:
    """The page of two studies beside each other: tables, and the answers that are right in one of them alone.

    Answers are paired by arm, item and seed, where both studies ask the same about the same picture.
    """
    pairs, paired = pairs_of(a, b)
    told = [f"{letter}: {sentence}" for letter, each in zip("AB", (a, b), strict=True) for sentence in notes(each)]
    if not paired:
        told.append("No answer of one study has the same arm, item and seed in the other; there is nothing to pair.")
    return _render(
        [a, b],
        tables,
        pairs,
        names=["A", "B"],
        title=f"{a.folder} (A) and {b.folder} (B) compared",
        about=f"{paired:,} answers are in both studies; {len(pairs):,} of them are right in one alone.",
        summary="",
        notes=told,
        gallery_of="pairs of answers",
        gallery_first="a sample",
        gallery_about="Answers to the same question that are right in one study and wrong in the other.",
    )


def render_models(folder: Path, studies: Mapping[str, Results], table: Table) -> str:
    """The page of several models in one folder: what was asked of each, and every arm of all of them.

    Args:
        folder: That holds theirs.
        studies: By the name of the folder of each.
        table: Of `models_table`.
    """
    told = [f"{name}: {sentence}" for name, each in studies.items() for sentence in notes(each)]
    links = [Markup('<a href="../{}/{}/index.html">{}</a>').format(quote(name), REPORT, name) for name in studies]
    return _render(
        list(studies.values()),
        {table.name: table},
        [],
        names=list(studies),
        title=f"{folder}: {len(studies)} models",
        about=Markup("Each of them has a report of its own, with its answers: {}.").format(Markup(", ").join(links)),
        summary="",
        notes=told,
        gallery_of="answers",
        gallery_first="",
        gallery_about="",
    )


def _render(studies: Sequence[Results], tables: Mapping[str, Table], cards: Sequence[Card], **variables: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    stores = [ImageStore(results.folder / "pictures") for results in studies]
    parts, others = parts_of(tables)
    environment.globals.update(shown=_shown, interval=_interval, most_rows=MOST_ROWS)
    page = environment.get_template("page.html.j2").render(
        studies=[_asked(results) for results in studies],
        parts=parts,
        others=others,
        gallery=build_gallery(cards, stores),
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        **variables,
    )
    return page.lstrip()  # of what stands before the first line of the page


def _shown(value: Value, kind: Kind) -> str:
    """A cell without its interval."""
    return ("yes" if value else "no") if isinstance(value, bool) else show(value, kind)


def _interval(row: Mapping[str, Value], column: Column) -> str:
    """The 95 % interval of a cell as text; empty where there is none."""
    if not column.low or row.get(column.key) is None or row.get(column.low) is None or row.get(column.high) is None:
        return ""
    return f"{show(row[column.low], column.kind)} to {show(row[column.high], column.kind)}"


def _asked(results: Results) -> _Asked:
    header = results.header
    study, model = header.study, header.model
    own = [item for item in results.items.values() if not item.paraphrase_of]
    tasks = Counter(item.groups.get("task", "") for item in own)
    source = f"the world, {study.items.split}" if study.items.of_world else study.items.told
    facts = {
        "Folder": str(results.folder),
        "Model": ", ".join([model.model, *model.settings]),
        "Items": f"{len(own):,} from {source}",
        "Answers": f"{len(results.lines):,} of {results.expected:,}",
        "Arms": f"{len(results.arms)}",
        "Seeds": f"{study.seeds}",
    }
    if len(results.items) > len(own):
        facts["Paraphrases"] = f"{len(results.items) - len(own):,}, of the same items in other words"
    if header.versions:
        facts["Files"] = "; ".join(f"{name}: MD5 {version}" for name, version in header.versions.items())
    if set(tasks) != {""}:
        facts["Tasks"] = ", ".join(f"{name} ({count:,})" for name, count in sorted(tasks.items()) if name)
    facts["Variants tried"] = (
        "1, this one" if study.tried == 1 else f"{study.tried}, on a development split, before this study was fixed"
    )
    hashes = {"weights": model.weights, "items.jsonl": header.items, "code": f"g2u {model.code}, begun by {header.g2u}"}
    hashes |= {f"prompt {name}": value for name, value in sorted(header.prompts.items())}
    return _Asked(study.name, facts, _arms(results), hashes)


def _arms(results: Results) -> Table:
    """The settings of each arm."""
    columns = {
        "name": "arm", "about": "what it shows", "policy": "policy", "drawer": "drawer", "fusion": "fusion",
        "reflect": "judged", "rounds": "rounds",
    }  # fmt: skip
    rows = []
    for arm in results.arms:
        row = arm.model_dump(include=set(columns))
        rows.append(row | {"reflect": "yes" if arm.reflect else "no"})
    kinds = [Column(key, title, "count" if key == "rounds" else "text") for key, title in columns.items()]
    return Table("arm_settings", "Settings of the arms", "", kinds, rows)
