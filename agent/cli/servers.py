"""`g2u verify-server`: whether a server heeds what it is sent."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import SettingError
from .output import Json, print_json, say

if TYPE_CHECKING:
    from ..models.remote.settings import Remote


def verify_server(
    url: Annotated[
        str, typer.Argument(help="Of a server, such as http://127.0.0.1:8000/v1; left out: as `remote` is set.")
    ] = "",
    model: Annotated[str, typer.Option(help="What the server calls its model; left out: the only one it has.")] = "",
    editor_url: Annotated[str, typer.Option(help="Of another server that draws.")] = "",
    editor_model: Annotated[str, typer.Option(help="What draws there; left out: as for reading.")] = "",
    dialect: Annotated[str, typer.Option(help="How the server calls things: open, openai.")] = "",
    only: Annotated[str, typer.Option(help="Ask the `reader` alone.")] = "",
    weights: Annotated[str, typer.Option(help="YAML file of servers, in the place of an address.")] = "",
    json: Json = False,
) -> None:
    """Ask a server what only one that heeds text, pictures, seed and size can answer; exit code 1 for any fault."""
    if only not in ("", "reader"):
        raise SettingError(f"`--only` takes `reader`, not {only!r}.")
    if url and weights:
        raise SettingError("Both an address and a file of servers were named.", "Name one of them.")
    from ..conformance.servers import verify_server as verify
    from ..models.remote.load import keys_of
    from ..models.remote.model import RemoteModel
    from ..models.remote.settings import read_settings

    settings = read_settings(weights) if not url else _named(url, model, editor_url, editor_model, dialect)
    if only:
        settings = settings.model_copy(update={"editor": None})
    found = []
    for finding in verify(RemoteModel(settings, keys_of(settings))):
        found.append(finding)
        if not json:
            good = finding.status == "heeded"
            typer.echo(
                f"{typer.style(finding.status, fg='green' if good else 'red')}  {finding.demand}: {finding.found}"
            )
            for line in () if good else filter(None, (finding.means, finding.remedy)):
                typer.echo(f"    {line}")
    faults = [one.demand for one in found if one.status != "heeded"]
    if json:
        print_json({"servers": settings.told, "demands": [asdict(one) for one in found]})
    elif faults:
        say(f"{len(faults)} of {len(found)} demands are not met: {', '.join(faults)}.")
    else:
        say(f"All {len(found)} demands are met.")
    if faults:
        raise typer.Exit(1)


def _named(url: str, model: str, editor_url: str, editor_model: str, dialect: str) -> Remote:
    """Settings of servers that were named on the command line."""
    from ..models.remote.settings import settings_of

    given: dict[str, Any] = {"dialect": dialect} if dialect else {}
    reader = {**given, "url": url, "model": model or "?"}
    editor = {**given, "url": editor_url or url, "model": editor_model or model or "?"}
    settings = settings_of({"reader": reader, "editor": editor}, "the command line")
    if model and (editor_model or not editor_url):
        return settings
    reader["model"] = model or _only_model(settings, "reader")
    editor["model"] = editor_model or (_only_model(settings, "editor") if editor_url else reader["model"])
    return settings_of({"reader": reader, "editor": editor}, "the command line")


def _only_model(settings: Remote, what: str) -> str:
    """The model of a server that has one.

    Raises:
        G2UError: It cannot be asked, or has none or several.
    """
    from ..errors import G2UError
    from ..models.remote.load import keys_of
    from ..models.remote.model import RemoteModel
    from ..models.remote.needs import served

    (found,) = served(RemoteModel(settings, keys_of(settings)), what)
    if isinstance(found, G2UError):
        raise found
    if len(found) != 1:
        told = f"has {len(found)}: {', '.join(found[:8])}" if found else "names none"
        option = "--model" if what == "reader" else "--editor-model"
        raise SettingError(f"No model was named, and the server {told}.", f"Add `{option} NAME`.")
    return found[0]
