"""The MCP server, asked by the official client over both transports."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession, McpError, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from PIL import Image
from pydantic import AnyUrl
from starlette.applications import Starlette
from starlette.routing import Mount

import g2u
from g2u.errors import BusyError
from g2u.plugins.mcp.http import McpApp
from g2u.plugins.mcp.service import Imagine, MakeEdit, service_of
from g2u.traces.trace import read_trace
from g2u.turns import Turns
from tests.agent.plugins.servers import FREE, serving
from tests.scripted import ScriptedModel

SETTINGS: dict[str, Any] = {"model": "scripted", "policy": "fixed:deblur", "reflect": False}


def encoded(size: tuple[int, int] = (16, 16), kind: str = "PNG") -> dict[str, str]:
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, kind)
    return {"type": "image", "data": base64.b64encode(buffer.getvalue()).decode(), "mimeType": f"image/{kind.lower()}"}


def pictures_in(result: types.CallToolResult) -> list[Image.Image]:
    return [
        Image.open(io.BytesIO(base64.b64decode(part.data)))
        for part in result.content
        if isinstance(part, types.ImageContent)
    ]


def text_of(result: types.CallToolResult) -> str:
    assert isinstance(result.content[0], types.TextContent)
    return result.content[0].text


@contextlib.asynccontextmanager
async def session_at(address: str) -> AsyncIterator[ClientSession]:
    async with (
        streamable_http_client(address) as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        yield session


@pytest.fixture(params=["mounted", "alone"])
def address(request: pytest.FixtureRequest, model: ScriptedModel) -> Iterator[str]:
    """Of a server over HTTP; of an application inside another, which is not told of its life, and of one by itself."""
    app: Any = g2u.mcp_app(folder=".", **SETTINGS)
    if request.param == "mounted":
        app = Starlette(routes=[Mount("/g2u/mcp", app)])
    with serving(app) as port:
        yield f"http://{FREE}:{port}/g2u/mcp"


async def test_pictures_go_both_ways_over_http(address: str, model: ScriptedModel) -> None:
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    before = g2u.get_engine("scripted").counters()
    async with session_at(address) as session:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert set(tools) == {"imagine", "edit"} and "deblur" in (tools["edit"].description or "")
        asked = {"picture": encoded(), "question": "Which?"}
        result = await session.call_tool("imagine", asked, progress_callback=hear)
        assert not result.isError, text_of(result)
        assert text_of(result).startswith("Answer: teal.\nFrom the original picture alone: plum.")
        [thought] = pictures_in(result)
        assert (thought.size, thought.getpixel((0, 0))) == ((16, 16), (0, 255, 255))
        values = result.structuredContent
        assert values is not None and (values["answer"], values["edits"]) == ("teal", ["deblur", "none"])
        assert values["caveats"] == []
        edited = await session.call_tool("edit", {"picture": values["thought"], "edit": "denoise"})
        assert pictures_in(edited)[0].getpixel((0, 0)) == (255, 0, 0)
        assert edited.structuredContent is not None
        assert (values["imagining"], edited.structuredContent["imagining"]) == ("native", "native")
        by_path = await session.call_tool("edit", {"picture": "picture.png", "edit": "denoise"})
        assert by_path.structuredContent is not None
        assert by_path.structuredContent["picture"] == values["thought"]  # the negative of the same red
    assert heard == sorted(heard) and len(heard) >= 4
    await g2u.as_tool(**SETTINGS).ainvoke({"picture": "picture.png", "question": "Which?"})
    assert g2u.get_engine("scripted").counters().since(before).draw.requests == 4
    assert len(model.threads) == 1


async def test_several_pictures_in_every_form_are_asked_about_in_order(address: str, model: ScriptedModel) -> None:
    async with session_at(address) as session:
        Image.new("RGB", (16, 16), "blue").save("other.png")
        first = await session.call_tool("edit", {"picture": "picture.png", "edit": "denoise"})
        assert first.structuredContent is not None
        pictures = ["other.png", first.structuredContent["picture"]]
        result = await session.call_tool("imagine", {"pictures": pictures, "question": "Which?"})
        assert result.isError and "takes 3 pictures, and 'concat' of a question about 2 shows 4" in text_of(result)
    app = g2u.mcp_app(folder=".", **SETTINGS | {"rounds": 1, "policy": "fixed:deblur(on=2)"})
    with serving(app) as port:
        async with session_at(f"http://{FREE}:{port}/mcp") as session:
            result = await session.call_tool("imagine", {"pictures": [*pictures[:1], encoded()], "question": "Which?"})
            assert not result.isError, text_of(result)
            assert "Visual thought 1 of picture 2: Remove the blur." in text_of(result)
            assert result.structuredContent is not None
            [thought] = pictures_in(result)
            assert thought.getpixel((0, 0)) == (0, 255, 255)  # of the red one
            trace = read_trace(Path("runs") / result.structuredContent["run"])
            shown = [ref.open().getpixel((0, 0)) for ref in trace.header.pictures]
            assert shown == [(0, 0, 255), (255, 0, 0)] and trace.imagined
            none = await session.call_tool("imagine", {"question": "Which?"})
            assert none.isError and "There is no picture to ask about." in text_of(none)


async def test_traces_and_pictures_are_resources(address: str, model: ScriptedModel) -> None:
    async with session_at(address) as session:
        for number in (1, 2):
            result = await session.call_tool("imagine", {"picture": encoded(), "question": f"Which {number}?"})
        assert result.structuredContent is not None
        listed = {str(found.uri): found.name for found in (await session.list_resources()).resources}
        link = f"g2u://runs/{result.structuredContent['run']}"
        assert listed[link] == "Which 2?" and {"g2u://edits", "g2u://runs"} <= set(listed)
        assert {part.type for part in result.content} == {"text", "image"}  # agents hand a link on as a file

        async def read(uri: str) -> Any:
            return (await session.read_resource(AnyUrl(uri))).contents[0]

        runs = json.loads((await read("g2u://runs")).text)
        assert [run["question"] for run in runs] == ["Which 2?", "Which 1?"]
        assert (await read(link)).text == (Path("runs") / runs[0]["run"] / "trace.jsonl").read_text()
        thought = (await read(f"g2u://pictures/{result.structuredContent['thought'].removeprefix('g2u:')}")).blob
        assert Image.open(io.BytesIO(base64.b64decode(thought))).size == (16, 16)
        assert "trace_path" in [edit["name"] for edit in json.loads((await read("g2u://edits")).text)]
        templates = (await session.list_resource_templates()).resourceTemplates
        assert [template.uriTemplate for template in templates] == ["g2u://runs/{run}", "g2u://pictures/{sha256}"]
        for wrong in (
            "g2u://runs/..",
            "g2u://runs/../picture.png",
            "g2u://runs/pictures",
            "g2u://nothing",
            f"g2u://pictures/{'0' * 64}",
            "file:///etc/hostname",
        ):
            with pytest.raises(McpError):
                await read(wrong)


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("imagine", {"picture": "../picture.png", "question": "W?"}, "outside of the folder"),
        ("imagine", {"picture": f"g2u:{'0' * 64}", "question": "W?"}, "is not in the store"),
        ("imagine", {"picture": {"data": "YWJj", "mimeType": "image/svg+xml"}, "question": "W?"}, "no picture"),
        ("imagine", {"picture": {"data": "?", "mimeType": "image/png"}, "question": "W?"}, "no base64"),
        ("imagine", {"picture": 12, "question": "W?"}, "'picture.ImageData' of 'imagine' cannot be used"),
        ("imagine", {"picture": "picture.png"}, "The argument 'question' of 'imagine' cannot be used: Field required"),
        ("imagine", {"picture": "picture.png", "question": "W?", "polcy": "none"}, "'polcy'"),
        ("imagine", {"picture": "picture.png", "question": "W?", "options": ["one"]}, "at least two"),
        ("edit", {"picture": "picture.png", "edit": "deblurr"}, "Did you mean deblur"),
        ("edit", {"picture": "picture.png", "edit": "none"}, "draws nothing"),
        ("edit", {"picture": "picture.png", "edit": "trace_path", "arguments": {"colour": "mauve"}}, "trace_path"),
        ("imagin", {}, "Did you mean imagine"),
    ],
)
async def test_what_can_be_mended_is_told(
    model: ScriptedModel, tool: str, arguments: dict[str, Any], says: str
) -> None:
    with serving(g2u.mcp_app(folder=".", **SETTINGS)) as port:
        async with session_at(f"http://{FREE}:{port}/mcp") as session:
            result = await session.call_tool(tool, arguments)
    assert result.isError and says in text_of(result), text_of(result)
    assert not model.of("draw")


async def test_without_a_folder_and_for_strangers_nothing_is_read(model: ScriptedModel) -> None:
    with serving(g2u.mcp_app(**SETTINGS)) as port:
        async with session_at(f"http://{FREE}:{port}/mcp") as session:
            result = await session.call_tool("imagine", {"picture": "picture.png", "question": "W?"})
            assert result.isError and "No paths are read here" in text_of(result)
        async with httpx.AsyncClient() as client:
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            accept = {"Accept": "application/json, text/event-stream"}
            for strange in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
                reply = await client.post(f"http://{FREE}:{port}/mcp", json=body, headers=accept | strange)
                assert reply.status_code in (403, 421)


async def test_a_request_that_is_too_large_is_refused_unread(model: ScriptedModel) -> None:
    with serving(McpApp(service_of(**SETTINGS))) as port:
        reading, writing = await asyncio.open_connection(FREE, port)
        writing.write(f"POST /mcp HTTP/1.1\r\nHost: {FREE}:{port}\r\nContent-Length: {10**9}\r\n\r\n{{".encode())
        assert b" 413 " in await reading.readline()
        writing.close()


@pytest.mark.parametrize("command", [["-m", "g2u.plugins.mcp"], ["-m", "g2u.cli", "mcp"]])
async def test_the_shipped_model_over_standard_input_and_output(tmp_path: Path, command: list[str]) -> None:
    if command[1] == "g2u.cli":
        command = ["-c", "from g2u.cli import main; main()", "mcp"]
    sample = "from g2u.cli import main; main()"
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-c", sample, "world", "sample", "--task", "maze", "--seed", "9", "--out", ".", "--json",
        cwd=tmp_path, stdout=-1,
    )  # fmt: skip
    shown = json.loads((await made.communicate())[0])
    server = StdioServerParameters(
        command=sys.executable, args=[*command, "--rounds", "1"], cwd=tmp_path, env=dict(os.environ)
    )
    async with stdio_client(server) as (reading, writing), ClientSession(reading, writing) as session:
        hello = await session.initialize()
        assert (hello.serverInfo.name, hello.serverInfo.version) == ("g2u", g2u.__version__)
        asked = {"question": shown["question"], "options": ["blue", "teal", "yellow", "purple"]}
        [name] = [path.name for path in tmp_path.glob("*.png")]
        by_path = await session.call_tool("imagine", {"picture": name, **asked})
        sent = base64.b64encode((tmp_path / name).read_bytes()).decode()
        by_value = await session.call_tool("imagine", {"picture": {"data": sent, "mimeType": "image/png"}, **asked})
        outside = await session.call_tool("imagine", {"picture": "/etc/hostname", **asked})
    assert outside.isError and "outside of the folder" in text_of(outside)
    answers = [result.structuredContent for result in (by_path, by_value)]
    assert all(values and values["answer"] == "teal" and values["edits"] == ["trace_path"] for values in answers)
    assert [picture.size for picture in pictures_in(by_path)] == [(128, 128)]
    assert pictures_in(by_path)[0].tobytes() == pictures_in(by_value)[0].tobytes()
    assert answers[0] and read_trace(tmp_path / "runs" / answers[0]["run"]).status == "done"


async def test_runs_and_edits_need_a_place(model: ScriptedModel) -> None:
    turns = Turns(1, most_waiting=0)
    service = service_of(folder=".", turns=turns, **SETTINGS)
    asked = Imagine(picture="picture.png", question="Which?"), MakeEdit(picture="picture.png", edit="denoise")

    async def told(done: float, total: float, message: str) -> None:
        pass

    async with turns.turn():
        for call in (service.imagine(asked[0], told), service.edit(asked[1], told)):
            with pytest.raises(BusyError, match="This server is busy"):
                await call
    assert not model.calls
    for result in (await service.imagine(asked[0], told), await service.edit(asked[1], told)):
        assert [part["type"] for part in result["content"]] == ["text", "image"]
