"""`g2u serve`: the graphs behind a LangGraph server."""

from __future__ import annotations

from typing import Annotated

import typer

from g2u.cli.output import say


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of that address.")] = 2024,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at the same time; they share the model's batches.")] = 16,
    model: Annotated[str, typer.Option(help="Loaded at once; `g2u models` lists them.")] = "mini",
    weights: Annotated[str, typer.Option(help="Folder of its weights, in place of the model's own.")] = "",
    pictures: Annotated[str, typer.Option(help="Folder of the image store; left out: $G2U_PICTURES.")] = "",
) -> None:
    """Serve the graphs to LangGraph Studio, chat clients and other programs, until Ctrl-C."""
    from g2u.serving.launch import serve as run

    run(host, port, jobs, model, weights, pictures, say)
