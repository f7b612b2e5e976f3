"""MCP on the same server as the graphs."""

import base64

import pytest
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client

from tests.agent.serving.servers import Server

pytestmark = pytest.mark.serve


async def test_the_server_of_the_graphs_speaks_mcp(server: Server, png: bytes) -> None:
    picture = {"data": base64.b64encode(png).decode(), "mimeType": "image/png"}
    async with (
        streamable_http_client(f"{server.url}/g2u/mcp") as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        asked = {"picture": picture, "question": "Which colour?", "options": ["red", "blue"]}
        result = await session.call_tool("imagine", asked)
        assert not result.isError and result.structuredContent, result
        assert [part.type for part in result.content] == ["text", "image"]
        by_path = await session.call_tool("imagine", {**asked, "picture": "langgraph.json"})
    assert by_path.isError and isinstance(by_path.content[0], types.TextContent)
    assert "No paths are read here" in by_path.content[0].text
    thought = result.structuredContent["thought"].removeprefix("g2u:")
    assert server.get(f"/g2u/pictures/{thought}").headers["content-type"] == "image/png"
