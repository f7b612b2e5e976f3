"""The MCP server itself: its tools and resources under their names, and speaking over standard input and output."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.server.stdio import stdio_server
from pydantic import BaseModel, ValidationError

from ...edits.library import NONE, WRITTEN, EditLibrary
from ...errors import SettingError, UnknownNameError
from ...version import __version__
from ..tool import DESCRIPTION
from .sdk import Json, Told, server_with, words_of
from .service import EditResult, Imagine, ImagineResult, MakeEdit, Service


@dataclass(frozen=True)
class _Tool:
    arguments: type[BaseModel]
    result: type[BaseModel]
    about: str
    call: Callable[[Any, Told], Awaitable[Json]]

    def listed(self, name: str) -> Json:
        schemas = {"inputSchema": schema_of(self.arguments), "outputSchema": schema_of(self.result)}
        return {"name": name, "description": self.about, **schemas}


def mcp_server(service: Service) -> Any:
    """The server without a transport, of the line of `mcp` that is installed.

    Args:
        service: What it offers.
    """
    names = ", ".join(name for name in EditLibrary.load().names if name != NONE)
    about_edit = (
        "Let the vision model edit a picture: remove blur or noise, trace a path, mark what is asked, and more."
    )
    tools = {
        "imagine": _Tool(Imagine, ImagineResult, DESCRIPTION, service.imagine),
        "edit": _Tool(MakeEdit, EditResult, f"{about_edit} The edits are: {names}.", service.edit),
    }

    async def list_tools(given: Mapping[str, Any], told: Told) -> Json:
        return {"tools": [tool.listed(name) for name, tool in tools.items()]}

    async def call_tool(given: Mapping[str, Any], told: Told) -> Json:
        """Errors are results too: the client's model can mend its call."""
        try:
            name = given["name"]
            if name not in tools:
                raise UnknownNameError("tool", name, tools)
            try:
                arguments = tools[name].arguments.model_validate(given.get("arguments") or {})
            except ValidationError as error:
                raise _unusable(name, tools[name].arguments, error) from error
            return await tools[name].call(arguments, told)
        except Exception as error:  # whatever fails is told, by its own words where it is an error of a user
            return {"content": [{"type": "text", "text": words_of(error)}], "isError": True}

    async def list_resources(given: Mapping[str, Any], told: Told) -> Json:
        runs = (await asyncio.to_thread(service.runs)).traces
        named = [
            ("g2u://edits", "Edits", "application/json"),
            ("g2u://runs", "Runs, newest first", "application/json"),
            *((f"g2u://runs/{run.header.run}", run.header.question[:100], "application/jsonl") for run in runs),
        ]
        return {"resources": [{"uri": uri, "name": name, "mimeType": kind} for uri, name, kind in named]}

    async def list_templates(given: Mapping[str, Any], told: Told) -> Json:
        named = [
            ("g2u://runs/{run}", "Trace of a run", "application/jsonl"),
            ("g2u://pictures/{sha256}", "A picture", "image/png"),
        ]
        return {
            "resourceTemplates": [{"uriTemplate": uri, "name": name, "mimeType": kind} for uri, name, kind in named]
        }

    async def read_resource(given: Mapping[str, Any], told: Told) -> Json:
        content, kind = await asyncio.to_thread(service.read, str(given["uri"]))
        held = {"text": content} if isinstance(content, str) else {"blob": base64.b64encode(content).decode()}
        return {"contents": [{"uri": given["uri"], "mimeType": kind, **held}]}

    methods = {
        "tools/list": list_tools,
        "tools/call": call_tool,
        "resources/list": list_resources,
        "resources/templates/list": list_templates,
        "resources/read": read_resource,
    }
    return server_with(methods, name="g2u", version=__version__, instructions=DESCRIPTION)


async def serve_stdio(service: Service) -> None:
    """Speak over standard input and output until the client hangs up.

    Args:
        service: What is offered.
    """
    server = mcp_server(service)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def schema_of(model: type[BaseModel]) -> Json:
    """A JSON schema in the words that all providers of chat models know: no references, no further properties.

    Args:
        model: Of arguments or of a result.
    """
    schema = model.model_json_schema()
    named = schema.pop("$defs", {})

    def plain(part: Any) -> Any:
        if isinstance(part, list):
            return [plain(item) for item in part]
        if not isinstance(part, dict):
            return part
        part = {**named[part["$ref"].rpartition("/")[2]], **part} if "$ref" in part else part
        return {key: plain(value) for key, value in part.items() if key not in ("$ref", "additionalProperties")}

    found: Json = plain(schema)
    if model is MakeEdit:  # Gemini takes no object without properties
        found["properties"]["arguments"]["properties"] = arguments_of_edits()
    return found


def arguments_of_edits() -> Json:
    """Every argument of an edit: of which it is, and what it may be."""
    told: dict[str, list[str]] = {}
    library = EditLibrary.load()
    for edit in [*library, library.get(WRITTEN)]:
        for name, argument in edit.arguments.items():
            choices = f" One of {', '.join(argument.choices)}." if argument.choices else ""
            told.setdefault(name, []).append(f"Of `{edit.name}`: {argument.about}{choices}")
    return {name: {"type": "string", "description": " ".join(about)} for name, about in told.items()}


def _unusable(name: str, arguments: type[BaseModel], error: ValidationError) -> SettingError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    hint = f"It takes: {', '.join(arguments.model_fields)}." if first["type"] == "extra_forbidden" else ""
    return SettingError(f"The argument {where!r} of {name!r} cannot be used: {first['msg']}.", hint)
