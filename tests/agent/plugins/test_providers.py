"""What the tools give, in the requests that packages of providers make of it; each checked by the provider's own types.

No request is sent: the packages build them here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import MessageParam
from google.genai import types as google
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langchain_openai import ChatOpenAI
from openai.types.chat import ChatCompletionMessageParam
from openai.types.responses import ResponseInputParam
from pydantic import TypeAdapter, ValidationError

import g2u
from tests.agent.plugins.servers import FREE, serving
from tests.scripted import ScriptedModel

SETTINGS: dict[str, Any] = {"model": "scripted", "policy": "fixed:deblur", "reflect": False}
ASKED = {"picture": "picture.png", "question": "Which?"}
Json = dict[str, Any]


def chat_completions(messages: list[Any], tools: list[BaseTool]) -> Json:
    model = ChatOpenAI(model="gpt-5-mini", api_key="none", use_responses_api=False)
    payload: Json = model._get_request_payload(messages, **model.bind_tools(tools).kwargs)
    return payload


def responses(messages: list[Any], tools: list[BaseTool]) -> Json:
    model = ChatOpenAI(model="gpt-5-mini", api_key="none", use_responses_api=True)
    payload: Json = model._get_request_payload(messages, **model.bind_tools(tools).kwargs)
    return payload


def anthropic(messages: list[Any], tools: list[BaseTool]) -> Json:
    model = ChatAnthropic(model="claude-sonnet-4-5", api_key="none")
    payload: Json = model._get_request_payload(messages, **model.bind_tools(tools).kwargs)
    return payload


def gemini(messages: list[Any], tools: list[BaseTool]) -> Json:
    model = ChatGoogleGenerativeAI(model="gemini-3-flash", api_key="none")
    request = model._prepare_request(messages, **model.bind_tools(tools).kwargs)
    assert all(isinstance(content, google.Content) for content in request["contents"])
    dumped = [content.model_dump(exclude_none=True, warnings=False) for content in request["contents"]]
    declared = request["config"].model_dump(exclude_none=True, warnings=False, mode="json")["tools"]
    return {"contents": dumped, "tools": declared}


BUILDERS: dict[str, Callable[[list[Any], list[BaseTool]], Json]] = {
    "responses": responses,
    "anthropic": anthropic,
    "gemini": gemini,
    "chat completions": chat_completions,
}
TYPES: dict[str, tuple[str, Any]] = {
    "responses": ("input", ResponseInputParam),
    "anthropic": ("messages", list[MessageParam]),
    "chat completions": ("messages", list[ChatCompletionMessageParam]),
}
"""Where the messages of a request are, and what its provider's own package says that they are."""
PICTURE = {"responses": "input_image", "anthropic": "image", "gemini": "inline_data", "chat completions": "image_url"}
"""What each calls a picture."""


def checked(provider: str, request: Json) -> list[Json]:
    """The messages of a request, if they are what the provider takes."""
    if provider not in TYPES:
        return list(request["contents"])  # made of its types
    name, kind = TYPES[provider]
    adapter: TypeAdapter[Any] = TypeAdapter(kind)  # kept as long as what it has validated is read
    _read(adapter.validate_python(request[name]))
    messages: list[Json] = request[name]
    return messages


def _read(found: Any) -> None:
    """What is declared as an iterable is validated as it is read, and not before."""
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, Iterable) and not isinstance(found, str | bytes):
        for item in found:
            _read(item)


def parts_of(request: Any) -> list[str]:
    """Every type of a part, and every kind of data, in order."""
    if isinstance(request, list):
        return [found for item in request for found in parts_of(item)]
    if not isinstance(request, dict):
        return []
    own = [str(request["type"])] if isinstance(request.get("type"), str) else []
    own += [key for key in ("inline_data", "file_data") if key in request]
    return own + [found for value in request.values() for found in parts_of(value)]


async def talk(tools: list[BaseTool], name: str, arguments: Json) -> list[Any]:
    """A question, a call and its result, as an agent has them in its thread."""
    [tool] = [tool for tool in tools if tool.name == name]
    call = {"type": "tool_call", "id": "call_1", "name": name, "args": arguments}
    told: ToolMessage = await tool.ainvoke(call)
    assert told.status == "success", told.content
    return [HumanMessage("Which?"), AIMessage("", tool_calls=[call]), told]


@pytest.fixture(params=["as_tool", "edit_tools", "mcp imagine", "mcp edit"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def messages_by(way: str, images: bool) -> tuple[list[Any], list[BaseTool]]:
    if way == "as_tool":
        tools = [g2u.as_tool(images=images, **SETTINGS)]
        return await talk(tools, "imagine", ASKED), tools
    if way == "edit_tools":
        tools = g2u.edit_tools(images=images, model="scripted")
        return await talk(tools, "deblur", {"picture": "picture.png"}), tools
    with serving(g2u.mcp_app(folder=".", images=images, **SETTINGS)) as port:
        server = {"g2u": {"transport": "http", "url": f"http://{FREE}:{port}/mcp"}}
        tools = await MultiServerMCPClient(server).get_tools()  # type: ignore[arg-type]  # a typed dict of its own
        if way == "mcp imagine":
            return await talk(tools, "imagine", ASKED), tools
        edit = {"picture": "picture.png", "edit": "trace_path", "arguments": {"colour": "red"}}
        return await talk(tools, "edit", edit), tools


async def test_a_result_with_a_picture_is_a_request_of_those_that_take_one(model: ScriptedModel, way: str) -> None:
    messages, tools = await messages_by(way, images=True)
    for provider in ("responses", "anthropic", "gemini"):
        found = parts_of(checked(provider, BUILDERS[provider](messages, tools)))
        assert found.count(PICTURE[provider]) == 1, (provider, found)
        assert not {"file", "document", "input_file", "file_data"} & set(found), (provider, found)


async def test_a_result_without_pictures_is_a_request_of_all(model: ScriptedModel, way: str) -> None:
    messages, tools = await messages_by(way, images=False)
    for provider, build in BUILDERS.items():
        found = parts_of(checked(provider, build(messages, tools)))
        assert PICTURE[provider] not in found, (provider, found)


async def test_an_address_is_sent_as_it_is(model: ScriptedModel) -> None:
    tools: list[BaseTool] = [g2u.as_tool(address=lambda ref: f"https://example.org/{ref.sha256}", **SETTINGS)]
    messages = await talk(tools, "imagine", ASKED)
    address = f"https://example.org/{messages[-1].artifact.rounds[0].thought.sha256}"
    for provider in ("responses", "anthropic"):
        assert address in str(checked(provider, BUILDERS[provider](messages, tools))), provider


async def test_chat_completions_take_no_picture_in_a_tool_message(model: ScriptedModel) -> None:
    """What `images=False` is for; where this fails, OpenAI's types allow it and the table of docs/plugins.md is old."""
    messages, tools = await messages_by("as_tool", images=True)
    with pytest.raises(ValidationError, match="Input should be 'text'"):
        checked("chat completions", chat_completions(messages, tools))


async def test_gemini_gets_no_object_without_properties(model: ScriptedModel) -> None:
    messages, tools = await messages_by("mcp edit", images=True)

    def objects(schema: Any) -> list[Json]:
        if isinstance(schema, list):
            return [found for item in schema for found in objects(item)]
        if not isinstance(schema, dict):
            return []
        own = [schema] if schema.get("type") == "OBJECT" else []
        return own + [found for value in schema.values() for found in objects(value)]

    found = objects(gemini(messages, tools)["tools"])
    assert len(found) >= 4 and all(schema.get("properties") for schema in found)


async def test_an_agents_program_has_the_structured_result(model: ScriptedModel) -> None:
    messages, _ = await messages_by("mcp imagine", images=True)
    values = messages[-1].artifact["structured_content"]
    assert values["answer"] == "teal" and Path("runs", values["trace"].rpartition("/")[2]).is_dir()


async def test_progress_reaches_the_agents_program(model: ScriptedModel) -> None:
    from langchain_mcp_adapters.callbacks import Callbacks

    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None, context: Any) -> None:
        heard.append((progress, total, message))

    with serving(g2u.mcp_app(folder=".", **SETTINGS)) as port:
        server = {"g2u": {"transport": "http", "url": f"http://{FREE}:{port}/mcp"}}
        client = MultiServerMCPClient(server, callbacks=Callbacks(on_progress=hear))  # type: ignore[arg-type]
        await talk(await client.get_tools(), "imagine", ASKED)
    assert heard[-1] == (7, 7, "Done") and {total for _, total, _ in heard} == {7}


async def test_a_server_in_a_process_of_its_own_serves_an_agent(model: ScriptedModel, tmp_path: Path) -> None:
    command = {"command": sys.executable, "args": ["-m", "g2u.plugins.mcp", "--no-images", "--policy", "none"]}
    server = {"g2u": {"transport": "stdio", "env": dict(os.environ), "cwd": str(tmp_path), **command}}
    async with MultiServerMCPClient(server).session("g2u") as session:  # type: ignore[arg-type]
        messages = await talk(await load_mcp_tools(session), "imagine", ASKED)
    assert [block["type"] for block in messages[-1].content_blocks] == ["text"]
