"""What a tool and the MCP server say of a run that had no time to draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from langchain_core.messages import ToolMessage
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

import g2u
from g2u.plugins.mcp.service import Imagine, service_of
from g2u.state import Answer, Stop
from tests.scripted import ScriptedModel

SETTINGS: dict[str, Any] = {"model": "scripted", "policy": "fixed:deblur", "seconds": 1e-6}
SAYS = "The seconds of the run are used up: nothing was drawn."


class State(TypedDict, total=False):
    asked: g2u.Question
    answer: Answer
    stopped: Stop | None


async def test_seconds_that_are_over_are_told_by_the_tool(model: ScriptedModel) -> None:
    call = {"type": "tool_call", "id": "1", "name": "imagine", "args": {"picture": "picture.png", "question": "Which?"}}
    message: ToolMessage = await g2u.as_tool(**SETTINGS).ainvoke(call)
    assert SAYS in message.text and not model.of("draw")
    assert message.artifact.stopped.cause == "seconds"


async def test_seconds_that_are_over_are_told_over_mcp(model: ScriptedModel) -> None:
    async def told(*_: object) -> None:
        pass

    service = service_of(folder=Path("."), **SETTINGS)
    result = await service.imagine(Imagine(picture="picture.png", question="Which?"), told)
    assert SAYS in result["content"][0]["text"]
    assert result["structuredContent"]["stopped"] == {"cause": "seconds", "message": SAYS}


async def test_seconds_that_are_over_are_in_the_state_around_a_node(model: ScriptedModel) -> None:
    builder = StateGraph(State)
    builder.add_node("imagine", g2u.as_node(**SETTINGS)).add_edge(START, "imagine").add_edge("imagine", END)
    picture = g2u.ImageStore("runs/pictures").add_file("picture.png")
    found = await builder.compile().ainvoke({"asked": g2u.Question(pictures=[picture], question="Which?")})
    assert found["stopped"].message == SAYS and found["answer"].text
