"""`g2u models`: what there is, and whether one keeps to the protocol."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .output import Json, print_json, say

models = typer.Typer(help="List the models, or check one.", invoke_without_command=True)


@models.callback()
def listing(context: typer.Context, json: Json = False) -> None:
    """List the models, or check one."""
    if context.invoked_subcommand:
        return
    from ..models import registry

    found = registry.models().values()
    if json:
        print_json([{"key": entry.key, "title": entry.title} for entry in found])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "what it is")
    for entry in found:
        table.add_row(entry.key, entry.title)
    Console().print(table)
    say("One of your own is named as package.module:load, or as path/to/file.py:load.")


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
