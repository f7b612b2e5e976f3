"""Graphs, routes, MCP and the page of one process have one engine: the same object, the same counters."""

import base64
from typing import Any

import pytest
from langgraph_sdk import get_client
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from tests.agent.serving.servers import Server

pytestmark = pytest.mark.serve
DRAWN = 'g2u_model_requests_total{model="scripted",kind="draw"}'


async def by_graph(server: Server, given: dict[str, Any], png: bytes) -> None:
    await get_client(url=server.url).runs.wait(None, "imagine", input=given)


async def by_other_graph(server: Server, given: dict[str, Any], png: bytes) -> None:
    await get_client(url=server.url).runs.wait(None, "explore", input=given, context={"rounds": 1})


async def by_page(server: Server, given: dict[str, Any], png: bytes) -> None:
    sha256 = given["picture"].removeprefix("g2u:")
    picture = {"sha256": sha256, "width": 640, "height": 480}
    reply = server.post("/g2u/ask", json=given | {"picture": picture})
    assert "event: result" in reply.text, reply.text


async def by_mcp(server: Server, given: dict[str, Any], png: bytes) -> None:
    picture = {"data": base64.b64encode(png).decode(), "mimeType": "image/png"}
    async with (
        streamable_http_client(f"{server.url}/g2u/mcp") as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        assert not (await session.call_tool("imagine", given | {"picture": picture})).isError


WAYS = (by_graph, by_other_graph, by_page, by_mcp)


async def test_every_way_reaches_the_engine_that_the_routes_see(
    server: Server, png: bytes, picture: dict[str, Any]
) -> None:
    before = server.metric(DRAWN)
    for way in WAYS:
        given = {"picture": picture["uri"], "question": f"Which {way.__name__}?", "options": ["red", "blue"]}
        await way(server, given, png)
    health, told = server.get("/g2u/health").json(), server.get("/asked").json()
    for way in WAYS:
        assert {engine for engine, text in told if f"Which {way.__name__}?" in text} == {health["engine"]}, way
    assert server.metric(DRAWN) == before + len(WAYS)
    assert (health["process"], health["models_loaded"], health["engine_modules"]) == (server.process.pid, 1, 1)
