"""The MCP server itself: its tools and resources under their names, and speaking over standard input and output."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import McpError
from pydantic import AnyUrl, BaseModel, ValidationError

from ...edits.library import NONE, EditLibrary
from ...errors import G2UError, SettingError, UnknownNameError
from ...version import __version__
from ..tool import DESCRIPTION
from .service import Imagine, MakeEdit, Service, Told


@dataclass(frozen=True)
class _Tool:
    arguments: type[BaseModel]
    about: str
    call: Callable[[Any, Told], Awaitable[types.CallToolResult]]


def mcp_server(service: Service) -> Server[Any, Any]:
    """The server without a transport.

    Args:
        service: What it offers.
    """
    server: Server[Any, Any] = Server("g2u", version=__version__, instructions=DESCRIPTION)
    names = ", ".join(name for name in EditLibrary.load().names if name != NONE)
    about_edit = (
        "Let the vision model edit a picture: remove blur or noise, trace a path, mark what is asked, and more."
    )
    tools = {
        "imagine": _Tool(Imagine, DESCRIPTION, service.imagine),
        "edit": _Tool(MakeEdit, f"{about_edit} The edits are: {names}.", service.edit),
    }

    async def told(done: int) -> None:
        request = server.request_context
        token = request.meta.progressToken if request.meta else None
        if token is not None:
            await request.session.send_progress_notification(token, done, related_request_id=str(request.request_id))

    async def list_tools() -> list[types.Tool]:
        return [
            types.Tool(name=name, description=tool.about, inputSchema=tool.arguments.model_json_schema())
            for name, tool in tools.items()
        ]

    async def call_tool(name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        if name not in tools:
            raise UnknownNameError("tool", name, tools)
        try:
            given = tools[name].arguments.model_validate(arguments)
        except ValidationError as error:
            raise _unusable(name, error) from error
        return await tools[name].call(given, told)

    async def list_resources() -> list[types.Resource]:
        runs = (await asyncio.to_thread(service.runs)).traces
        named = [
            ("g2u://edits", "Edits", "application/json"),
            ("g2u://runs", "Runs, newest first", "application/json"),
            *((f"g2u://runs/{run.header.run}", run.header.question[:100], "application/jsonl") for run in runs),
        ]
        return [types.Resource(uri=AnyUrl(uri), name=name, mimeType=kind) for uri, name, kind in named]

    async def list_templates() -> list[types.ResourceTemplate]:
        named = [
            ("g2u://runs/{run}", "Trace of a run", "application/jsonl"),
            ("g2u://pictures/{sha256}", "A picture", "image/png"),
        ]
        return [types.ResourceTemplate(uriTemplate=uri, name=name, mimeType=kind) for uri, name, kind in named]

    async def read_resource(uri: AnyUrl) -> Iterable[ReadResourceContents]:
        try:
            content, kind = await asyncio.to_thread(service.read, str(uri))
        except G2UError as error:
            raise McpError(types.ErrorData(code=types.INVALID_PARAMS, message=str(error))) from error
        return [ReadResourceContents(content=content, mime_type=kind)]

    server.list_tools()(list_tools)  # type: ignore[no-untyped-call]  # mcp leaves it untyped
    server.call_tool(validate_input=False)(call_tool)  # by pydantic, which says more
    server.list_resources()(list_resources)  # type: ignore[no-untyped-call]  # mcp leaves it untyped
    server.list_resource_templates()(list_templates)  # type: ignore[no-untyped-call]  # mcp leaves it untyped
    server.read_resource()(read_resource)  # type: ignore[no-untyped-call]  # mcp leaves it untyped
    return server


async def serve_stdio(service: Service) -> None:
    """Speak over standard input and output until the client hangs up.

    Args:
        service: What is offered.
    """
    server = mcp_server(service)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _unusable(name: str, error: ValidationError) -> SettingError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return SettingError(f"The argument {where!r} of {name!r} cannot be used: {first['msg']}.")
