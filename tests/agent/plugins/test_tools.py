"""The loop and the edits as LangChain tools, alone and in an agent."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from PIL import Image

import g2u
from g2u.asking import Run
from g2u.edits.library import NONE, EditLibrary
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import SettingError, UnknownNameError
from g2u.pictures.references import ImageRef
from g2u.pictures.store import get_store
from g2u.plugins.edits import Edited
from tests.scripted import Call, ScriptedModel

SETTINGS: dict[str, Any] = {"model": "scripted", "policy": "fixed:deblur", "reflect": False}


class Chat(GenericFakeChatModel):
    """Says what it was told to say, and takes tools."""

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self


def call(name: str, arguments: dict[str, Any], number: int = 1) -> dict[str, Any]:
    return {"type": "tool_call", "id": f"call-{number}", "name": name, "args": arguments}


def picture_of(block: dict[str, Any]) -> Image.Image:
    assert (block["type"], block["mime_type"]) == ("image", "image/png")
    return Image.open(io.BytesIO(base64.b64decode(block["base64"])))


async def test_the_tool_gives_words_the_thought_and_the_run(model: ScriptedModel) -> None:
    tool = g2u.as_tool(**SETTINGS)
    assert set(tool.args) == {"picture", "pictures", "question", "options"} and len(json.dumps(tool.args)) < 1000
    message = await tool.ainvoke(call("imagine", {"picture": "picture.png", "question": "Which?"}))
    text, image = message.content
    assert message.status == "success"
    assert text["text"].splitlines()[:2] == ["Answer: teal.", "From the original picture alone: plum."]
    run = message.artifact
    assert isinstance(run, Run) and run.trace is not None and (run.trace / "index.html").is_file()
    thought = run.rounds[0].thought
    assert thought is not None and thought.uri in text["text"]
    assert picture_of(image).tobytes() == get_store(run.store).open(thought).tobytes()


async def test_the_tool_asks_about_several_pictures(model: ScriptedModel) -> None:
    Image.new("RGB", (16, 16), "blue").save("other.png")
    tool = g2u.as_tool(**SETTINGS | {"policy": "fixed:deblur(on=2)", "rounds": 1})
    asked = {"pictures": ["picture.png", "other.png"], "question": "Which?"}
    message = await tool.ainvoke(call("imagine", asked))
    run = message.artifact
    assert [ref.open().getpixel((0, 0)) for ref in run.direct.pictures] == [(255, 0, 0), (0, 0, 255)]
    assert run.rounds[0].source == run.direct.pictures[1]
    lines = message.content[0]["text"].splitlines()
    assert lines[1] == "From the original pictures alone: teal." and lines[2].startswith(
        "Visual thought 1 of picture 2:"
    )
    as_text = await tool.ainvoke(call("imagine", asked | {"pictures": json.dumps(asked["pictures"])}))
    assert as_text.artifact.direct.pictures == run.direct.pictures
    for wrong, says in (
        ({"question": "Which?"}, "There is no picture to ask about. Give one as `picture`, or several as `pictures`."),
        (asked | {"picture": "picture.png"}, "`picture` and `pictures` are both given, and differ."),
    ):
        told = await tool.ainvoke(call("imagine", wrong))
        assert told.status == "error" and says in told.content


@pytest.mark.parametrize(("size", "largest", "shown"), [((16, 16), 512, (16, 16)), ((64, 32), 16, (16, 8))])
async def test_a_large_thought_is_sent_smaller(
    model: ScriptedModel, size: tuple[int, int], largest: int, shown: tuple[int, int]
) -> None:
    Image.new("RGB", size, "red").save("picture.png")
    tool = g2u.as_tool(**SETTINGS, largest=largest)
    message = await tool.ainvoke(call("imagine", {"picture": "picture.png", "question": "Which?"}))
    assert picture_of(message.content[1]).size == shown


async def test_a_thought_may_be_sent_by_address(model: ScriptedModel) -> None:
    tool = g2u.as_tool(**SETTINGS, address=lambda ref: f"http://127.0.0.1:1/{ref.sha256}")
    message = await tool.ainvoke(call("imagine", {"picture": "picture.png", "question": "Which?"}))
    thought = message.artifact.rounds[0].thought
    assert message.content[1] == {
        "type": "image",
        "url": f"http://127.0.0.1:1/{thought.sha256}",
        "mime_type": "image/png",
    }


async def test_without_images_words_name_the_reference(model: ScriptedModel) -> None:
    asked = {"picture": "picture.png", "question": "Which?"}
    message = await g2u.as_tool(**SETTINGS, images=False).ainvoke(call("imagine", asked))
    [text] = message.content
    assert message.artifact.rounds[0].thought.uri in text["text"]
    [deblur] = g2u.edit_tools(model="scripted", names=["deblur"], images=False)
    message = await deblur.ainvoke(call("deblur", {"picture": "picture.png"}))
    [text] = message.content
    assert message.artifact.picture.uri in text["text"]


async def test_an_edit_that_is_a_reimagining_says_so(model: ScriptedModel) -> None:
    [deblur] = g2u.edit_tools(model="scripted", names=["deblur"], images=False)
    plain = await deblur.ainvoke(call("deblur", {"picture": "picture.png"}))
    assert plain.artifact.imagining == "native" and "edits no pixels" not in plain.content[0]["text"]
    other = model.declaring(edits="reimagine")
    with Engine(lambda: other) as engine:
        register_engine("scripted", engine)
        message = await deblur.ainvoke(call("deblur", {"picture": "picture.png"}))
    assert message.artifact.imagining == "reimagine"
    assert "scripted edits no pixels: it draws anew what it has read" in message.content[0]["text"]


async def test_without_a_kept_thought_there_are_words_alone(model: ScriptedModel) -> None:
    tool = g2u.as_tool(model="scripted", policy="none", out=None)
    message = await tool.ainvoke(call("imagine", {"picture": "picture.png", "question": "Which?"}))
    [text] = message.content
    assert "No visual thought was kept." in text["text"]
    assert message.artifact.trace is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"picture": "../picture.png", "question": "Which?"}, "outside of the folder"),
        ({"picture": f"g2u:{'0' * 64}", "question": "Which?"}, "is not in the store"),
        ({"picture": "nothing.png", "question": "Which?"}, "There is no picture at 'nothing.png'."),
        ({"picture": "picture.png", "question": " "}, "The question is empty."),
        ({"picture": "picture.png", "question": "Which?", "options": ["one"]}, "at least two"),
    ],
)
async def test_what_can_be_mended_is_told_to_the_chat_model(
    model: ScriptedModel, arguments: dict[str, Any], says: str
) -> None:
    message = await g2u.as_tool(**SETTINGS).ainvoke(call("imagine", arguments))
    assert message.status == "error" and message.content.startswith("Error: ") and says in message.content
    assert not model.of("draw")


def test_settings_are_checked_when_a_tool_is_made() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean policy"):
        g2u.as_tool(polcy="self")
    with pytest.raises(SettingError):
        g2u.as_tool({"policy": "self"})  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="deblur"):
        g2u.edit_tools(names=["deblurr"])
    for make in (g2u.as_tool, g2u.edit_tools):
        with pytest.raises(SettingError, match=r"A tool cannot pause .*as_node"):
            make(pause="drawing")


async def test_every_edit_is_a_tool(model: ScriptedModel) -> None:
    tools = {tool.name: tool for tool in g2u.edit_tools(model="scripted")}
    assert list(tools) == [name for name in EditLibrary.load().names if name != NONE]
    assert set(tools["trace_path"].args) >= {"picture", "colour"}
    assert "question" in tools["mark"].args and "question" not in tools["deblur"].args
    message = await tools["deblur"].ainvoke(call("deblur", {"picture": "picture.png"}))
    made = message.artifact
    assert isinstance(made, Edited) and made.picture.uri in message.content[0]["text"]
    assert picture_of(message.content[1]).getpixel((0, 0)) == (0, 255, 255)
    message = await tools["mark"].ainvoke(call("mark", {"picture": made.picture.uri, "question": "Where is the star?"}))
    assert "Where is the star?" in model.of("draw")[-1].texts[0]
    assert picture_of(message.content[1]).getpixel((0, 0)) == (255, 0, 0)  # the negative of the negative


async def test_an_edit_of_a_run_is_the_edit_of_the_tool(model: ScriptedModel) -> None:
    seeds: list[int] = []
    model.draw_script = lambda image, instruction, seed: (seeds.append(seed), image)[1]
    await g2u.aask("picture.png", "Which?", **SETTINGS, seed=5)
    [deblur] = g2u.edit_tools(model="scripted", seed=5, names=["deblur"])
    await deblur.ainvoke({"picture": "picture.png"})
    assert seeds[0] == seeds[1] and len(set(call.texts for call in model.of("draw"))) == 1


async def test_free_instructions_are_a_tool_on_demand(model: ScriptedModel) -> None:
    [written] = g2u.edit_tools(model="scripted", names=["written"])
    await written.ainvoke({"picture": "picture.png", "instruction": "Draw an arrow."})
    assert model.of("draw")[-1].texts == ("Draw an arrow.",)


async def test_an_edit_that_cannot_be_made_is_told(model: ScriptedModel) -> None:
    taught = model.declaring(instructions=frozenset({"Remove the noise."}))
    with g2u.engine.engine.Engine(lambda: taught) as engine:  # type: ignore[attr-defined]
        g2u.register_engine("scripted", engine)
        tools = {tool.name: tool for tool in g2u.edit_tools(model="scripted")}
        message = await tools["deblur"].ainvoke(call("deblur", {"picture": "picture.png"}))
    assert message.status == "error" and "was not taught to draw" in message.content


def test_tools_work_without_await_and_inside_a_loop_too(model: ScriptedModel) -> None:
    arguments = {"picture": "picture.png", "question": "Which?"}
    assert g2u.as_tool(**SETTINGS).invoke(call("imagine", arguments)).artifact.answer == "teal"

    async def inside() -> Any:
        return g2u.as_tool(**SETTINGS).invoke(call("imagine", arguments))

    assert asyncio.run(inside()).artifact.answer == "teal"


def agent_of(tools: list[Any], calls: list[dict[str, Any]], checkpointer: Any = None) -> Any:
    said = [AIMessage("", tool_calls=calls), AIMessage("It is teal.")]
    return create_agent(Chat(messages=iter(said)), tools, checkpointer=checkpointer)


async def test_an_agent_asks_twice_at_once_and_streams_the_loop(model: ScriptedModel) -> None:
    tool = g2u.as_tool(**SETTINGS)
    calls = [call("imagine", {"picture": "picture.png", "question": f"Which {n}?"}, n) for n in (1, 2)]
    agent = agent_of([tool], calls, InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    steps, nodes, told = set[str](), set[str](), dict[str, list[str]]()
    async for part in agent.astream(
        {"messages": [HumanMessage("Which?")]}, config, stream_mode=["custom", "updates"], subgraphs=True, version="v2"
    ):
        if part["type"] == "custom":
            steps.add(part["data"]["step"])
            told.setdefault(part["data"]["tool_call_id"], []).append(part["data"]["step"])
        elif part["ns"]:
            assert part["ns"][0].startswith("tools:")
            nodes |= set(part["data"])
    assert {"decide", "generate", "answer"} <= steps and {"decide", "generate", "answer"} <= nodes
    assert set(told) == {"call-1", "call-2"} and told["call-1"] == told["call-2"]
    messages = (await agent.aget_state(config)).values["messages"]
    answers = [message for message in messages if isinstance(message, ToolMessage)]
    assert [message.status for message in answers] == ["success"] * 2
    assert messages[-1].text == "It is teal."
    kept = [
        message.artifact if isinstance(message.artifact, Run) else Run.model_validate(message.artifact)
        for message in answers
    ]
    assert [run.answer for run in kept] == ["teal", "teal"]
    assert len(list(agent.checkpointer.list(config))) < 8  # none of the loop's own steps


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a loop"])
def test_an_agent_that_is_not_async_is_told_too(model: ScriptedModel, inside: bool) -> None:
    calls = [call("imagine", {"picture": "picture.png", "question": f"Which {n}?"}, n) for n in (1, 2)]

    def told() -> set[tuple[str, str]]:
        agent = agent_of([g2u.as_tool(**SETTINGS)], calls)
        parts = agent.stream({"messages": [HumanMessage("Which?")]}, stream_mode="custom", version="v2")
        return {(part["data"]["tool_call_id"], part["data"]["step"]) for part in parts}

    async def told_inside() -> set[tuple[str, str]]:
        return told()

    heard = asyncio.run(told_inside()) if inside else told()
    assert heard == {(f"call-{n}", step) for n in (1, 2) for step in ("decide", "generate", "answer")}


def test_an_agent_that_is_not_async_may_keep_its_threads(model: ScriptedModel, tmp_path: Path) -> None:
    with SqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
        agent = agent_of(
            [g2u.as_tool(**SETTINGS)], [call("imagine", {"picture": "picture.png", "question": "W?"})], saver
        )
        result = agent.invoke({"messages": [HumanMessage("W?")]}, {"configurable": {"thread_id": "1"}})
        assert result["messages"][-1].text == "It is teal."
        [told] = [
            m
            for m in agent.get_state({"configurable": {"thread_id": "1"}}).values["messages"]
            if isinstance(m, ToolMessage)
        ]
        assert told.status == "success" and Run.model_validate(dict(told.artifact)).answer == "teal"


async def test_tools_share_one_engine_and_its_cache(model: ScriptedModel) -> None:
    before = g2u.get_engine("scripted").counters()
    await g2u.as_tool(**SETTINGS).ainvoke({"picture": "picture.png", "question": "Which?"})
    [deblur] = g2u.edit_tools(model="scripted", names=["deblur"])
    await deblur.ainvoke({"picture": "picture.png"})
    work = g2u.get_engine("scripted").counters().since(before)
    assert work.draw.requests == 2 and len(model.threads) == 1
    seen = [call for call in model.of("extend") if call.pictures == (0,)]
    assert len(seen) == 1, [Call.size, seen]


def test_a_run_reads_back_from_what_a_checkpointer_keeps(model: ScriptedModel) -> None:
    run = g2u.ask("picture.png", "Which?", **SETTINGS)
    assert Run.model_validate(run.model_dump()) == run
    assert isinstance(run.rounds[0].source, ImageRef)
