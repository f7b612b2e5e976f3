"""`g2u models`: what there is, and whether one keeps to the protocol."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import Json, print_json, say

if TYPE_CHECKING:
    from ..models.entries import ModelEntry

models = typer.Typer(help="List the models, or check one.", invoke_without_command=True)


@models.callback()
def listing(context: typer.Context, json: Json = False) -> None:
    """List the models with what each can do, needs and was compared with; or check one."""
    if context.invoked_subcommand:
        return
    from ..models import registry

    rows = [_row(entry) for entry in registry.models().values()]
    if json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("model", "what it is", show_lines=True)
    for row in rows:
        told = Text(row["title"])
        for name, value in row.items():
            if value and name not in ("key", "title"):
                said = value if isinstance(value, str) else ", ".join(value)
                told.append(f"\n{name}: ", "dim").append(said)
        table.add_row(row["key"], told)
    Console().print(table)
    say("One of your own is named as package.module:load, or as path/to/file.py:load.")


def _row(entry: ModelEntry) -> dict[str, Any]:
    """All that is known of a model before it is loaded."""
    known = ("key", "title", "does", "licence", "memory", "installed", "compared")
    row = {name: getattr(entry, name) for name in known}
    return {**row, "source": entry.source or ", ".join(f"hf.co/{name}" for name in entry.repositories)}


@models.command()
def check(
    model: Annotated[str, typer.Argument(help="A key, package.module:load or path/to/file.py:load.")],
    weights: Annotated[str, typer.Option(help="Folder of weights, in place of the model's own.")] = "",
    json: Json = False,
) -> None:
    """Try every rule of the protocol on a model; exit code 1 when it breaks one."""
    from ..conformance.rules import Finding, check_conformance
    from ..models.registry import load_model

    loaded, found = load_model(model, weights), list[Finding]()
    for finding in check_conformance(loaded):
        found.append(finding)
        if not json:
            mark = {"passed": typer.style("passed", fg="green"), "failed": typer.style("FAILED", fg="red")}
            said = f": {finding.found}" if finding.status == "failed" else ""
            typer.echo(f"{mark.get(finding.status, finding.status)}  {finding.rule}{said}")
    broken = [one.rule for one in found if one.status == "failed"]
    tried = sum(one.status != "not declared" for one in found)
    if json:
        print_json({"model": asdict(loaded.identity), "rules": [asdict(one) for one in found]})
    elif broken:
        say(f"{model} breaks {len(broken)} of {tried} rules: {', '.join(broken)}.")
    else:
        say(f"{model} keeps to all {tried} rules for what it declares.")
    if broken:
        raise typer.Exit(1)
