"""The door of the server: who may call it, and bodies that are checked, and changed, before the server reads them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import G2UError, LargePictureError
from ..pictures.intake import HINT
from ..pictures.links import server_url
from . import checks, form
from .problems import DepthError, ForbiddenError, HostError, MediaTypeError, problem_of, problem_response
from .settings import CONFIG

MOST_BYTES: Final = 24 * 2**20
"""Of a body with its pictures in base64; larger ones are uploaded, which does not hold up others."""
MOST_KEPT: Final = 2**20
"""Of a body whose pictures are references, which is about what the server keeps of it."""
SAFE: Final = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing, and whose replies a browser keeps from foreign pages."""
LOOPBACK: Final = "/noauth"
"""Where the server mounts itself for requests within its process, of `langgraph_sdk.get_client()`; no other has it."""

_CORS: Final = CONFIG["http"]["cors"]

Check = Callable[[Any, str], Awaitable[Any]]
CHECKS: Final[tuple[tuple[str, type, Check], ...]] = (
    (r"(/threads/[^/]+)?/runs(/stream|/wait|/crons)?", dict, checks.check_run),
    (r"/runs/batch", list, checks.check_batch),
    (r"/runs/crons/[^/]+", dict, checks.check_schedule),
    (r"/threads/[^/]+/commands", dict, checks.check_command),
    (r"/threads(/[^/]+/state)?", dict, checks.check_state),
    (r"/assistants(/[^/]+)?", dict, checks.check_assistant),
)
"""Paths that start runs or write what runs read, what their bodies are, and who checks them."""


class Gate:
    """Middleware that refuses foreign callers and runs the checks; bodies that it does not know pass unread.

    Args:
        app: What comes behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Keep the app."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        refusal = _refusal(scope)
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send, refusal)
            return
        if refusal is not None:
            await _told(refusal)(scope, receive, send)
            return
        path = scope["path"].rstrip("/")
        if scope["method"] == "GET" and re.fullmatch(form.PATH, path):
            send = _rewritten(send, form.offer)
        found = [row for row in CHECKS if re.fullmatch(row[0], path)]
        if scope["method"] not in ("POST", "PATCH", "PUT") or not found:
            await self.app(scope, receive, send)
            return
        try:
            _check_media_type(scope)
            _, kind, check = found[0]
            body = await _read(receive)
            payload = await asyncio.to_thread(_parsed, body)
            if isinstance(payload, kind):
                body = await _checked(payload, check, path)
        except Exception as error:  # whatever fails here is told as a problem
            await _told(_named(error))(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        scope = {**scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}
        await self.app(scope, _replayed(body, receive), send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send, refusal: G2UError | None) -> None:
        """Commands of the event protocol."""
        if refusal is not None:
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.message[:100]})
            return

        async def checked() -> Message:
            while True:
                message = await receive()
                payload: object = None
                try:
                    payload = _parsed(message.get("text") or b"")
                    if not isinstance(payload, dict):
                        return message
                    body = await _checked(payload, checks.check_command, scope["path"])
                    return {**message, "text": body.decode()}
                except Exception as error:  # whatever fails here is told as a problem
                    problem = problem_of(_named(error))
                    identifier = payload.get("id") if isinstance(payload, dict) else None
                    told = {"type": "error", "id": identifier, "error": "invalid_argument"}
                    text = json.dumps({**told, "message": f"{problem['detail']} {problem['hint']}"})
                    await send({"type": "websocket.send", "text": text})

        await self.app(scope, checked, send)


def _refusal(scope: Scope) -> G2UError | None:
    """Why a request may not come in at all; a browser opens a socket for any page, so that one is never safe."""
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not _is_own(host) and not scope.get("root_path", "").startswith(LOOPBACK):
        hint = "Set $G2U_PUBLIC_URL to the address that clients know the server by, and start it again."
        return HostError(f"This server is not known as {host[:64]!r}.", hint)
    if (scope["type"] == "websocket" or scope["method"] not in SAFE) and not _may_call(headers):
        return ForbiddenError("This page may not call the server.", "Call it from Studio or from its own pages.")
    return None


def _is_own(host: str) -> bool:
    """Whether a `Host` is no foreign name that was made to lead here, whose pages would pass for the server's own."""
    names = {"localhost", urlsplit(server_url()).hostname}
    with suppress(ValueError):
        name = urlsplit(f"//{host}").hostname or ""
        return name in names or bool(ip_address(name))
    return False


def _may_call(headers: Headers) -> bool:
    """Whether a request comes from no web page, from one of the server's own or from one that is listed."""
    origin = headers.get("origin")
    own = urlsplit(origin or "").netloc == headers.get("host", "")
    listed = origin in _CORS["allow_origins"] or re.fullmatch(_CORS["allow_origin_regex"], origin or "")
    return not origin or own or bool(listed)


async def _checked(payload: Any, check: Check, path: str) -> bytes:
    """The body that the server may have in the place of the one that came."""
    body = json.dumps(await check(payload, path)).encode()
    if len(body) > MOST_KEPT:
        raise LargePictureError(f"A request has at most {MOST_KEPT / 2**20:g} MiB beside its pictures.", HINT)
    return body


def _told(error: Exception) -> ASGIApp:
    """A problem that Studio may read, too: the server's own CORS headers are set behind this door."""
    return CORSMiddleware(problem_response(error), **_CORS)


def _named(error: Exception) -> Exception:
    """An error by what it means here."""
    if isinstance(error, RecursionError):
        return DepthError("The request is nested too deeply.", "GET /docs shows what the server takes.")
    return error


def _check_media_type(scope: Scope) -> None:
    """Refuse what a form of any web page could send without being asked."""
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        hint = "Send it with the header Content-Type: application/json."
        raise MediaTypeError(f"A request of the kind {kind!r} is not taken; it must be JSON.", hint)


async def _read(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MOST_BYTES:
            raise LargePictureError(f"A request has at most {MOST_BYTES / 2**20:g} MiB.", HINT)
    return bytes(body)


def _parsed(body: bytes | str) -> object:
    """The body; `None` where it is no JSON, which the server itself tells."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def _rewritten(send: Send, change: Callable[[Any], Any]) -> Send:
    """Sends replies whose JSON is changed, those of errors excepted."""
    start: Message = {}
    body = bytearray()

    async def rewritten(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and message["status"] == 200:
            start = message
        elif start and message["type"] == "http.response.body":
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                changed = json.dumps(await asyncio.to_thread(lambda: change(json.loads(body)))).encode()
                headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
                await send({**start, "headers": [*headers, (b"content-length", str(len(changed)).encode())]})
                await send({**message, "body": changed})
        else:
            await send(message)

    return rewritten


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body once, and after it whatever the client does, such as going away."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
