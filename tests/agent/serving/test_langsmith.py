"""A server that traces to LangSmith sends no picture there, whichever way it came in."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from langgraph_sdk import get_client
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from tests.agent.serving.servers import Server, scripted_server
from tests.agent.serving.test_bad_input import IMAGE
from tests.ingest import Ingest, ingesting
from tests.waiting import wait_until

pytestmark = pytest.mark.serve


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Ingest]]:
    with ingesting() as ingest:
        variables = {
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_ENDPOINT": ingest.url,
            "LANGSMITH_API_KEY": "none",
            "LANGSMITH_DISABLE_RUN_COMPRESSION": "true",
        }
        with scripted_server(tmp_path_factory.mktemp("traced"), LOG_LEVEL="WARNING", **variables) as server:
            yield server, ingest


async def test_no_picture_reaches_langsmith(traced: tuple[Server, Ingest], png: bytes) -> None:
    server, ingest = traced
    client, encoded = get_client(url=server.url), base64.b64encode(png).decode()
    address = f"data:image/png;base64,{encoded}"
    part = {"type": "image", "base64": encoded, "mime_type": "image/png"}

    def said(*parts: Any, text: str) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}]}

    thread = (await client.threads.create())["thread_id"]
    found: Any = await client.runs.wait(thread, "imagine", input=said(part, text="By a thread?"))
    shapes = (
        {"type": "image_url", "image_url": {"url": address}},
        {"type": "image", "data": encoded, "mimeType": "image/png"},
    )
    for number, shape in enumerate(shapes):
        await client.runs.wait(None, "direct", input=said(shape, text=f"By shape {number}?"))
    await client.runs.wait(None, "explore", input={"picture": address, "question": "By a field?"})
    update = {"picture": address, "question": "By a command?"}
    await client.runs.wait(thread, "imagine", command={"update": update, "goto": "begin"})
    (assistant, *_) = await client.assistants.search(graph_id="imagine")
    asked = [{"kind": "file", "file": {"bytes": encoded, "mimeType": "image/png"}}, {"kind": "text", "text": "By A2A?"}]
    message = {"role": "user", "messageId": "1", "parts": asked}
    call = {"jsonrpc": "2.0", "id": "1", "method": "message/send", "params": {"message": message}}
    server.post(f"/a2a/{assistant['assistant_id']}", json=call, headers={"Accept": "application/json"})
    picture = server.post("/g2u/pictures", content=png, headers=IMAGE).json()
    own = {name: picture[name] for name in ("sha256", "width", "height")}
    assert "event: result" in server.post("/g2u/ask", json={"picture": own, "question": "By the page?"}).text
    async with (
        streamable_http_client(f"{server.url}/g2u/mcp") as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        given = {"picture": {"data": encoded, "mimeType": "image/png"}, "question": "By MCP?"}
        assert not (await session.call_tool("imagine", given)).isError
    wanted = [
        f"By {way}?" for way in ("a thread", "shape 0", "shape 1", "a field", "a command", "A2A", "the page", "MCP")
    ]
    wait_until(lambda: all(question in ingest.told for question in wanted), every=0.2)  # it sends in the background
    thought = found["rounds"][0]["thought"]["sha256"]
    assert thought in ingest.told and not ingest.holds(png)
    assert not ingest.holds(server.get(f"/g2u/pictures/{thought}").content)
