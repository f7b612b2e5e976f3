"""`g2u trace`: look at runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .output import say

trace = typer.Typer(help="Look at runs.", no_args_is_help=True)


@trace.command()
def show(
    run: Annotated[Path, typer.Argument(help="A run, or a folder above runs: the newest is shown.")] = Path("runs"),
) -> None:
    """Show a run in the terminal: its pictures, edits, verdicts and both answers."""
    from rich.console import Console

    from ..errors import TraceError
    from ..traces.terminal import show_trace
    from ..traces.trace import FILE_NAME, read_trace, store_of

    # Names of runs begin with their time, wherever they are.
    newest = max((path.parent for path in run.rglob(FILE_NAME)), key=lambda folder: folder.name, default=None)
    if newest is None:
        raise TraceError(f"There is no run in {str(run)!r}.", "Make one: `g2u ask PICTURE QUESTION`.")
    found = read_trace(newest)
    show_trace(found, store_of(found), Console())


@trace.command(name="open")
def open_viewer(
    folder: Annotated[Path, typer.Argument(help="A folder above runs, or one run.")] = Path("runs"),
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Write a page that lists, filters and compares the runs of a folder, and open it."""
    import webbrowser

    from ..traces.trace import FILE_NAME
    from ..traces.viewer import RUN_PAGE, write_viewer

    page = folder / RUN_PAGE if (folder / FILE_NAME).is_file() else write_viewer(folder)
    typer.echo(str(page))
    if browser and not webbrowser.open(page.resolve().as_uri()):
        say("No browser could be opened; open that file yourself.")


class Target(StrEnum):
    """Where recorded runs can go."""

    otel = "otel"
    mlflow = "mlflow"
    inspect = "inspect"


@trace.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run, or a folder above runs: all of them are sent.")],
    to: Annotated[
        Target,
        typer.Option(
            help="otel: $OTEL_EXPORTER_OTLP_ENDPOINT; mlflow: $MLFLOW_TRACKING_URI; inspect: a file, `--out`."
        ),
    ],
    content: Annotated[
        bool, typer.Option(help="Send questions, answers and instructions too, with otel; pictures never are.")
    ] = False,
    experiment: Annotated[str, typer.Option(help="Of MLflow.")] = "g2u",
    out: Annotated[
        Path | None, typer.Option(help="The file of Inspect, such as runs.eval; pictures are in it.")
    ] = None,
) -> None:
    """Send recorded runs, also of long ago, to an OpenTelemetry collector or to MLflow, or write them for Inspect."""
    from ..errors import SettingError, TraceError
    from ..traces.catalogue import find_runs

    found = find_runs(run)
    for what in found.unreadable:
        say(f"Left out: {what}")
    if not found.traces:
        raise TraceError(f"There is no run in {str(run)!r}.", "Make one: `g2u ask PICTURE QUESTION`.")
    if (to is Target.inspect) != (out is not None):
        hint = "Write `--to inspect --out runs.eval`."
        raise SettingError("A file is written for Inspect, and for no other: `--to inspect` needs `--out FILE`.", hint)
    if out:
        from ..plugins.inspect import export_runs

        file = export_runs(found.traces, out)
        say(f"{_runs(len(found.traces))} in {file}. Look at it: inspect view --log-dir {file.parent}")
        return
    if to is Target.otel:
        from ..plugins.otel import export_otel

        export_otel(found.traces, content=content)
        say(f"{_runs(len(found.traces))} sent. A collector does not say which of them it had already.")
        return
    from ..plugins.mlflow import export_mlflow

    made = len(export_mlflow(found.traces, experiment))
    known = len(found.traces) - made
    there = f" {_runs(known)} {'were' if known > 1 else 'was'} there already." if known else ""
    say(f"{_runs(made)} sent to the experiment {experiment!r}.{there}")


def _runs(number: int) -> str:
    return f"{number or 'No'} run{'' if number == 1 else 's'}"
