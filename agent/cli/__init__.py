"""The command line: `g2u COMMAND`. Each command imports what it needs when it runs, so that help is quick."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import G2UError
from ..version import __version__
from .ask import ask
from .bench import bench
from .demo import demo
from .doctor import doctor
from .mcp import mcp
from .models import models
from .output import say
from .serve import serve
from .servers import verify_server
from .sheets import ablations, curve, matrix, sheet
from .study import study
from .tables import edits
from .trace import trace
from .world import world


class Commands(TyperGroup):
    """Turns what a user can mend into one line on standard error and exit code 2, and Ctrl-C into 130."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except G2UError as error:
            say(f"Error: {error.in_full}")
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            say("Stopped.")
            raise typer.Exit(130) from error


app = typer.Typer(
    cls=Commands,
    help="Unified multimodal models that imagine before they answer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Unified multimodal models that imagine before they answer."""


for command in (demo, ask, edits, serve, mcp, doctor, verify_server):
    app.command()(command)
for shown in (sheet, matrix, curve, ablations):
    world.command()(shown)
app.add_typer(models, name="models")
app.add_typer(world, name="world")
app.add_typer(study, name="study")
app.add_typer(bench, name="bench")
app.add_typer(trace, name="trace")


def main() -> None:
    """Entry point of the `g2u` command."""
    app()
