"""A server of the page alone, with the two routes of pictures that it needs beside its own."""

from __future__ import annotations

import asyncio
import contextlib
import io
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from g2u import webpage
from g2u.errors import PictureError
from g2u.pictures.store import ImageStore
from g2u.state import Context
from g2u.turns import Turns
from g2u.webpage.problems import problem_response


@dataclass(frozen=True)
class Place:
    """Where the page is."""

    url: str
    runs: Path
    server: uvicorn.Server

    @property
    def store(self) -> ImageStore:
        """Of its pictures."""
        return ImageStore(self.runs / "pictures", max_bytes=2**20)


def application(runs: Path, context: Context | None = None, turns: Turns | None = None) -> Starlette:
    """The page under `/g2u/`, and a stand-in for the routes of pictures."""
    store = ImageStore(runs / "pictures", max_bytes=2**20)

    async def give(request: Request) -> Response:
        try:
            image = store.open(request.path_params["sha"])
        except PictureError as error:
            return problem_response(request, error)
        size = int(request.query_params.get("size", 4096))
        image.thumbnail((size, size))
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return Response(buffer.getvalue(), media_type="image/png")

    async def take(request: Request) -> Response:
        assert request.headers["content-type"] == "application/octet-stream"
        data = await request.body()

        def add() -> Response:
            with tempfile.NamedTemporaryFile() as file:
                file.write(data)
                file.flush()
                return JSONResponse(store.add_file(file.name).model_dump(), 201)

        try:
            return await asyncio.to_thread(add)
        except PictureError as error:
            return problem_response(request, error)

    pictures = [Route("/pictures/{sha}", give), Route("/pictures", take, methods=["POST"])]
    return Starlette(routes=[Mount("/g2u", routes=[*webpage.routes(runs, context, turns), *pictures])])


@contextlib.contextmanager
def served(runs: Path, context: Context | None = None, turns: Turns | None = None) -> Iterator[Place]:
    """Serve it on a free port from a thread of its own."""
    app = application(runs, context, turns)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive(), "the server did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Place(f"http://127.0.0.1:{port}/g2u/", runs, server)
    finally:
        server.should_exit = True
        thread.join()
