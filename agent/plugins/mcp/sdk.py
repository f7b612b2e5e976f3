"""The package `mcp`, of either line: 1.27 and later, or 2.

This is the one module that knows them apart. What it is given and gives back is JSON as the protocol has it, so that
nothing else needs the types of a line.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from mcp import types
from mcp.server.lowlevel import Server
from mcp.shared import exceptions

from ...errors import G2UError

Json = dict[str, Any]
Told = Callable[[float, float, str], Awaitable[None]]
"""Tells the client how much is done, of how much, and what is being done; nothing where it did not ask for that."""
Method = Callable[[Mapping[str, Any], Told], Awaitable[Json]]
"""Answers a request: its parameters in, its result out."""

MISTAKE: Final = "That is a mistake of the server's own. Its log says more."
"""Told of what is no `G2UError`; its own words might say where things are on the server's disk."""

_LOG = logging.getLogger(__name__)
FIRST_LINE: Final = not hasattr(Server, "add_request_handler")
"""Whether it is the first that is installed."""
_MODELS: Final = {
    "tools/list": ("ListToolsRequest", "ListToolsResult"),
    "tools/call": ("CallToolRequest", "CallToolResult"),
    "resources/list": ("ListResourcesRequest", "ListResourcesResult"),
    "resources/templates/list": ("ListResourceTemplatesRequest", "ListResourceTemplatesResult"),
    "resources/read": ("ReadResourceRequest", "ReadResourceResult"),
}
"""Methods, and the types of the first line for their requests and results."""


def server_with(methods: Mapping[str, Method], *, name: str, version: str, instructions: str) -> Any:
    """A server without a transport.

    An error that a method raises is the reply to its request.

    Args:
        methods: By their names in the protocol, of those in `_MODELS`.
        name: Of the server.
        version: Of the server.
        instructions: For the clients' models.
    """
    server: Any = Server(name, version=version, instructions=instructions)
    for method, answer in methods.items():
        (_add_to_first_line if FIRST_LINE else _add_to_second_line)(server, method, answer)
    return server


def _add_to_first_line(server: Any, method: str, answer: Method) -> None:
    asked, answered = (getattr(types, kind) for kind in _MODELS[method])

    async def handle(request: Any) -> Any:
        context = server.request_context
        token = context.meta.progressToken if context.meta else None

        async def told(done: float, total: float, message: str) -> None:
            if token is not None:
                related = {"related_request_id": str(context.request_id)}
                await context.session.send_progress_notification(token, done, total, message, **related)

        given = request.params.model_dump(mode="json", by_alias=True) if request and request.params else {}
        return types.ServerResult(answered.model_validate(await _answered(answer, given, told)))

    server.request_handlers[asked] = handle


def _add_to_second_line(server: Any, method: str, answer: Method) -> None:
    # What its newest protocol wants beside a result: that it is one, and how long a client may keep a list or a
    # resource, which is not at all, since runs come at any time.
    beside = {"resultType": "complete"} | ({} if method == "tools/call" else {"ttlMs": 0, "cacheScope": "private"})

    async def handle(context: Any, params: object) -> Json:
        return {**await _answered(answer, context.params or {}, context.session.report_progress), **beside}

    server.add_request_handler(method, types.RequestParams, handle)


async def _answered(answer: Method, given: Mapping[str, Any], told: Told) -> Json:
    try:
        return await answer(given, told)
    except Exception as error:  # the line would tell its words, whatever they are
        refusal = types.ErrorData(code=types.INVALID_PARAMS, message=words_of(error))
        kind: Any = exceptions
        raise (kind.McpError(refusal) if FIRST_LINE else kind.MCPError.from_error_data(refusal)) from error


def words_of(error: Exception) -> str:
    """What a client is told of an error; of a mistake of ours the log alone tells more than that it happened."""
    if isinstance(error, G2UError):
        return str(error)
    _LOG.error("A request failed by a mistake of ours.", exc_info=error)
    return MISTAKE
