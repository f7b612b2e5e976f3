"""The door of the server: bodies of requests that start runs are checked, and changed, before the server reads them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from g2u.errors import LargePictureError
from g2u.serving import checks
from g2u.serving.problems import ForbiddenError, MediaTypeError, problem_of, problem_response
from g2u.serving.settings import CONFIG

MOST_BYTES: Final = 24 * 2**20
"""Of a body with its pictures in base64; larger ones are uploaded, which does not hold up others."""

_CORS: Final = CONFIG["http"]["cors"]

Check = Callable[[Any, str], Awaitable[Any]]
CHECKS: Final[tuple[tuple[str, type, Check], ...]] = (
    (r"(/threads/[^/]+)?/runs(/stream|/wait|/crons(/[^/]+)?)?", dict, checks.check_run),
    (r"/runs/batch", list, checks.check_batch),
    (r"/threads/[^/]+/commands", dict, checks.check_command),
    (r"/threads/[^/]+/state", dict, checks.check_state),
    (r"/assistants(/[^/]+)?", dict, checks.check_assistant),
)
"""Paths, what their bodies are, and who checks them."""


class Gate:
    """Middleware that runs the checks; what it does not know it lets through unread.

    Args:
        app: What comes behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Keep the app."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request."""
        path = str(scope.get("path", "")).rstrip("/")
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS") and not _may_call(scope):
            error = ForbiddenError("This page may not call the server.", "Call it from Studio or from its own pages.")
            await _refusal(error)(scope, receive, send)
            return
        found = [row for row in CHECKS if re.fullmatch(row[0], path)]
        if scope["type"] != "http" or scope["method"] not in ("POST", "PATCH", "PUT") or not found:
            await self.app(scope, receive, send)
            return
        _, kind, check = found[0]
        try:
            _check_media_type(scope)
            body = await _read(receive)
            payload = await asyncio.to_thread(_parsed, body)
            if isinstance(payload, kind):
                changed = await check(payload, path)
                body = body if changed is payload else json.dumps(changed).encode()
        except Exception as error:
            await _refusal(error)(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        scope = {**scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}
        await self.app(scope, _replayed(body, receive), send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Commands of the event protocol; a browser opens a socket for any page, so its page is looked at here."""
        if not _may_call(scope):
            await send({"type": "websocket.close", "code": 1008, "reason": "This page may not call the server."})
            return

        async def checked() -> Message:
            while True:
                message = await receive()
                payload = _parsed(message.get("text") or b"") if message["type"] == "websocket.receive" else None
                if not isinstance(payload, dict):
                    return message
                try:
                    return {**message, "text": json.dumps(await checks.check_command(payload, str(scope["path"])))}
                except Exception as error:
                    problem = problem_of(error)
                    told = {"type": "error", "id": payload.get("id"), "error": "invalid_argument"}
                    text = json.dumps({**told, "message": f"{problem['detail']} {problem['hint']}"})
                    await send({"type": "websocket.send", "text": text})

        await self.app(scope, checked, send)


def _refusal(error: Exception) -> ASGIApp:
    """The problem, which pages that may call can read: what the server does for that is behind this door."""
    return CORSMiddleware(problem_response(error), **_CORS)


def _may_call(scope: Scope) -> bool:
    """Whether a request comes from no web page, from one of the server's own or from one that is listed."""
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    own = urlsplit(origin or "").netloc == headers.get("host", "")
    listed = origin in _CORS["allow_origins"] or re.fullmatch(_CORS["allow_origin_regex"], origin or "")
    return not origin or own or bool(listed)


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
            hint = "Upload the picture with POST /g2u/pictures and name it by the reference of the reply."
            raise LargePictureError(f"A request has at most {MOST_BYTES / 2**20:g} MiB.", hint)
    return bytes(body)


def _parsed(body: bytes | str) -> object:
    """The body; `None` where it is no JSON, which the server itself tells."""
    try:
        return json.loads(body)
    except ValueError:
        return None


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
