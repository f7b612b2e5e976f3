"""A server whose `langgraph.json` names an auth handler: nothing of G2U is open beside it."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from langgraph_sdk import get_client
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from tests.agent.serving.servers import Server, scripted_server

pytestmark = pytest.mark.serve
KEY = {"Authorization": "Bearer of-a-friend"}
HANDLER = """
from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def authenticate(authorization: str | None) -> str:
    if authorization != "Bearer of-a-friend":
        raise Auth.exceptions.HTTPException(401, "Who are you?")
    return "friend"
"""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("closed")
    (folder / "auth.py").write_text(HANDLER)
    more = {"auth": {"path": "./auth.py:auth", "disable_studio_auth": True}}
    with scripted_server(folder, more, KEY, LOG_LEVEL="WARNING") as server:
        yield server


ROUTES = [
    ("GET", "/g2u/"),
    ("GET", "/g2u/runs"),
    ("GET", "/g2u/health"),
    ("GET", "/g2u/metrics"),
    ("GET", "/g2u/pictures/" + "f" * 64),
    ("POST", "/g2u/pictures"),
    ("POST", "/g2u/ask"),
    ("POST", "/g2u/mcp"),
    ("POST", "/g2u/mcp/"),
    ("POST", "/threads"),
    ("POST", "/runs/wait"),
    ("GET", "/assistants/imagine/schemas"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_asks_who_calls(closed: Server, method: str, path: str) -> None:
    call = closed.get if method == "GET" else closed.post
    for headers in ({}, {"Authorization": "Bearer of-a-stranger"}):
        reply = call(path, headers=headers, follow_redirects=True)
        assert (reply.status_code, "Who are you?" in reply.text) == (401, True), reply.text
    assert call(path, headers=KEY, follow_redirects=True).status_code not in (401, 403)


def test_a_stranger_leaves_no_picture(closed: Server, png: bytes) -> None:
    """The handler comes before the gate, which would keep what a request holds."""

    def kept() -> int:
        folder = closed.get("/g2u/health", headers=KEY).json()["store"]
        return len(list(Path(folder).rglob("*.png")))

    before, address = kept(), f"data:image/png;base64,{base64.b64encode(png).decode()}"
    body = {"assistant_id": "imagine", "input": {"picture": address, "question": "Which?"}}
    assert closed.post("/runs/wait", json=body).status_code == 401
    assert closed.post("/g2u/pictures", content=png, headers={"Content-Type": "image/png"}).status_code == 401
    assert kept() == before


async def test_who_is_known_asks_by_every_way(closed: Server, png: bytes) -> None:
    picture = closed.post("/g2u/pictures", content=png, headers=KEY | {"Content-Type": "image/png"}).json()
    client = get_client(url=closed.url, headers=KEY)
    made = await client.assistants.create("imagine", context={"policy": "none"})
    thread = (await client.threads.create())["thread_id"]
    asked = {"picture": picture["uri"], "question": "Which?"}
    found = await client.runs.wait(thread, made["assistant_id"], input=asked)
    assert found["answer"]["text"] == "green" and found["rounds"][0]["decision"]["policy"] == "none"  # type: ignore[call-overload]
    async with (
        create_mcp_http_client(headers=KEY) as http,
        streamable_http_client(f"{closed.url}/g2u/mcp", http_client=http) as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        assert not (await session.call_tool("imagine", asked)).isError
