"""`g2u bench`: benchmarks of others, and whether they are here and can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import layout
from .output import NOTHING, Json, print_json, progress, say
from .scores import export, import_, score

if TYPE_CHECKING:
    from g2u.study.benchmarks.catalogue import Benchmark
    from g2u.study.benchmarks.checking import Checked
    from g2u.study.benchmarks.sources import Source

bench = typer.Typer(help="Benchmarks of others: their data and their scores.", no_args_is_help=True)

bench.command()(score)
bench.command()(export)
bench.command(name="import")(import_)

SHOWN = 20
"""Faults that are printed; all are counted."""


@bench.command(name="list")
def listed(json: Json = False) -> None:
    """List the benchmarks that are known by name, and which are here."""
    from g2u.study.benchmarks.cache import cache_folder, found_file, kit_folder
    from g2u.study.benchmarks.catalogue import benchmarks

    found = {name: found_file(one) for name, one in benchmarks().items()}
    if json:
        told = {
            name: {**one.model_dump(mode="json"), "file": str(found[name] or "")} for name, one in benchmarks().items()
        }
        print_json(told)
        return
    titles = {"benchmark": True, "rows": False, "form": True, "VLMEvalKit": True, "lmms-eval": True, "file": True}
    table = layout.Table([layout.Heading(title, words) for title, words in titles.items()])
    for name, one in benchmarks().items():
        rows = f"{one.rows:,}" if one.rows else NOTHING
        table.add(
            name, rows, one.form, name if one.kit else NOTHING, one.lmms or NOTHING, _state(one, bool(found[name]))
        )
    layout.print_table("benchmarks", table)
    typer.echo(f"Files are looked for in {cache_folder()} and in {kit_folder()}.")
    typer.echo(
        "One that is missing: `g2u bench check NAME --download`. What is known of each: `g2u bench list --json`."
    )


@bench.command()
def check(
    source: Annotated[
        str, typer.Argument(help="Name of a benchmark, or a TSV file, a column map or a task of lmms-eval.")
    ],
    lenient: Annotated[bool, typer.Option("--lenient", help="Rows that cannot be asked are only counted.")] = False,
    download: Annotated[bool, typer.Option("--download", help="Fetch what is not here.")] = False,
    json: Json = False,
) -> None:
    """Check the sum and columns of a benchmark, every row and every picture; exit code 1 where a row has a fault."""
    from g2u.study.benchmarks.checking import check as check_rows
    from g2u.study.benchmarks.sources import open_source

    with progress() as bars:
        if download:
            _fetch(source, bars)
        opened = open_source(source, download=download)
        task = bars.add_task("rows", total=opened.benchmark.rows)
        found = check_rows(opened, lambda rows: bars.update(task, completed=rows))
    if json:
        print_json(_told(opened, found))
    else:
        for name, value in _told(opened, found).items():
            if name != "faults":
                typer.echo(f"{name}: {_line(value)}")
    for fault in [] if json else found.faults[:SHOWN]:
        say(fault)
    if found.faults:
        more = f", the first {SHOWN} are above" if len(found.faults) > SHOWN and not json else ""
        say(f"{len(found.faults)} of {found.rows + found.without + len(found.faults)} rows cannot be asked{more}.")
        if not lenient:
            say("To pass over such rows, and count them: `--lenient`, here and in `g2u study run`.")
            raise typer.Exit(1)


def _fetch(source: str, bars: Any) -> None:
    """Fetch the file of a benchmark that is known by name, and show how far that is."""
    from g2u.study.benchmarks.cache import fetch
    from g2u.study.benchmarks.catalogue import benchmarks

    known = benchmarks().get(source)
    if known is not None and not known.parts:
        task = bars.add_task("bytes", total=None)
        fetch(known, lambda done, total: bars.update(task, completed=done, total=total or None))


def _state(benchmark: Benchmark, here: bool) -> str:
    if benchmark.parts:
        return f"those of {', '.join(benchmark.parts)}"
    if not benchmark.public:
        return "not public"
    return "here" if here else "missing" if benchmark.url else "not published"


def _told(source: Source, found: Checked) -> dict[str, Any]:
    version, known = source.version, source.benchmark
    sums = "checked" if version else "not known" if not known.versions else "not checked: a file of your own"
    return {
        "benchmark": source.name,
        "file": str(source.path),
        "version": f"{version.what} ({version.md5})" if version else "",
        "sum": sums,
        "form": known.form,
        "columns": source.reader.columns,
        "rows": found.rows,
        "pictures": found.pictures,
        "rows without a picture": found.without,
        "clusters": found.clusters,
        "groups": found.groups,
        "withheld": known.withheld,
        "faults": found.faults,
    }


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} ({number})" for name, number in value.items()) or NOTHING
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value) or NOTHING
