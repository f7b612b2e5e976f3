"""Questions about several pictures through a real server: fields, messages, threads, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langgraph_sdk import get_client

from tests.agent.serving.servers import Server

pytestmark = pytest.mark.serve
Json = dict[str, Any]
OPTIONS = ["red", "blue"]


@pytest.fixture(scope="module")
def both(server: Server, picture: Json) -> list[Json]:
    """Two pictures of the store: that of the other tests, and a drawing of it."""
    body = {"assistant_id": "imagine", "input": {"picture": picture["uri"], "question": "Which?", "options": OPTIONS}}
    found = server.post("/runs/wait", json=body).json()
    return [picture, found["rounds"][0]["thought"]]


def hashes(pictures: Any) -> list[str]:
    return [one["sha256"] for one in pictures]


async def test_a_run_is_about_the_pictures_of_its_input(server: Server, both: list[Json]) -> None:
    client = get_client(url=server.url)
    for given in ([one["uri"] for one in both], [*both], json.dumps([one["uri"] for one in both])):
        asked: Any = {"pictures": given, "question": "Which?", "options": OPTIONS}
        context: Any = {"rounds": 1, "policy": "fixed:deblur(on=1)"}
        found: Any = await client.runs.wait(None, "imagine", input=asked, context=context)
        assert hashes(found["direct"]["pictures"]) == hashes(both)
        (turn,) = found["rounds"]
        assert (turn["decision"]["on"], turn["source"]["sha256"]) == (1, both[0]["sha256"])
        assert hashes(found["answer"]["pictures"]) == [*hashes(both), turn["thought"]["sha256"]]


async def test_a_message_is_about_all_of_its_pictures_and_so_is_what_follows(server: Server, both: list[Json]) -> None:
    client = get_client(url=server.url)
    thread = (await client.threads.create())["thread_id"]
    content = [{"type": "image", "url": one["uri"]} for one in both] + [{"type": "text", "text": "Which?"}]
    context: Any = {"rounds": 1, "on": 2, "policy": "fixed:deblur"}
    for said in (content, "And now?"):
        given: Any = {"messages": [{"role": "user", "content": said}], "options": OPTIONS}
        found: Any = await client.runs.wait(thread, "imagine", input=given, context=context)
        assert hashes(found["direct"]["pictures"]) == hashes(both)
        assert found["rounds"][0]["source"]["sha256"] == both[1]["sha256"]
    state: Any = (await client.threads.get_state(thread))["values"]
    assert (hashes(state["asked"]["pictures"]), state["asked"]["question"]) == (hashes(both), "And now?")


@pytest.mark.parametrize(
    ("changes", "context", "status", "says"),
    [
        ({}, {"rounds": 2}, 422, "takes 3 pictures, and 'concat' of a question about 2 shows 4"),
        ({"pictures": 4}, {"policy": "none"}, 422, "takes 3 pictures a question, and this one is about 4"),
        ({"pictures": 33}, {"policy": "none"}, 422, "At most 32 pictures"),
        ({}, {"rounds": 1, "on": 3}, 422, "Picture 3 cannot be edited (on=3): the question is about 2 pictures"),
        ({}, {"rounds": 1, "policy": "fixed:deblur(on=3)"}, 422, "there is no picture 3"),
        ({"pictures": ["g2u:" + "0" * 64]}, {"rounds": 1}, 404, "000000000000 is not in the store"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(
    server: Server, both: list[Json], changes: Json, context: Json, status: int, says: str
) -> None:
    given = {"pictures": [one["uri"] for one in both], "question": "Which?", "options": OPTIONS} | changes
    if isinstance(given["pictures"], int):
        given["pictures"] = [both[0]["uri"]] * given["pictures"]
    reply = server.post("/runs/wait", json={"assistant_id": "imagine", "input": given, "context": context})
    assert reply.status_code == status and says in reply.json()["detail"], reply.text


def test_the_short_form_must_be_the_same_picture(server: Server, both: list[Json]) -> None:
    given = {"picture": both[0]["uri"], "pictures": [both[1]["uri"]], "question": "Which?"}
    reply = server.post("/runs/wait", json={"assistant_id": "imagine", "input": given})
    assert reply.status_code == 422 and "both given, and differ" in reply.json()["detail"]


async def test_the_form_of_studio_has_several_pictures(server: Server) -> None:
    client = get_client(url=server.url)
    schemas: Any = await client.assistants.get_schemas("imagine")
    pictures = schemas["input_schema"]["properties"]["pictures"]
    assert pictures["type"] == "array" and "in the place of `picture`" in pictures["description"]
    on = schemas["context_schema"]["properties"]["on"]
    assert on["minimum"] == 1 and "only picture that may be edited" in on["description"]
