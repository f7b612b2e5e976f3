"""Arguments as clients and chat models fill them in: `null`, JSON text, references in every spelling."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, StateGraph
from mcp import types
from mcp.shared.memory import create_connected_server_and_client_session
from typing_extensions import TypedDict

import g2u
from g2u.graphs.imagine import build_graph
from g2u.pictures.references import ImageRef
from g2u.plugins.mcp.server import mcp_server
from g2u.plugins.mcp.service import service_of
from g2u.state import Answer, Context
from tests.scripted import ScriptedModel

SETTINGS: dict[str, Any] = {"model": "scripted", "policy": "fixed:deblur", "reflect": False}
ASKED: dict[str, Any] = {"picture": "picture.png", "question": "Which?"}


@pytest.fixture
def picture(model: ScriptedModel) -> ImageRef:
    return g2u.ImageStore("runs/pictures").add_file("picture.png")


def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_call", "id": "1", "name": name, "args": arguments}


@pytest.mark.parametrize("given", [None, [], "[]"])
async def test_intake_of_the_tool_takes_null_for_no_options(model: ScriptedModel, given: Any) -> None:
    message = await g2u.as_tool(**SETTINGS).ainvoke(call("imagine", {**ASKED, "options": given}))
    assert message.artifact.final.probabilities == {} and message.artifact.answer == "teal"


async def test_intake_of_the_tool_takes_options_as_json_text(model: ScriptedModel) -> None:
    message = await g2u.as_tool(**SETTINGS).ainvoke(call("imagine", {**ASKED, "options": '["red", "green"]'}))
    assert set(message.artifact.final.probabilities) == {"red", "green"}


async def test_intake_of_an_edit_takes_null_for_what_has_a_default(model: ScriptedModel) -> None:
    tools = {tool.name: tool for tool in g2u.edit_tools(model="scripted")}
    given = {"picture": "picture.png", "colour": None}
    message = await tools["trace_path"].ainvoke(call("trace_path", given))
    assert message.status == "success" and message.artifact.edit == "trace_path"
    message = await tools["mark"].ainvoke(call("mark", {"picture": "picture.png", "question": None}))
    assert message.status == "success"


async def test_intake_of_mcp_takes_null_and_json_text(model: ScriptedModel) -> None:
    async with create_connected_server_and_client_session(
        mcp_server(service_of(folder=Path("."), **SETTINGS))
    ) as session:

        async def asked(name: str, **arguments: Any) -> types.CallToolResult:
            result = await session.call_tool(name, arguments)
            assert not result.isError, result.content
            return result

        free = await asked("imagine", **ASKED, options=None)
        chosen = await asked("imagine", **ASKED, options='["red", "green"]')
        assert free.structuredContent and chosen.structuredContent
        assert set(chosen.structuredContent["probabilities"]) == {"red", "green"}
        assert free.structuredContent["probabilities"] == {}
        edit = {"picture": "picture.png", "edit": "trace_path"}
        made = [
            (await asked("edit", **edit, arguments=arguments, question=None)).structuredContent
            for arguments in (None, "{}", {"colour": None}, '{"colour": "blue"}', {"colour": "blue"})
        ]
        instructions = [one["instruction"] for one in made if one]
        assert len(set(instructions[:3])) == 1 and "blue" in instructions[3] == instructions[4]
        data = base64.b64encode(Path("picture.png").read_bytes()).decode()
        for picture in (data, json.dumps({"data": data, "mimeType": "image/png"}), made[0]["picture"]):  # type: ignore[index]
            await asked("imagine", picture=picture, question="Which?")


@pytest.mark.parametrize("options", [None, '["red", "green"]'])
async def test_intake_of_the_graph_takes_null_and_json_text(picture: ImageRef, options: Any) -> None:
    given: Any = {"picture": picture, "question": "Which?", "options": options, "gold_edits": None}
    context = Context(**SETTINGS, store="runs/pictures")
    result = await build_graph().ainvoke(given, context=context)
    assert set(result["answer"].probabilities) == set(json.loads(options or "[]"))


class Loose(TypedDict, total=False):
    """A state as a client of a server fills it: JSON alone."""

    picture: Any
    question: str
    options: Any
    answer: Answer
    direct: Answer
    rounds: list[Any]


async def test_intake_of_the_node_takes_what_the_graph_takes(picture: ImageRef) -> None:
    builder = StateGraph(Loose)
    builder.add_node("imagine", g2u.as_node(**SETTINGS))
    builder.add_edge(START, "imagine").add_edge("imagine", END)
    graph = builder.compile()
    data = base64.b64encode(g2u.ImageStore("runs/pictures").path(picture).read_bytes()).decode()
    given = [
        picture,
        picture.model_dump(mode="json"),
        picture.uri,
        f"g2u://pictures/{picture.sha256}",
        f"http://127.0.0.1:2024/g2u/pictures/{picture.sha256}",
        f"data:image/png;base64,{data}",
        data,
        {"type": "image", "base64": data, "mime_type": "image/png"},
        "picture.png",
    ]
    for one in given:
        result = await graph.ainvoke(cast(Loose, {"picture": one, "question": "Which?", "options": '["teal", "red"]'}))
        assert result["rounds"][0].source == picture and set(result["answer"].probabilities) == {"teal", "red"}


async def test_intake_of_a_message_keeps_no_picture_in_a_thread(model: ScriptedModel) -> None:
    data = base64.encodebytes(Path("picture.png").read_bytes()).decode()
    parts: list[Any] = [{"inlineData": {"mimeType": "image/png", "data": data}}, {"text": "Which?"}]
    context = Context(**SETTINGS, store="runs/pictures")
    result = await build_graph().ainvoke({"messages": [HumanMessage(parts)]}, context=context)
    human, answer = result["messages"]
    assert human.content[0]["url"].startswith("g2u:") and answer.text == "teal" and answer.name == "g2u"
