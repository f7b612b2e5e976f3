"""`g2u study`: do self-chosen edits fit the task? Arms x items x seeds, with controls and statistics."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import layout
from .output import NOTHING, Json, print_json, progress, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from g2u.study.running.results import Results
    from g2u.study.tables.table import Table

study = typer.Typer(help="The study: do self-chosen edits fit the task?", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Folder of a study.", show_default=False)]
Out = Annotated[Path, typer.Option(help="Folder of the study: new, or of a study to go on with or to let grow.")]
Preset = Annotated[str, typer.Option(help="A built-in study; `g2u study presets` lists them.")]
Config = Annotated[Path | None, typer.Option(help="A study of your own, a YAML file, in place of a preset.")]
Model = Annotated[str | None, typer.Option(help="`g2u models` lists them; left out: the study's own.")]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="KEY[=WEIGHTS]",
        help="`g2u models` lists them; left out: the study's own. Once for each where several are asked the same: then "
        "each has its study in a folder of its own below OUT.",
    ),
]
Weights = Annotated[str | None, typer.Option(help="Folder of weights; left out: the model's own.")]
Items = Annotated[int | None, typer.Option(help="How many items; left out: the study's own number.")]
Arms = Annotated[str, typer.Option(help="Names of arms, with commas: some of the study's, and built-in ones beside.")]
Seeds = Annotated[int | None, typer.Option(help="How many seeds of the drawer; left out: the study's own number.")]


class Program(StrEnum):
    """Whose files are written."""

    inspect = "inspect"


@study.command()
def run(
    out: Out,
    preset: Preset = "",
    config: Config = None,
    model: Models = None,
    weights: Weights = None,
    items: Items = None,
    seeds: Seeds = None,
    arms: Arms = "",
    split: Annotated[str | None, typer.Option(help="Of the world's items.")] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="`world`, a benchmark (`g2u bench list`), its TSV file or map, or a JSON Lines file; once for each."
        ),
    ] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Pass over rows of benchmarks that cannot be asked, and count them.")
    ] = False,
    reading: Annotated[
        str | None, typer.Option(help="How options are answered: scored, written or both; left out: the study's own.")
    ] = None,
    scorer: Annotated[str | None, typer.Option(help="Of the questions of a file that name none.")] = None,
    engine: Annotated[str, typer.Option(help="local, or ray: one engine in each actor.")] = "local",
    actors: Annotated[int, typer.Option(min=1, help="Of Ray.")] = 1,
    again: Annotated[bool, typer.Option("--again", help="Make the answers anew that failed before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it will take, from a few items.")] = False,
    json: Json = False,
) -> None:
    """Run a study, go on where it was interrupted, or let it grow; a line for each answer in OUT/lines.jsonl.

    On a folder that holds a study nothing else need be named. More seeds, items or arms are asked beside what is there,
    and no answer is asked for twice.
    """
    _check_extra()
    from typing import get_args

    from g2u.study.running.folder import header_in
    from g2u.study.running.forecast import forecast
    from g2u.study.running.growth import requested
    from g2u.study.running.model_folders import model_folders
    from g2u.study.running.runner import Where
    from g2u.study.running.runner import run as run_study

    from ..engine.registry import engines
    from ..errors import UnknownNameError
    from .studies import forecast_json, print_forecast, tell, told

    where: Where | None = next((one for one in get_args(Where) if one == engine), None)
    if where is None:
        raise UnknownNameError("engine", engine, get_args(Where))
    changes = {"seeds": seeds, "reading": reading}
    of_items = {"count": items, "split": split, "source": source or None, "scorer": scorer, "lenient": lenient or None}
    names = [name.strip() for name in arms.split(",") if name.strip()]
    folders = model_folders(out, model or [], weights)
    wanted = {}
    for folder, own in folders.items():  # all that can be refused at once is, before the first one runs
        there = header_in(folder)
        wanted[folder] = requested(there, _source(preset, config, bool(there)), names, **changes, **own, **of_items)
    if first := next(filter(None, wanted.values()), None):
        _say_cut(first)
    found: dict[str, Any] = {}
    for folder, asked in wanted.items():
        if several := len(folders) > 1:
            say(f"{folder.name}:")
        with progress() as bars:
            task = bars.add_task(f"answers of {folder.name}" if several else "answers", total=None)

            def show(done: int, total: int, task: TaskID = task, bars: Progress = bars) -> None:
                bars.update(task, completed=done, total=total)

            if dry_run:
                expected = forecast(asked, folder, again=again, on_progress=show)
            else:
                results = run_study(asked, folder, engine=where, actors=actors, again=again, on_progress=show)
        if several:  # one model at a time is in memory
            for held in engines().values():
                held.close()
        if json:
            found[folder.name] = forecast_json(expected) if dry_run else told(results)
        elif dry_run:
            print_forecast(expected, actors)
        else:
            tell(results)
    if json:
        print_json({"models": found} if len(folders) > 1 else next(iter(found.values())))
    elif not dry_run:
        say(f"Now look at it: g2u study report {out}")


@study.command()
def report(folder: Folder, json: Json = False) -> None:
    """Write DIR/report: one page for a browser, and every table as CSV and Parquet.

    Of a folder with the studies of several models each gets its report, and all of them one in DIR/report.
    """
    _check_extra()
    from g2u.study.report.models import models_table, write_models
    from g2u.study.report.summary import notes, summary
    from g2u.study.running.folder import HEADER, read_study
    from g2u.study.running.model_folders import REPORT, studies_in
    from g2u.study.tables.export import export

    from .studies import SHOWN, print_tables

    places = [] if (folder / HEADER).exists() else studies_in(folder)
    found = {}
    for place in places or [folder]:
        results = read_study(place)
        page, tables, files = _report(results)
        found[place.name] = results
        if json and not places:
            print_json({"page": str(page), "tables": {name: list(table.rows) for name, table in tables.items()}})
        if json:
            continue
        if not places:
            for line in filter(None, (*notes(results), summary(results, tables))):
                typer.echo(f"{line}\n")
            print_tables((table for name, table in tables.items() if name in SHOWN), "in {table}.csv and on the page")
        say(f"{page} and {len(files)} files of tables beside it.")
    if places:
        table = models_table(found)
        page, files = write_models(folder, found, table), export([table], folder / REPORT)
        if json:
            print_json({"page": str(page), "tables": {table.name: list(table.rows)}})
            return
        print_tables([table], "in {table}.csv and on the page")
        say(f"{page} and {len(files)} files of tables beside it.")


def _report(results: Results) -> tuple[Path, dict[str, Table], list[Path]]:
    """Write the report of one study: its page, tables and their files."""
    from g2u.study.report.page import write_report
    from g2u.study.tables import TABLES
    from g2u.study.tables.export import export

    with progress() as bars:
        task = bars.add_task("tables", total=len(TABLES))
        made = ((name, make(results)) for name, make in TABLES.items())
        tables = {name: table for name, table in bars.track(made, task_id=task) if table}
        page = write_report(results, tables)
    return page, tables, export(tables.values(), results.folder / "report")


@study.command()
def export(
    folder: Folder,
    to: Annotated[Program, typer.Option(help="inspect: a log for each arm, with its pictures.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
) -> None:
    """Write every answer of a study for another program."""
    _check_extra()
    from g2u.study.running.folder import read_study

    from ..plugins.inspect import export_study

    files = export_study(read_study(folder), out)
    for file in files:
        typer.echo(str(file))
    say(f"Now look at them: inspect view --log-dir {out}" if files else "The study has no answer yet.")


@study.command()
def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a study.", show_default=False)],
    second: Annotated[Path, typer.Argument(help="Folder of another, of the same items.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="HTML file to write as well.")] = None,
    json: Json = False,
) -> None:
    """Compare two studies item by item, arm by arm: what the second one gains or loses."""
    _check_extra()
    from g2u.study.report.compare import compare as compare_studies
    from g2u.study.report.page import render_comparison
    from g2u.study.running.folder import read_study

    from ..files import write_atomic
    from .studies import print_tables

    one, other = read_study(first), read_study(second)
    tables = compare_studies(one, other)
    if out:
        write_atomic(out, render_comparison(one, other, {table.name: table for table in tables}).encode())
    if json:
        print_json({table.name: list(table.rows) for table in tables})
        return
    print_tables(tables, "on the page (`--out`)")


@study.command()
def select(
    out: Out,
    variants: Annotated[Path, typer.Option(help="YAML file with the arms to pick from, a list.")],
    preset: Preset = "",
    config: Config = None,
    model: Model = None,
    weights: Weights = None,
    items: Items = None,
    seeds: Seeds = None,
    json: Json = False,
) -> None:
    """Pick the best of several arms on the development split, then show that one alone on the held-out items."""
    _check_extra()

    from g2u.study.grid.presets import load_arms, load_study
    from g2u.study.selection import select as select_arm

    changes = {"model": model, "weights": weights, "count": items, "seeds": seeds}
    wanted = load_study(_source(preset, config), **changes)
    arms = load_arms(variants)
    with progress() as bars:
        shown: dict[str, TaskID] = {}

        def show(part: str, done: int, total: int) -> None:
            if part not in shown:
                shown[part] = bars.add_task(part, total=total)
            bars.update(shown[part], completed=done)

        found = select_arm(wanted, arms, out, on_progress=show)
    if json:
        print_json({"development": found.scores, "best": found.best, "held_out": str(found.held_out.folder)})
        return
    for name, score in found.scores.items():
        typer.echo(f"{name}: {100 * score:.1f} % right on the development items")
    typer.echo(f"The best of {len(arms)}: {found.best}. On the held-out items: {found.held_out.folder}")


@study.command()
def presets(json: Json = False) -> None:
    """List the built-in studies."""
    from g2u.study.grid.presets import PRESETS, load_study, names
    from g2u.study.running.growth import count_of

    found = {name: load_study(name) for name in names(PRESETS)}
    if json:
        print_json({name: one.model_dump(mode="json") for name, one in found.items()})
        return
    for name, one in found.items():
        items = count_of(one.items) or "all"
        typer.echo(f"{name}: {len(one.arms)} arms, {items} items, {one.seeds} seeds. {one.about}")


@study.command()
def arms(json: Json = False) -> None:
    """List the built-in sets of arms."""
    from g2u.study.grid.presets import SETS, arms_of, names

    found = {name: arms_of([name]) for name in names(SETS)}
    if json:
        print_json({name: [arm.model_dump(mode="json") for arm in own] for name, own in found.items()})
        return
    headings = [layout.Heading(title, words=True) for title in ("arm", "what for", "policy", "drawer", "fusion")]
    for name, own in found.items():
        table = layout.Table(headings)
        for arm in own:
            table.add(arm.name, arm.about or NOTHING, arm.policy, arm.drawer, arm.fusion)
        layout.print_table(name, table)


def _check_extra() -> None:
    """Name the extra before the import of one of its packages fails."""
    from importlib.util import find_spec

    from ..errors import MissingExtraError

    for package in ("pyarrow", "scipy", "torchmetrics"):
        if find_spec(package) is None:
            raise MissingExtraError("A study", package, "study")


def _say_cut(wanted: Any) -> None:
    from g2u.study.benchmarks.sources import is_benchmark
    from g2u.study.grid.own import count_items

    items = wanted.items
    if items.of_world or not items.count or len(items.sources) != 1 or is_benchmark(items.sources[0]):
        return
    file = Path(items.sources[0])
    if file.exists() and items.count < (there := count_items(file)):  # without one `run` says what becomes of that
        say(f"{items.count:,} of {there:,} questions, the first of the file; `--items {there}` asks them all.")


def _source(preset: str, config: Path | None, optional: bool = False) -> str:
    """What `load_study` is given; empty where neither is named and neither need be."""
    from ..errors import SettingError

    if (preset and config) or not (preset or config or optional):
        hint = "Add `--preset quick` or `--config FILE.yaml`; a folder that holds a study goes on without."
        raise SettingError("Name either a preset or a file.", hint)
    return str(config) if config else preset
