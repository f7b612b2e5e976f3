"""`g2u serve`: the graphs behind a LangGraph server."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import say


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of that address.")] = 2024,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at the same time; they share the model's batches.")] = 16,
    model: Annotated[str | None, typer.Option(help="One of `g2u models`; left out: $G2U_MODEL, or mini.")] = None,
    weights: Annotated[str | None, typer.Option(help="Folder of its weights; left out: $G2U_WEIGHTS.")] = None,
    store: Annotated[str | None, typer.Option(help="Folder of the image store; left out: $G2U_PICTURES.")] = None,
) -> None:
    """Serve the graphs to LangGraph Studio, chat clients and other programs, until Ctrl-C."""
    from ..serving.launch import serve as run

    chosen = {"G2U_MODEL": model, "G2U_WEIGHTS": weights, "G2U_PICTURES": store}
    run(host, port, jobs, {name: value for name, value in chosen.items() if value is not None}, say)
