"""Every bad input is answered with 4xx, a problem and a hint, before a run starts."""

import base64
import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.agent.serving.servers import Server

pytestmark = pytest.mark.serve
IMAGE = {"Content-Type": "image/png"}


def bomb() -> bytes:
    """A small file of more pixels than are decoded."""
    buffer = io.BytesIO()
    Image.new("1", (9000, 9000)).save(buffer, "PNG")
    return buffer.getvalue()


def check(reply: Any, status: int, says: str) -> None:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["status"] == status and says in problem["detail"] and problem["hint"], problem


@pytest.mark.parametrize(
    ("content", "headers", "status", "says"),
    [
        (b"x", {"Content-Type": "text/html"}, 415, "'text/html' is not taken"),
        (b"x", {"Content-Type": "multipart/form-data; boundary=x"}, 415, "is not taken"),
        (b"", IMAGE, 422, "empty"),
        (b"<html>", IMAGE, 422, "no picture"),
        (b"x" * (64 * 2**20 + 1), IMAGE, 413, "larger than 64 MiB"),
        (bomb(), IMAGE, 413, "megapixels"),
    ],
    ids=["media type", "form", "empty", "no picture", "bytes", "pixels"],
)
def test_uploads(server: Server, content: bytes, headers: dict[str, str], status: int, says: str) -> None:
    check(server.post("/g2u/pictures", content=content, headers=headers), status, says)


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("f" * 64, 404, "is not in the store"),
        ("..%2f..%2f..%2fetc%2fpasswd", 422, "no reference"),
        ("%2e%2e/%2e%2e/etc/passwd", 422, "no reference"),
        ("ABCDEF", 422, "no reference"),
    ],
)
def test_addresses_of_pictures(server: Server, path: str, status: int, says: str) -> None:
    check(server.get(f"/g2u/pictures/{path}"), status, says)


def test_sizes_and_caching(server: Server, picture: dict[str, Any]) -> None:
    address = f"/g2u/pictures/{picture['sha256']}"
    whole, small = server.get(address), server.get(f"{address}?size=256")
    assert Image.open(io.BytesIO(whole.content)).size == (640, 480)
    assert Image.open(io.BytesIO(small.content)).size == (256, 192)
    assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert whole.headers["etag"] != small.headers["etag"]
    again = server.get(f"{address}?size=256", headers={"If-None-Match": small.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    check(server.get(f"{address}?size=257"), 422, "cannot be had in the size '257'")


@pytest.mark.parametrize(
    ("given", "status", "says"),
    [
        ({"picture": "g2u:" + "f" * 64}, 404, "is not in the store"),
        ({"picture": {"sha256": "f" * 64, "width": 1, "height": 1}}, 404, "is not in the store"),
        ({"picture": "/etc/passwd"}, 422, "a reference or an address was expected"),
        ({"picture": "../../etc/passwd"}, 422, "a reference or an address was expected"),
        ({"picture": "file:///etc/passwd"}, 422, "a reference or an address was expected"),
        ({"picture": "http://127.0.0.1:1/a.png"}, 403, "not fetched from '127.0.0.1'"),
        ({"picture": "http://169.254.169.254/latest/meta-data"}, 403, "not fetched"),
        ({"picture": 7}, 422, "cannot be 7"),
        ({"picture": "data:text/html;base64,PGh0bWw+"}, 422, "no picture"),
        ({"picture": "data:image/png;base64,####"}, 422, "no base64"),
        ({"pictur": "x"}, 422, "no field of the input called 'pictur'"),
        ({"question": ""}, 422, "question is empty"),
        ({"options": ["red"]}, 422, "at least two"),
        ({"gold_edits": ["debblur"]}, 422, "no edit called 'debblur'"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
            422,
            "type 'image' is neither text nor a picture",
        ),
    ],
)
def test_inputs(server: Server, picture: dict[str, Any], given: dict[str, Any], status: int, says: str) -> None:
    whole = {"picture": picture["uri"], "question": "Which?"} | given
    for path in ("/runs/wait", "/runs/stream", "/runs"):
        check(server.post(path, json={"assistant_id": "imagine", "input": whole}), status, says)
    check(server.post("/runs/batch", json=[{"assistant_id": "direct", "input": whole}]), status, says)


@pytest.mark.parametrize(
    ("given", "status", "says"),
    [
        ({"context": {"rouns": 2}}, 422, "no setting called 'rouns'"),
        ({"context": {"rounds": "many"}}, 422, "rounds"),
        ({"config": {"configurable": {"rouns": 2}}}, 422, "no setting called 'rouns'"),
        ({"config": {"configurable": {"max_rounds": 2}}}, 422, "no setting called 'max_rounds'"),
        ({"config": {"configurable": {"rounds": "many"}}}, 422, "rounds"),
        ({"config": {"configurable": {"policy": "slef"}}}, 422, "no policy called 'slef'"),
        ({"context": {"rounds": 99}}, 422, "1 to 16 rounds"),
        ({"context": {"policy": "slef"}}, 422, "no policy called 'slef'"),
        ({"context": {"model": "mimi"}}, 403, "choose the model 'mimi'"),
        ({"context": {"pause": "drawing"}}, 422, "only in a thread"),
        ({"context": {"store": "/tmp"}}, 403, "chosen by whoever runs the server"),
        ({"config": {"configurable": {"store": "/tmp"}}}, 403, "chosen by whoever runs the server"),
        ({"context": {"weights": "/tmp"}}, 403, "chosen by whoever runs the server"),
        ({"webhook": "http://127.0.0.1:1/"}, 403, "calls no webhooks"),
    ],
)
def test_settings(server: Server, picture: dict[str, Any], given: dict[str, Any], status: int, says: str) -> None:
    body = {"assistant_id": "imagine", "input": {"picture": picture["uri"], "question": "Which?"}} | given
    check(server.post("/runs/wait", json=body), status, says)


def test_a_misspelt_setting_is_told_with_the_nearest_name(server: Server, picture: dict[str, Any]) -> None:
    given = {"input": {"picture": picture["uri"], "question": "Which?"}, "config": {"configurable": {"polcy": "none"}}}
    reply = server.post("/runs/wait", json={"assistant_id": "imagine"} | given)
    assert "policy" in reply.json()["hint"]


def test_what_belongs_to_a_graph_around_is_no_setting(server: Server, picture: dict[str, Any]) -> None:
    """`RemoteGraph` hands on all that the graph around it was configured with."""
    configured = {"tenant": "a", "session_id": "b", "user_id": "c", "policy": "none"}
    body = {"input": {"picture": picture["uri"], "question": "Which?"}, "config": {"configurable": configured}}
    found = server.post("/runs/wait", json={"assistant_id": "imagine"} | body).json()
    assert found["answer"]["text"] and found["rounds"][0]["decision"]["policy"] == "none"


ASSISTANTS: list[tuple[str, dict[str, Any], str]] = [
    ("imagine", {"context": {"rouns": 2}}, "no setting called 'rouns'"),
    ("imagine", {"context": {"rounds": "many"}}, "rounds"),
    ("imagine", {"context": {"rounds": 99}}, "1 to 16 rounds"),
    ("imagine", {"context": {"seconds": 0}}, "number of seconds"),
    ("imagine", {"context": {"policy": "slef"}}, "no policy called 'slef'"),
    ("imagine", {"context": {"policy": "fixed:debblur"}}, "no edit called 'debblur'"),
    ("imagine", {"context": {"families": ["enhancment"]}}, "no family"),
    ("imagine", {"context": {"fusion": "conct"}}, "fusion"),
    ("imagine", {"context": {"reader": "anser"}}, "no reader prompt called 'anser'"),
    ("imagine", {"config": {"configurable": {"rouns": 2}}}, "no setting called 'rouns'"),
    ("imagine", {"config": {"configurable": {"rounds": 99}}}, "1 to 16 rounds"),
    ("explore", {"context": {"policy": "random"}}, "has no policy 'random'"),
    ("explore", {"context": {"pause": "drawing"}}, "cannot pause"),
]


@pytest.mark.parametrize(("graph", "settings", "says"), ASSISTANTS)
def test_an_assistant_that_no_run_could_have(server: Server, graph: str, settings: dict[str, Any], says: str) -> None:
    check(server.post("/assistants", json={"graph_id": graph} | settings), 422, says)
    made = server.post("/assistants", json={"graph_id": graph, "context": {"rounds": 1}}).json()["assistant_id"]
    reply = httpx.patch(f"{server.url}/assistants/{made}", json=settings, timeout=60)
    check(reply, 422, says)
    assert server.get(f"/assistants/{made}").json()["context"] == {"rounds": 1}
    httpx.delete(f"{server.url}/assistants/{made}", timeout=60)


def test_an_assistant_may_have_what_a_question_brings(server: Server) -> None:
    for settings in ({"policy": "oracle"}, {"policy": "fixed:deblur", "rounds": 1}, {"pause": "both"}):
        reply = server.post("/assistants", json={"graph_id": "imagine", "context": settings})
        assert (reply.status_code, reply.json()["context"]) == (200, settings), reply.text
        httpx.delete(f"{server.url}/assistants/{reply.json()['assistant_id']}", timeout=60)


def test_an_assistant_cannot_choose_folders(server: Server) -> None:
    body = {"graph_id": "imagine", "context": {"store": "/etc"}}
    check(server.post("/assistants", json=body), 403, "chosen by whoever runs the server")


def test_a_request_that_is_too_large(server: Server) -> None:
    body = {"assistant_id": "imagine", "input": {"picture": "data:image/png;base64," + "A" * (25 * 2**20)}}
    check(server.post("/runs/wait", json=body), 413, "at most 24 MiB")


def test_a_form_of_a_web_page_starts_nothing(server: Server) -> None:
    reply = server.post("/runs", content=b'{"assistant_id": "imagine"}', headers={"Content-Type": "text/plain"})
    check(reply, 415, "must be JSON")


@pytest.mark.parametrize("path", ["/a2a/0", "/runs/cancel", "/threads", "/g2u/pictures", "/g2u/ask"])
def test_a_foreign_page_changes_nothing(server: Server, path: str) -> None:
    headers = {"Origin": "https://example.org", "Content-Type": "text/plain"}
    check(server.post(path, content=b"{}", headers=headers), 403, "may not call the server")


@pytest.mark.parametrize("origin", ["https://smith.langchain.com", "http://localhost:3000"])
def test_a_page_that_may_call_can_read_what_is_wrong(server: Server, origin: str) -> None:
    body = {"assistant_id": "imagine", "input": {"picture": "/etc/passwd", "question": "Which?"}}
    reply = server.post("/runs/wait", json=body, headers={"Origin": origin})
    check(reply, 422, "was expected")
    assert reply.headers.get_list("access-control-allow-origin") == [origin]


def test_the_servers_own_page_may_call(server: Server, png: bytes) -> None:
    headers = {"Origin": server.url, "Content-Type": "image/png"}
    assert server.post("/g2u/pictures", content=png, headers=headers).status_code == 201


def test_many_pictures_at_once_are_not_all_decoded(server: Server, png: bytes) -> None:
    one = {"type": "image", "base64": base64.b64encode(png).decode(), "mime_type": "image/png"}
    content = [one] * 32 + [{"type": "image", "base64": "AAAA", "mime_type": "image/png"}]
    given = {"messages": [{"role": "user", "content": content}]}
    check(server.post("/runs/wait", json={"assistant_id": "imagine", "input": given}), 422, "At most 32 pictures")


async def test_a_socket_is_checked_too(server: Server, picture: dict[str, Any]) -> None:
    thread = server.post("/threads", json={}).json()["thread_id"]
    address = f"ws{server.url.removeprefix('http')}/threads/{thread}/stream/events"
    given = {"assistant_id": "imagine", "input": {"picture": "file:///etc/passwd", "question": "Which?"}}
    async with connect(address) as socket:
        await socket.send(json.dumps({"id": 1, "method": "run.start", "params": given}))
        told = json.loads(await socket.recv())
        assert (told["type"], told["id"]) == ("error", 1) and "was expected" in told["message"]
        given["input"] = {"picture": picture["uri"], "question": "Which?"}
        await socket.send(json.dumps({"id": 2, "method": "run.start", "params": given}))
        while (told := json.loads(await socket.recv())).get("id") != 2:
            pass
        assert told["type"] == "success", told
    with pytest.raises(InvalidStatus):
        async with connect(address, origin=Origin("https://example.org")):
            pass


def test_only_known_pages_may_call(server: Server) -> None:
    def allowed(origin: str) -> str | None:
        return server.get("/g2u/health", headers={"Origin": origin}).headers.get("access-control-allow-origin")

    studio, local = "https://smith.langchain.com", "http://localhost:3000"
    assert (allowed(studio), allowed(local), allowed("https://example.org")) == (studio, local, None)


def test_what_would_dump_the_state_is_off(server: Server) -> None:
    assert server.post("/mcp/", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).status_code == 404
