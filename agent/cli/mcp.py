"""`g2u mcp`: the MCP server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import say


def mcp(
    http: Annotated[
        bool, typer.Option("--http", help="Streamable HTTP, in place of standard input and output.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on, with --http.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on, with --http.")] = 8765,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Name that clients may call this server by, with --http.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Clients may name picture files in it; left out: this folder, or none with --http."),
    ] = None,
    model: Annotated[str, typer.Option(help="`g2u models` lists them.")] = "mini",
    weights: Annotated[str, typer.Option(help="Folder of weights, in place of the model's own.")] = "",
    policy: Annotated[str, typer.Option(help="Who picks the edit, as for `g2u ask`.")] = "self",
    rounds: Annotated[int, typer.Option(help="Thoughts at most.")] = 2,
    seconds: Annotated[float, typer.Option(help="Time of a run.")] = 600.0,
    images: Annotated[
        bool, typer.Option(help="Send drawings as pictures; without, for chat models that take none from a tool.")
    ] = True,
    out: Annotated[Path, typer.Option(help="Where the runs' own folders are made.")] = Path("runs"),
) -> None:
    """Serve the model to programs that speak MCP, over standard input and output or HTTP."""
    import asyncio

    from ..engine.registry import get_engine
    from ..errors import MissingExtraError
    from ..models.registry import find_loader
    from ..plugins.mcp.service import service_of

    find_loader(model)
    get_engine(model, weights)  # a name that does not exist is told now
    if folder is None and not http:
        folder = Path(".")
    service = service_of(
        out=out,
        folder=folder,
        images=images,
        model=model,
        weights=weights,
        policy=policy,
        rounds=rounds,
        seconds=seconds,
    )
    if not http:
        from ..plugins.mcp.server import serve_stdio

        asyncio.run(serve_stdio(service))
        return
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtraError("The MCP server over HTTP", "uvicorn", "mcp") from error
    from ..pictures.links import in_address
    from ..plugins.mcp.http import McpApp

    say(f"MCP at http://{in_address(host)}:{port}/mcp")
    uvicorn.run(McpApp(service, [in_address(host), *(allow_host or [])]), host=host, port=port, log_level="warning")
