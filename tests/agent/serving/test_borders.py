"""What must not get past the door: foreign names, pixels on unusual ways, models and writers of the operator."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk import get_client
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.agent.serving.servers import Server, scripted_server
from tests.agent.serving.test_bad_input import check
from tests.waiting import HUNG

pytestmark = pytest.mark.serve
Json = dict[str, Any]


def image(png: bytes) -> Json:
    return {"type": "image_url", "image_url": {"url": data(png)}}


def data(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


@pytest.fixture
def thread(server: Server, picture: Json) -> str:
    """One in which a question was answered."""
    found: str = server.post("/threads", json={"metadata": {"graph_id": "imagine"}}).json()["thread_id"]
    asked = {"picture": picture["uri"], "question": "Which?"}
    body = {"assistant_id": "imagine", "input": asked, "context": {"policy": "none"}}
    assert server.post(f"/threads/{found}/runs/wait", json=body).status_code == 200
    return found


@pytest.mark.parametrize("path", ["/g2u/", "/g2u/runs", "/threads/0/history", "/ok", "/docs"])
def test_a_foreign_name_reads_nothing(server: Server, path: str) -> None:
    check(server.get(path, headers={"Host": "rebound.example.org"}), 421, "'rebound.example.org'")
    reply = server.get(path, headers={"Host": "rebound.example.org:2024"})
    assert "$G2U_PUBLIC_URL" in reply.json()["hint"]


def test_a_foreign_name_writes_nothing(server: Server) -> None:
    host = "rebound.example.org:2024"
    headers = {"Host": host, "Origin": f"http://{host}"}
    check(server.post("/threads", json={}, headers=headers), 421, "rebound.example.org")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://smith.langchain.com", "https://smith.langchain.com"), ("https://example.org", None)],
)
def test_studio_may_read_why_a_request_is_refused(server: Server, origin: str, allowed: str | None) -> None:
    reply = server.post(
        "/runs/wait", json={"assistant_id": "imagine", "input": {"imge": 1}}, headers={"Origin": origin}
    )
    assert reply.status_code == (422 if allowed else 403) and reply.json()["hint"]
    assert reply.headers.get("access-control-allow-origin") == allowed


async def test_a_foreign_name_opens_no_socket(server: Server) -> None:
    own = urlsplit(server.url)
    address = f"ws://rebound.example.org/threads/{uuid4()}/stream/events"
    with pytest.raises(InvalidStatus):
        async with connect(address, host=own.hostname, port=own.port):
            pass
    async with connect(address.replace("rebound.example.org", "localhost"), host=own.hostname, port=own.port):
        pass


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:2024", "192.168.0.7:2024"])
def test_addresses_and_the_own_machine_are_no_foreign_names(server: Server, host: str) -> None:
    assert server.get("/ok", headers={"Host": host}).status_code == 200


MESSAGES: list[Callable[[bytes], Any]] = [
    lambda png: {"role": "user", "content": [image(png)]},
    lambda png: ["user", [image(png)]],
    lambda png: {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", "HumanMessage"],
        "kwargs": {"content": [image(png)]},
    },
    lambda png: {"role": "user", "content": "Which?", "additional_kwargs": {"seen": data(png)}},
]


@pytest.mark.parametrize("message", MESSAGES, ids=["usual", "pair", "serialised", "beside"])
def test_pixels_of_messages_of_any_form_are_kept_by_reference(
    server: Server, thread: str, picture: Json, png: bytes, message: Callable[[bytes], Any]
) -> None:
    asked = {"messages": [message(png), ["user", "Which?"]]}
    body = {"assistant_id": "direct", "input": asked}
    assert server.post(f"/threads/{thread}/runs/wait", json=body).json()["answer"]["text"] == "green"
    assert_references(server, thread, picture)


@pytest.mark.parametrize(
    "body",
    [
        lambda png: {"values": {"picture": data(png)}},
        lambda png: {"values": {"picture": image(png)}},
        lambda png: {"values": {"messages": [{"role": "user", "content": [image(png)]}]}},
        lambda png: {"values": {"messages": [["user", [image(png)]]]}},
        lambda png: {"values": {"question": data(png)}},
    ],
    ids=["picture", "block", "message", "pair", "elsewhere"],
)
def test_pixels_written_into_a_state_are_kept_by_reference(
    server: Server, thread: str, picture: Json, png: bytes, body: Callable[[bytes], Json]
) -> None:
    reply = server.post(f"/threads/{thread}/state", json=body(png) | {"as_node": "begin"})
    assert reply.status_code == 200, reply.text
    assert_references(server, thread, picture)


@pytest.mark.parametrize(
    "command",
    [
        lambda png: {"update": {"picture": data(png), "question": "Which?"}, "goto": "begin"},
        lambda png: {"update": [["picture", data(png)], ["question", "Which?"]], "goto": "begin"},
        lambda png: {"goto": {"node": "begin", "input": {"picture": data(png), "question": "Which?"}}},
    ],
    ids=["update", "pairs", "send"],
)
def test_pixels_of_a_command_are_kept_by_reference(
    server: Server, thread: str, picture: Json, png: bytes, command: Callable[[bytes], Json]
) -> None:
    body = {"assistant_id": "imagine", "command": command(png), "context": {"policy": "none"}}
    assert "answer" in server.post(f"/threads/{thread}/runs/wait", json=body).json()
    assert_references(server, thread, picture)


async def test_pixels_in_a_thread_that_is_made_with_a_past_are_kept_by_reference(
    server: Server, picture: Json, png: bytes
) -> None:
    client = get_client(url=server.url)
    begun = {"values": {"messages": [["user", [image(png)]]]}, "as_node": "__start__"}
    made = await client.threads.create(graph_id="imagine", supersteps=[{"updates": [begun]}])
    assert_references(server, made["thread_id"], picture)
    answered: Any = await client.runs.wait(made["thread_id"], "imagine", input={"question": "And now?"})
    assert answered["answer"]["text"] == "green"


def assert_references(server: Server, thread: str, picture: Json) -> None:
    """The thread has the picture, and has it by reference alone."""
    history = server.post(f"/threads/{thread}/history", json={"limit": 100})
    runs = server.get(f"/threads/{thread}/runs")
    assert picture["sha256"] in history.text
    assert "base64" not in history.text + runs.text


async def test_a_fork_goes_on_from_a_state_that_was_changed(server: Server, thread: str) -> None:
    client = get_client(url=server.url)
    begun = next(past for past in await client.threads.get_history(thread, limit=50) if "decide" in past["next"])
    values: Any = begun["values"]
    asked = {**values["asked"], "question": "Or which?"}
    forked = await client.threads.update_state(
        thread, {"asked": asked}, as_node="begin", checkpoint=begun["checkpoint"]
    )
    done: Any = await client.runs.wait(thread, "imagine", checkpoint=forked["checkpoint"], context={"policy": "none"})
    state: Any = (await client.threads.get_state(thread))["values"]
    assert (done["answer"]["text"], state["asked"]["question"]) == ("green", "Or which?")


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("state", {"values": {"picture": "/etc/passwd"}}, 422, "a reference or an address was expected"),
        ("state", {"values": {"picture": "iVBORw0KGgo="}}, 422, "a reference or an address was expected"),
        ("state", {"values": {"picture": "g2u:" + "f" * 64}}, 404, "not in the store"),
        ("state", {"values": {"question": "iVBORw0K" * 2**17}}, 413, "at most 1 MiB"),
        ("commands", {"method": "input.respond", "params": {"response": {"action": "aprove"}}}, 422, "no reply"),
    ],
)
def test_what_a_thread_does_not_take(
    server: Server, thread: str, path: str, body: Json, status: int, says: str
) -> None:
    check(server.post(f"/threads/{thread}/{path}", json=body), status, says)


OWN = {"policy": "/nowhere/own.py:policy"}


@pytest.mark.parametrize("settings", [OWN, {"policy": "writer:openai:gpt-4o-mini"}, {"weights": "/tmp"}])
@pytest.mark.parametrize(
    "written",
    [
        lambda settings: ("state", {"values": {"settings": settings}, "as_node": "begin"}),
        lambda settings: ("state", {"values": {"settings": settings}, "as_node": "reflect"}),
        lambda settings: ("runs/wait", {"command": {"update": {"settings": settings}}}),
        lambda settings: ("runs/wait", {"command": {"update": [["settings", settings]]}}),
        lambda settings: (
            "runs/wait",
            {"command": {"resume": {"action": "approve"}, "update": {"settings": settings}}},
        ),
        lambda settings: ("runs/wait", {"command": {"goto": {"node": "decide", "input": {"settings": settings}}}}),
        lambda settings: ("runs/wait", {"command": {"goto": [{"node": "decide", "input": {"settings": settings}}]}}),
    ],
)
def test_settings_that_are_written_into_a_thread_are_the_operators_too(
    server: Server, thread: str, written: Any, settings: Json
) -> None:
    path, body = written(settings)
    given = body if path == "state" else {"assistant_id": "imagine", **body}
    assert server.post(f"/threads/{thread}/{path}", json=given).status_code == 403
    past = {
        "supersteps": [{"updates": [{"values": {"settings": settings}, "as_node": "begin"}]}],
        "graph_id": "imagine",
    }
    assert server.post("/threads", json=past | {"metadata": {"graph_id": "imagine"}}).status_code == 403


@pytest.mark.parametrize(
    "values",
    [
        {"asked": {"question": 5}},
        {"asked": "hello"},
        {"rounds": [{"number": "x"}]},
        {"pending": {"a": 1}},
        {"settings": 3},
    ],
)
def test_values_that_no_node_could_read_are_not_written(server: Server, thread: str, values: Json) -> None:
    check(server.post(f"/threads/{thread}/state", json={"values": values, "as_node": "answer"}), 422, "of a thread")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "no picture to ask about"),
        ({"input": None}, "no picture to ask about"),
        ({"input": {}}, "no picture to ask about"),
        ({"input": {"question": "Which?"}}, "no picture to ask about"),
        ({"input": {"messages": ["Which?"]}}, "no picture to ask about"),
        ({"input": ["Which?"]}, "must be an object"),
        ({"input": {"messages": [{"content": "Which?"}]}}, "no message"),
        ({"input": {"messages": [["user", "Which?", 3]]}}, "no message"),
    ],
)
def test_a_run_without_a_thread_needs_picture_and_question(server: Server, given: Json, says: str) -> None:
    for path in ("/runs/wait", "/runs", "/runs/stream"):
        check(server.post(path, json={"assistant_id": "imagine"} | given), 422, says)


def test_an_answer_asks_nothing(server: Server, picture: Json) -> None:
    """As in the graph: the last message counts where it is a person's, and the fields otherwise."""
    messages = [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "Green."}]
    asked = {"picture": picture["uri"], "messages": messages}
    check(server.post("/runs/wait", json={"assistant_id": "direct", "input": asked}), 422, "no question")
    body = {"assistant_id": "direct", "input": asked | {"question": "And now?"}}
    assert server.post("/runs/wait", json=body).json()["answer"]["text"] == "green"


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({"policy": "random"}, "`explore` has no policy 'random'"),
        ({"policy": "probe:2"}, "`explore` has no policy 'probe:2'"),
        ({"pause": "drawing"}, "cannot pause before them"),
    ],
)
def test_what_explore_cannot_do_is_told_at_once(
    server: Server, thread: str, picture: Json, context: Json, says: str
) -> None:
    asked = {"picture": picture["uri"], "question": "Which?"}
    body = {"assistant_id": "explore", "input": asked, "context": context}
    check(server.post(f"/threads/{thread}/runs/wait", json=body), 422, says)


@pytest.mark.parametrize("path", ["/runs/wait", "/threads", "/runs/batch"])
@pytest.mark.parametrize("deep", ['{"input":' * 50_000, "[" * 50_000, '{"input":' * 600 + "1" + "}" * 600])
def test_what_is_nested_too_deeply(server: Server, path: str, deep: str) -> None:
    reply = server.post(path, content=deep, headers={"Content-Type": "application/json"})
    assert 400 <= reply.status_code < 500, reply.text


def test_a_deep_request_is_told_so(server: Server) -> None:
    deep = '{"input":' * 50_000 + "1" + "}" * 50_000
    reply = server.post("/runs/wait", content=deep, headers={"Content-Type": "application/json"})
    check(reply, 400, "nested too deeply")


def test_what_is_of_another_type_is_no_mistake_of_ours(server: Server, thread: str) -> None:
    assert 400 <= server.post("/runs/batch", json=[1, None]).status_code < 500
    command = {"id": 1, "method": "run.start", "params": {"assistant_id": "imagine", "config": [1]}}
    assert server.post(f"/threads/{thread}/commands", json=command).status_code < 500


def test_a_schedule_cannot_be_turned_to_something_else(server: Server) -> None:
    body = {"context": {"policy": "writer:openai:gpt-4o"}}
    reply = httpx.patch(f"{server.url}/runs/crons/{uuid4()}", json=body, timeout=HUNG)
    check(reply, 403, "cannot be changed")


SETTINGS = [
    ({"model": "bagel"}, "model 'bagel'", "$G2U_MODELS"),
    ({"model": "os:listdir"}, "model 'os:listdir'", "$G2U_MODELS"),
    ({"model": "/tmp/own.py:load"}, "model '/tmp/own.py:load'", "$G2U_MODELS"),
    ({"policy": "os:system"}, "policy 'os:system'", "$G2U_POLICIES"),
    ({"policy": "own.py:choose"}, "policy 'own.py:choose'", "$G2U_POLICIES"),
    ({"policy": "writer:openai:gpt-4o"}, "writer 'openai:gpt-4o'", "$G2U_WRITERS"),
    ({"policy": "writer:own.writers:make"}, "writer 'own.writers:make'", "$G2U_WRITERS"),
]


@pytest.mark.parametrize(("settings", "says", "variable"), SETTINGS)
def test_models_policies_and_writers_are_the_operators(
    server: Server, thread: str, picture: Json, settings: Json, says: str, variable: str
) -> None:
    asked = {"assistant_id": "imagine", "input": {"picture": picture["uri"], "question": "Which?"}}
    configured = {"config": {"configurable": settings}}
    responded = configured | {"interrupt_id": "0" * 32, "response": {"action": "approve"}}
    replies = [
        server.post("/runs/wait", json=asked | {"context": settings}),
        server.post("/runs/wait", json=asked | configured),
        server.post(f"/threads/{thread}/runs/wait", json={"assistant_id": "imagine", "context": settings}),
        server.post("/assistants", json={"graph_id": "imagine", "context": settings}),
        server.post(f"/threads/{thread}/commands", json={"id": 1, "method": "run.start", "params": asked | configured}),
        server.post(f"/threads/{thread}/commands", json={"id": 1, "method": "input.respond", "params": responded}),
    ]
    for reply in replies:
        check(reply, 403, says)
        assert variable in reply.json()["hint"]


async def test_a_reply_by_the_event_protocol_goes_on_with_the_served_model(server: Server, picture: Json) -> None:
    client = get_client(url=server.url)
    paused = (await client.threads.create())["thread_id"]
    asked = {"picture": picture["uri"], "question": "Which?"}
    await client.runs.wait(paused, "imagine", input=asked, context={"pause": "drawing"})
    state: Any = await client.threads.get_state(paused)
    params = {"interrupt_id": state["interrupts"][0]["id"], "response": {"action": "approve"}, "namespace": []}
    command = {"id": 1, "method": "input.respond", "params": params}
    assert server.post(f"/threads/{paused}/commands", json=command).json()["type"] == "success"
    (run, *_) = await client.runs.list(paused)
    await client.runs.join(paused, run["run_id"])
    state = await client.threads.get_state(paused)
    assert state["values"]["answer"]["text"] == "green"
    assert server.get("/g2u/health").json()["models_loaded"] == 1


EXAMPLES = Path(__file__).parents[3] / "examples"
OWN_MODEL, OWN_POLICY = f"{EXAMPLES}/own_model.py:load", f"{EXAMPLES}/own_policy.py:by_brightness"


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose operator has listed more."""
    listed = {
        "G2U_MODELS": f"mini, bagel, {OWN_MODEL}",
        "G2U_POLICIES": OWN_POLICY,
        "G2U_WRITERS": "openai:gpt-4o",
        "G2U_PUBLIC_URL": "https://g2u.example.org",
    }
    with scripted_server(tmp_path_factory.mktemp("listing"), LOG_LEVEL="WARNING", **listed) as server:
        yield server


def test_what_the_operator_lists_may_be_asked_for(listing: Server, png: bytes) -> None:
    picture = listing.post("/g2u/pictures", content=png, headers={"Content-Type": "image/png"}).json()
    asked = {"assistant_id": "imagine", "input": {"picture": picture["uri"], "question": "Which?"}}
    by_mini = listing.post("/runs/wait", json=asked | {"context": {"model": "mini", "policy": "none"}})
    assert by_mini.json()["answer"]["text"]
    assert listing.get("/g2u/health").json()["models_loaded"] == 2
    own = {"model": OWN_MODEL, "policy": OWN_POLICY}
    assert listing.post("/runs/wait", json=asked | {"context": own}).json()["answer"]["text"] == "right"
    other = listing.post("/runs/wait", json=asked | {"context": own | {"policy": f"{OWN_POLICY}s"}})
    check(other, 403, "does not let a request choose the policy")
    for name in ("openai:gpt-4o", "openai:gpt-5"):
        reply = listing.post("/runs/wait", json=asked | {"context": {"policy": f"writer:{name}"}})
        assert (reply.status_code == 403) == (name == "openai:gpt-5"), reply.text


def test_the_public_name_is_an_own_one(listing: Server) -> None:
    assert listing.get("/ok", headers={"Host": "g2u.example.org"}).status_code == 200
    check(listing.get("/ok", headers={"Host": "example.org"}), 421, "'example.org'")
