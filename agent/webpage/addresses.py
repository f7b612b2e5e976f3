"""Addresses of the page, relative to where it is mounted.

| address | gives |
|---|---|
| `GET /` | the page |
| `GET /page/{file}` | its style and its scripts |
| `GET /world` | pictures of the world with their questions |
| `POST /ask` | a run, as server-sent events |
| `GET /runs?before=RUN&filter=WORDS` | past runs in short, the newest first |
| `GET /runs/{run}` | the events of a run |
| `GET /runs/{run}/page?download=1` | a run as one self-contained page, to look at or to keep |
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from ..asking import store_for
from ..edits.library import EditLibrary
from ..engine.registry import get_engine
from ..errors import UnknownPictureError
from ..loop.admission import MAX_QUESTION, admit
from ..pictures.intake import take_picture
from ..state import Context
from ..turns import Turns
from . import asked, past
from .asking import RunResponse, Watched
from .events import events_of_trace
from .gallery import SIZE, gallery
from .problems import RequestError, problem_response

POLICIES: Final = {
    "self": "the model picks what to imagine",
    "score": "the model weighs all edits and takes the likeliest",
    "probe": "a few edits are tried, and the one kept that leaves least doubt",
    "random": "lots are drawn",
    "none": "nobody: answer without imagining",
}
"""Who picks the edit, in words; beside these any edit can be fixed."""
STEPS: Final = {"mini": 8}
"""Steps of a drawing that the page asks for: those of `mini` are so few that there would be nothing to watch."""

_HERE: Final = Path(__file__).parent
_FILES: Final = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "answers.js": "text/javascript",
    "elements.js": "text/javascript",
    "form.js": "text/javascript",
    "past.js": "text/javascript",
    "rounds.js": "text/javascript",
    "run.js": "text/javascript",
    "stream.js": "text/javascript",
}
_SAFE: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Nothing from elsewhere, and nothing inline: not even what got into the page by mistake would run."""
_SAFE_RUN: Final = _SAFE | {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
    ),
}
"""The page of a run has its style and its pictures in it, and no script."""

Endpoint = Callable[[Request], Awaitable[Response]]


def build_routes(runs: Path, context: Context, turns: Turns) -> list[Route]:
    """The routes of the page, see `g2u.webpage.routes`."""
    store = functools.cache(lambda: store_for(context, runs))

    async def page(request: Request) -> Response:
        return HTMLResponse(await asyncio.to_thread(_page, context), headers=_SAFE)

    async def file(request: Request) -> Response:
        name = request.path_params["file"]
        if name not in _FILES:
            raise RequestError(404, f"The page has no file {name!r}.")
        content = await asyncio.to_thread((_HERE / name).read_bytes)
        return Response(content, media_type=_FILES[name], headers=_SAFE)

    async def world(request: Request) -> Response:
        return _json(await asyncio.to_thread(lambda: gallery(store())))

    async def ask(request: Request) -> Response:
        question = await asked.read_asked(request)
        try:
            await asyncio.to_thread(lambda: [take_picture(one, store()) for one in question.references])
        except UnknownPictureError as error:
            raise RequestError(404, "This server does not have that picture.", "Choose it again.") from error
        # What cannot be asked is told now and not when its turn comes.
        settings, pictures = question.settings.over(context), len(question.pictures)
        await admit(settings, question.question, question.options, pictures=pictures)
        watched = Watched(question, context, runs, turns)
        await watched.begun()
        return RunResponse(watched)

    async def list_runs(request: Request) -> Response:
        before, words = (request.query_params.get(name, "") for name in ("before", "filter"))
        return _json(await asyncio.to_thread(past.list_runs, runs, before, words))

    async def open_run(request: Request) -> Response:
        trace = await asyncio.to_thread(past.find_run, runs, request.path_params["run"])
        return _json(list(events_of_trace(trace)))

    async def page_of_run(request: Request) -> Response:
        name = request.path_params["run"]
        html = await asyncio.to_thread(past.page_of_run, runs, name)
        kept = {"Content-Disposition": f'attachment; filename="g2u-{name}.html"'}
        return HTMLResponse(html, headers=_SAFE_RUN | (kept if "download" in request.query_params else {}))

    table: list[tuple[str, str, Endpoint]] = [
        ("GET", "/", page),
        ("GET", "/page/{file}", file),
        ("GET", "/world", world),
        ("POST", "/ask", ask),
        ("GET", "/runs", list_runs),
        ("GET", "/runs/{run}", open_run),
        ("GET", "/runs/{run}/page", page_of_run),
    ]
    return [Route(path, _guarded(endpoint), methods=[method]) for method, path, endpoint in table]


def _guarded(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose errors are problems."""

    @functools.wraps(endpoint)
    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception as error:  # whatever fails is told as a problem, and logged
            return problem_response(request, error)

    return guarded


def _page(context: Context) -> str:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.j2").render(
        model=context.model,
        examples=SIZE,
        policies=POLICIES,
        edits=[edit for edit in EditLibrary.load() if edit.family != "none"],
        settings=asked.Settings(steps=STEPS.get(context.model)),
        most_pictures=_most_pictures(context),
        most_question=MAX_QUESTION,
        most_options=asked.MOST_OPTIONS,
        most_rounds=asked.MOST_ROUNDS,
        most_steps=asked.MOST_STEPS,
    )


def _most_pictures(context: Context) -> int:
    """That can be asked about at once; of a model that is not loaded yet nobody knows how many it takes."""
    engine = get_engine(context.model, context.weights)
    return min(asked.MOST_PICTURES, engine.model.capabilities.originals) if engine.loaded else asked.MOST_PICTURES


def _json(value: object) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(to_json(value, inf_nan_mode="strings"), media_type="application/json", headers=headers)
