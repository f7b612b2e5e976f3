"""The `http.app` of the LangGraph server: routes under `/g2u`, the gate before its own routes, a warm model.

It is imported by its dotted name, so that it shares its modules, and with them the engine, with the graphs.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route

from ..engine.registry import engines, get_engine
from ..errors import G2UError
from ..pictures.links import in_address, server_url
from ..pictures.store import get_store
from ..state import Context
from ..turns import JOBS, Turns
from . import health, pictures
from .gate import Gate
from .problems import guarded
from .settings import served_model

_LOG = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Load the model while the server starts, and free it when it stops."""
    warming = asyncio.create_task(_warm())
    try:
        yield
    finally:
        warming.cancel()
        for engine in engines().values():
            await asyncio.to_thread(engine.close)


async def _warm() -> None:
    try:
        await get_engine(*served_model()).ready()
    except G2UError as error:  # `health` says so too, and every run does
        _LOG.error("The model cannot be loaded. %s", error.in_full)


def routes() -> list[BaseRoute]:
    """What is under `/g2u`: pictures, health and figures; MCP and the page where they are installed."""
    key, weights = served_model()
    # One store for all, wherever the runs are.
    context = Context(model=key, weights=weights, store=str(get_store().root))
    runs = Path(os.environ.get("G2U_RUNS", "runs"))
    turns = Turns(int(os.environ.get("N_JOBS_PER_WORKER") or JOBS))  # as the server's own queue reads it
    own: list[BaseRoute] = [
        Route("/pictures", guarded(pictures.take), methods=["POST"]),
        Route("/pictures/{sha256:path}", guarded(pictures.show), methods=["GET"]),
        Route("/health", guarded(health.health), methods=["GET"]),
        Route("/metrics", guarded(health.metrics), methods=["GET"]),
    ]
    if importlib.util.find_spec("mcp"):
        from ..plugins.mcp.http import mcp_app

        host = in_address(urlsplit(server_url()).hostname or "")
        own.append(Mount("/mcp", mcp_app(context, out=runs, turns=turns, hosts=[host])))
    if importlib.util.find_spec("g2u.webpage"):
        page = importlib.import_module("g2u.webpage")
        own.extend(page.routes(runs=runs, context=context, turns=turns))
    return own


for name in ("G2U_EDITS", "G2U_PICTURES", "G2U_WEIGHTS"):
    if path := os.environ.get(name):
        os.environ[name] = str(Path(path).expanduser().resolve())
os.environ.setdefault("G2U_PUBLIC_URL", os.environ.get("LANGGRAPH_API_URL") or "http://127.0.0.1:2024")
app = Starlette(routes=[Mount("/g2u", routes=routes())], middleware=[Middleware(Gate)], lifespan=lifespan)
