"""The MCP server as JSON on the wire, for whichever line of the package `mcp` is installed; `make test-mcp2` has 2."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from PIL import Image

import g2u
from g2u.plugins.mcp.sdk import FIRST_LINE
from g2u.plugins.mcp.service import Progress, Service, service_of
from tests.agent.plugins.servers import FREE, serving
from tests.scripted import ScriptedModel

SETTINGS: dict[str, Any] = {"model": "scripted", "policy": "fixed:deblur", "reflect": False}
HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
Json = dict[str, Any]


class Wire:
    """Sends requests, each by itself, and keeps what is told on the way to the replies."""

    def __init__(self, address: str) -> None:
        self.address, self.notes = address, list[Json]()

    async def ask(self, method: str, **params: Any) -> Json:
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        async with httpx.AsyncClient(timeout=60) as client:
            reply = await client.post(self.address, json=body, headers=HEADERS)
        assert reply.status_code == 200, reply.text
        heard = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]
        self.notes += [message["params"] for message in heard if message.get("method") == "notifications/progress"]
        [replied] = [message for message in heard if message.get("id") == 7]
        return replied

    async def call(self, tool: str, **arguments: Any) -> Json:
        params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}}
        result: Json = (await self.ask("tools/call", **params))["result"]
        return result


@pytest.fixture
async def wire(model: ScriptedModel) -> AsyncIterator[Wire]:
    with serving(g2u.mcp_app(folder=".", **SETTINGS)) as port:
        yield Wire(f"http://{FREE}:{port}/mcp")


async def test_results_are_what_their_schemas_say(wire: Wire) -> None:
    tools = {tool["name"]: tool for tool in (await wire.ask("tools/list"))["result"]["tools"]}
    imagined = await wire.call("imagine", picture="picture.png", question="Which?")
    edited = await wire.call("edit", picture="picture.png", edit="denoise")
    for name, result in (("imagine", imagined), ("edit", edited)):
        assert not result.get("isError")
        jsonschema.validate(result["structuredContent"], tools[name]["outputSchema"])
        assert [part["type"] for part in result["content"]] == ["text", "image"]
        assert Image.open(io.BytesIO(base64.b64decode(result["content"][1]["data"]))).size == (16, 16)
    values = imagined["structuredContent"]
    assert values["trace"] == f"g2u://runs/{values['run']}" and values["trace"] in imagined["content"][0]["text"]
    [read] = (await wire.ask("resources/read", uri=values["trace"]))["result"]["contents"]
    assert read["text"] == Path("runs", values["run"], "trace.jsonl").read_text()
    listed = (await wire.ask("resources/list"))["result"]["resources"]
    assert values["trace"] in [resource["uri"] for resource in listed]
    [shown] = (await wire.ask("resources/read", uri=f"g2u://pictures/{values['thought'][4:]}"))["result"]["contents"]
    assert (shown["mimeType"], base64.b64decode(shown["blob"])[1:4]) == ("image/png", b"PNG")
    templates = (await wire.ask("resources/templates/list"))["result"]["resourceTemplates"]
    assert [template["uriTemplate"] for template in templates] == ["g2u://runs/{run}", "g2u://pictures/{sha256}"]


async def test_progress_has_a_total_and_says_what_is_done(wire: Wire) -> None:
    await wire.call("imagine", picture="picture.png", question="Which?")
    notes, wire.notes = wire.notes, []
    done = [note["progress"] for note in notes]
    assert done == sorted(set(done)) and {note["total"] for note in notes} == {7} and done[-1] == 7
    said = [note["message"] for note in notes]
    assert said[0] == "Round 1: what to imagine" and "Round 1: drawing, step 1 of 1" in said
    assert said[-2:] == ["Answering", "Done"] and {note["progressToken"] for note in notes} == {"p"}
    await wire.call("edit", picture="picture.png", edit="denoise")
    assert [(note["progress"], note["total"], note["message"]) for note in wire.notes] == [
        (1, 1, "Drawing, step 1 of 1")
    ]


async def test_progress_only_goes_on() -> None:
    heard: list[tuple[float, float, str]] = []

    async def told(done: float, total: float, message: str) -> None:
        await asyncio.sleep(0)
        heard.append((done, total, message))

    progress = Progress(told)
    for step, number, done in (("decide", 1, 0), ("decide", 1, 1), ("decide", 1, 0), ("generate", 1, 1)):
        progress.note_step({"step": step, "round": number, "done": done, "total": 2}, rounds=1)
    progress.note_step({"step": "stop", "cause": "seconds", "message": "Over."}, rounds=1)
    progress.note_step({"step": "answer", "round": 1, "done": 0, "total": 1}, rounds=1)
    await progress.all_told()
    assert [(done, total) for done, total, _ in heard] == [(0, 4), (0.5, 4), (1.5, 4), (3, 4)]


async def test_without_images_words_name_the_reference(model: ScriptedModel) -> None:
    with serving(g2u.mcp_app(folder=".", images=False, **SETTINGS)) as port:
        wire = Wire(f"http://{FREE}:{port}/mcp")
        for tool, given in (("imagine", {"question": "Which?"}), ("edit", {"edit": "deblur"})):
            result = await wire.call(tool, picture="picture.png", **given)
            [words] = result["content"]
            values = result["structuredContent"]
            assert values[{"imagine": "thought", "edit": "picture"}[tool]] in words["text"]


@pytest.mark.parametrize(
    ("edit", "sent"),
    [
        ("trace_path(colour=blue)", '{"edit": "trace_path", "arguments": {"colour": "blue"}}'),
        ("trace_path( colour = 'blue' )", '{"edit": "trace_path", "arguments": {"colour": "blue"}}'),
        ('{"edit": "trace_path", "colour": "blue"}', '{"edit": "trace_path", "arguments": {"colour": "blue"}}'),
        ("written(instruction=Draw a line, then stop.)", '"arguments": {"instruction": "Draw a line, then stop."}'),
    ],
)
async def test_a_whole_call_in_the_place_of_a_name_is_told_how_it_is_sent(wire: Wire, edit: str, sent: str) -> None:
    result = await wire.call("edit", picture="picture.png", edit=edit)
    assert result["isError"] and sent in result["content"][0]["text"], result["content"]


async def test_an_argument_of_the_edit_beside_it_is_told_where_it_goes(wire: Wire) -> None:
    result = await wire.call("edit", picture="picture.png", edit="trace_path", colour="blue")
    assert result["isError"] and "It takes: picture, edit, arguments, question." in result["content"][0]["text"]


async def test_no_error_says_where_on_the_disk_something_is(
    wire: Wire, model: ScriptedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Path("broken.png").write_bytes(b"no picture")
    Path("folder.png").mkdir()
    asked = {"question": "Which?"}
    for name in ("nothing.png", "broken.png", "folder.png", "runs/../nothing.png"):
        result = await wire.call("imagine", picture=name, **asked)
        text = result["content"][0]["text"]
        assert result["isError"] and repr(name) in text and str(tmp_path) not in text, text
    Path("runs").write_text("in the way")  # the store cannot be made
    for tool, given in (("imagine", asked), ("edit", {"edit": "deblur"})):
        result = await wire.call(tool, picture="picture.png", **given)
        text = result["content"][0]["text"]
        assert result["isError"] and "Cannot write" in text and str(tmp_path) not in text, text
    Path("runs").unlink()
    monkeypatch.setenv("G2U_EDITS", str(tmp_path / "nothing.yaml"))
    result = await wire.call("imagine", picture="picture.png", **asked)
    text = result["content"][0]["text"]
    assert result["isError"] and "nothing.yaml cannot be read" in text and str(tmp_path) not in text, text


async def test_a_mistake_of_ours_is_told_as_one(wire: Wire, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def failing(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(Service, "_enter", failing)
    monkeypatch.setattr(Service, "read", failing)
    result = await wire.call("imagine", picture="picture.png", question="Which?")
    told = [result["content"][0]["text"], (await wire.ask("resources/read", uri="g2u://runs"))["error"]["message"]]
    assert told == ["That is a mistake of the server's own. Its log says more."] * 2


@pytest.mark.skipif(FIRST_LINE, reason="the first line knows no newer protocol")
async def test_the_protocol_without_a_handshake_is_spoken(wire: Wire) -> None:
    from mcp.client.client import Client  # type: ignore[import-not-found,unused-ignore]

    heard: list[tuple[float, float | None]] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, total))

    async with Client(wire.address) as client:
        assert client.protocol_version >= "2026-07-28"
        assert [tool.name for tool in (await client.list_tools()).tools] == ["imagine", "edit"]
        asked = {"picture": "picture.png", "question": "Which?"}
        values = (await client.call_tool("imagine", asked, progress_callback=hear)).structured_content
        assert values["answer"] == "teal" and heard[-1] == (7, 7)
        assert values["trace"] in [str(found.uri) for found in (await client.list_resources()).resources]
        [trace] = (await client.read_resource(values["trace"])).contents
        assert trace.text == Path("runs", values["run"], "trace.jsonl").read_text()
        assert len((await client.list_resource_templates()).resource_templates) == 2
        failed = await client.call_tool("imagine", {"picture": "nothing.png", "question": "Which?"})
        assert failed.is_error and "There is no picture at 'nothing.png'." in failed.content[0].text


async def test_standard_input_and_output_speak_too(model: ScriptedModel, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "g2u.plugins.mcp"]
    process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=dict(os.environ), stdin=-1, stdout=-1)
    assert process.stdin and process.stdout
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    for message in (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list", "params": {}},
        {"id": 3, "method": "tools/call", "params": {"name": "edit", "arguments": {"picture": "x.png", "edit": "x"}}},
    ):
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    replies = [json.loads(await process.stdout.readline()) for _ in range(3)]
    process.stdin.close()
    await process.wait()
    by_id = {reply["id"]: reply["result"] for reply in replies}
    assert (by_id[1]["serverInfo"]["name"], by_id[1]["serverInfo"]["version"]) == ("g2u", g2u.__version__)
    assert [tool["name"] for tool in by_id[2]["tools"]] == ["imagine", "edit"]
    assert by_id[3]["isError"] and "There is no picture at 'x.png'." in by_id[3]["content"][0]["text"]


def test_a_server_of_tools_cannot_pause() -> None:
    with pytest.raises(g2u.G2UError, match="cannot pause"):
        service_of(pause="drawing")
