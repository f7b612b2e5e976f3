"""Messages as real clients of a server send them: every shape of a picture, whole histories, text alone, `null`."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, convert_to_openai_messages, message_to_dict
from langgraph_sdk import get_client
from PIL import Image

from tests.agent.serving.servers import Server

pytestmark = pytest.mark.serve
Json = dict[str, Any]


@pytest.fixture(scope="module")
def other() -> bytes:
    """A picture that is not the one of the thread."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (40, 40, 40)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def uploaded(server: Server, other: bytes) -> Json:
    reply = server.post("/g2u/pictures", content=other, headers={"Content-Type": "image/png"})
    return dict(reply.json())


def shapes(data: str) -> list[Json]:
    return [
        {"type": "input_image", "image_url": f"data:image/png;base64,{data}"},
        {"type": "file", "mediaType": "image/png", "url": f"data:image/png;base64,{data}"},
        {"type": "file", "mediaType": "image/png", "data": data},
        {"type": "file", "file": {"file_data": f"data:image/png;base64,{data}", "filename": "a.png"}},
        {"type": "media", "mime_type": "image/png", "data": data},
        {"inlineData": {"mimeType": "image/png", "data": data}},
        {"image": {"format": "png", "source": {"bytes": data}}},
        {"type": "resource", "resource": {"uri": "file:///a.png", "mimeType": "image/png", "blob": data}},
        {"type": "image", "source_type": "base64", "mime_type": "image/png", "data": data.rstrip("=")},
    ]


def source(result: Any) -> str:
    """Hash of the picture that a run asked about."""
    return str(result["rounds"][0]["source"]["sha256"])


def said(*content: Any) -> Json:
    return {"role": "user", "content": list(content)}


async def test_intake_asks_about_the_new_picture_in_every_shape(
    server: Server, picture: Json, uploaded: Json, other: bytes
) -> None:
    client, data = get_client(url=server.url), base64.encodebytes(other).decode()

    async def asked(shape: Json) -> None:
        thread = (await client.threads.create())["thread_id"]
        first = [said({"type": "image", "url": picture["url"]}, {"type": "text", "text": "Which?"})]
        assert source(await client.runs.wait(thread, "imagine", input={"messages": first})) == picture["sha256"]
        second = [said(shape, {"type": "text", "text": "And here?"})]
        assert source(await client.runs.wait(thread, "imagine", input={"messages": second})) == uploaded["sha256"]
        kept = json.dumps([await client.threads.get_history(thread, limit=50), await client.runs.list(thread)])
        assert "iVBOR" not in kept and data[:40] not in kept, shape

    await asyncio.gather(*map(asked, shapes(data)))


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "'wav', which is no picture"),
        ({"type": "file", "mediaType": "application/pdf", "url": "https://example.org/a.pdf"}, "type 'file'"),
        ({"type": "input_image", "file_id": "file-1"}, "type 'input_image'"),
        ({"type": "hologram", "voxels": "AAAA"}, "type 'hologram'"),
    ],
)
def test_intake_refuses_other_parts_by_name(server: Server, picture: Json, part: Json, says: str) -> None:
    thread = server.post("/threads", json={}).json()["thread_id"]
    given = {"messages": [said({"type": "image", "url": picture["url"]}, part, {"type": "text", "text": "Which?"})]}
    for path in ("/runs/wait", f"/threads/{thread}/runs/stream"):
        reply = server.post(path, json={"assistant_id": "imagine", "input": given})
        assert (reply.status_code, says in reply.json()["detail"]) == (422, True), reply.text


HISTORY: dict[str, list[Any]] = {
    "picture first": [HumanMessage([{"picture": True}]), HumanMessage("Which?")],
    "second turn": [HumanMessage([{"picture": True}, "What is it?"]), AIMessage("A square."), HumanMessage("Which?")],
    "handed over": [
        HumanMessage([{"picture": True}, {"type": "text", "text": "Which?"}]),
        AIMessage("", tool_calls=[{"name": "transfer_to_g2u", "args": {"picture": "photo.png"}, "id": "1"}]),
        ToolMessage("Successfully transferred to g2u", tool_call_id="1"),
    ],
    "handed over in words": [HumanMessage([{"picture": True}, "Which?"]), AIMessage("My colleague will tell.")],
}


@pytest.mark.parametrize("history", HISTORY.values(), ids=HISTORY)
async def test_intake_finds_picture_and_question_in_a_history(
    server: Server, picture: Json, png: bytes, history: list[Any]
) -> None:
    client = get_client(url=server.url)
    shown = {"type": "image", "base64": base64.b64encode(png).decode(), "mime_type": "image/png"}

    def with_picture(content: Any) -> Any:
        return content if isinstance(content, str) else [shown if one == {"picture": True} else one for one in content]

    sent = [message.model_copy(update={"content": with_picture(message.content)}) for message in history]
    forms = [[message_to_dict(one)["data"] for one in sent], convert_to_openai_messages(sent)]
    for form in forms:
        result: Any = await client.runs.wait(None, "imagine", input={"messages": form})
        assert source(result) == picture["sha256"] and "iVBOR" not in json.dumps(result)
    assert "Which?" in server.get("/asked").text


def test_intake_of_text_alone_names_the_picture(server: Server, picture: Json, uploaded: Json) -> None:
    for text in (
        f"Which? {picture['uri']}",
        f"![it]({picture['url']})\n\nWhich?",
        f"Picture: {picture['url']}?size=512\nWhich?",
    ):
        given = {"messages": [{"role": "user", "content": text}]}
        result = server.post("/runs/wait", json={"assistant_id": "imagine", "input": given}).json()
        assert source(result) == picture["sha256"]
    given = {"messages": [{"role": "user", "content": f"Which? g2u:{'f' * 64}"}]}
    reply = server.post("/runs/wait", json={"assistant_id": "imagine", "input": given})
    assert reply.status_code == 404 and "is not in the store" in reply.json()["detail"]


async def test_intake_of_another_agent(server: Server, picture: Json, png: bytes) -> None:
    client = get_client(url=server.url)
    assistants = await client.assistants.search(graph_id="imagine")
    data = base64.b64encode(png).decode()
    asked: dict[str, list[Json]] = {
        "in two texts": [{"kind": "text", "text": picture["uri"]}, {"kind": "text", "text": "Which is it?"}],
        "in one": [{"kind": "text", "text": f"Which is it? {picture['url']}"}],
        "with the file": [
            {"kind": "file", "file": {"bytes": data, "mimeType": "image/png"}},
            {"kind": "text", "text": "Which is it?"},
        ],
    }
    for name, parts in asked.items():
        message = {"role": "user", "messageId": name, "parts": parts}
        call = {"jsonrpc": "2.0", "id": "1", "method": "message/send", "params": {"message": message}}
        reply = server.post(
            f"/a2a/{assistants[0]['assistant_id']}", json=call, headers={"Accept": "application/json"}
        ).json()
        assert reply["result"]["artifacts"][0]["parts"][0]["text"].startswith("green"), (name, reply)
        history = await client.threads.get_history(reply["result"]["contextId"], limit=20)
        assert source(history[0]["values"]) == picture["sha256"] and data[:60] not in json.dumps(history)
    heard = [text for _, text in server.get("/asked").json() if "Which is it?" in text]
    assert heard and not [text for text in heard if "g2u:" in text or "/g2u/pictures/" in text]


NULLS: list[Json] = [
    {"options": None, "gold_edits": None, "messages": None},
    {"options": "[]"},
    {"messages": []},
]


@pytest.mark.parametrize("given", NULLS)
async def test_intake_takes_null_for_what_is_left_out(server: Server, picture: Json, given: Json) -> None:
    client = get_client(url=server.url)
    whole = {"picture": picture["uri"], "question": "Which?", **given}
    thread = (await client.threads.create())["thread_id"]
    for place in (None, thread):
        result: Any = await client.runs.wait(
            place, "imagine", input=whole, context={"weights": None, "model": None, "policy": None, "steps": None}
        )
        assert result["answer"]["text"] == "green" and result["answer"]["probabilities"] == {}


async def test_intake_takes_lists_and_numbers_as_text(server: Server, picture: Json) -> None:
    client = get_client(url=server.url)
    asked = {"picture": picture["uri"], "question": "Which?", "options": '["red", "blue"]', "gold_edits": '["deblur"]'}
    context = {"policy": "oracle", "rounds": "1", "families": '["enhancement"]'}
    result: Any = await client.runs.wait(None, "imagine", input=asked, context=context)
    assert set(result["answer"]["probabilities"]) == {"red", "blue"} and len(result["rounds"]) == 1
    given = {"picture": None, "question": None, "messages": [said({"type": "image", "url": picture["url"]}, "Which?")]}
    result = await client.runs.wait(None, "imagine", input=given)
    assert source(result) == picture["sha256"]
    made = await client.assistants.create("imagine", context={"weights": None, "rounds": 1})
    result = await client.runs.wait(None, made["assistant_id"], input=asked)
    assert result["answer"]["text"] == "blue"


async def test_intake_refuses_to_remove_what_is_not_there(server: Server, picture: Json) -> None:
    client = get_client(url=server.url)
    thread = (await client.threads.create())["thread_id"]
    first = {**said({"type": "image", "url": picture["url"]}, "Which?"), "id": "first"}
    await client.runs.wait(thread, "imagine", input={"messages": [first]})

    def removing(identifier: str) -> Mapping[str, Any]:
        asked = {"messages": [{"type": "remove", "id": identifier, "content": ""}, {"role": "user", "content": "Now?"}]}
        return {"assistant_id": "imagine", "input": asked}

    reply = server.post(f"/threads/{thread}/runs/wait", json=removing("second"))
    assert (reply.status_code, "no message 'second'" in reply.json()["detail"]) == (422, True)
    assert server.post("/runs/wait", json=removing("first")).status_code == 422
    result = server.post(f"/threads/{thread}/runs/wait", json=removing("first")).json()
    assert [one["type"] for one in result["messages"]] == ["ai", "human", "ai"]


async def test_intake_of_a_state_written_by_hand(server: Server, picture: Json, png: bytes) -> None:
    client, data = get_client(url=server.url), base64.encodebytes(png).decode()
    thread = (await client.threads.create(graph_id="imagine"))["thread_id"]
    odd = {"type": "hologram", "front": data, "back": [f"see data:image/png;base64,{''.join(data.split())} there"]}
    values = {"messages": [{"type": "ai", "content": [odd, *shapes(data)]}]}
    reply = server.post(f"/threads/{thread}/state", json={"values": values, "as_node": "__start__"})
    assert reply.status_code == 200, reply.text
    kept = json.dumps(await client.threads.get_history(thread))
    assert kept.count(picture["sha256"]) >= 2 + len(shapes(data)) and "iVBOR" not in kept
    reply = server.post(f"/threads/{thread}/state", json={"values": {"messages": None}, "as_node": "__start__"})
    assert reply.status_code < 500, reply.text


def test_intake_over_several_requests_of_a_thread(server: Server, picture: Json, uploaded: Json) -> None:
    thread = server.post("/threads", json={}).json()["thread_id"]

    def sent(*content: Any) -> Any:
        given = {"messages": [said(*content)]}
        return server.post(f"/threads/{thread}/runs/wait", json={"assistant_id": "imagine", "input": given}).json()

    def shown(one: Json) -> Json:
        return {"type": "image", "url": one["url"]}

    assert "There is no question" in sent(shown(picture))["__error__"]["message"]
    assert source(sent("Which?")) == picture["sha256"]
    assert "There is no question" in sent(shown(uploaded))["__error__"]["message"]
    assert source(sent("And here?")) == uploaded["sha256"]
    alone = {"assistant_id": "imagine", "input": {"picture": picture["uri"]}}
    reply = server.post(f"/threads/{thread}/runs/wait", json=alone)
    assert (reply.status_code, reply.json()["detail"]) == (422, "There is no question.")
    assert source(sent("And now?")) == uploaded["sha256"]
