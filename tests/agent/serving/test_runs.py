"""Runs through a real server, as the SDK, other graphs and other agents start them."""

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client

from tests.agent.serving.servers import Server
from tests.waiting import HUNG, wait_until

pytestmark = pytest.mark.serve
OPTIONS = ["red", "blue"]


def asked(picture: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"picture": picture["uri"], "question": "Which?", "options": OPTIONS} | more


def message(block: Mapping[str, Any], text: str = "Which?") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [block, {"type": "text", "text": text}]}]}


async def test_a_thread_streams_progress_and_keeps_references(server: Server, picture: dict[str, Any]) -> None:
    client = get_client(url=server.url)
    thread = (await client.threads.create())["thread_id"]
    parts = [
        part
        async for part in client.runs.stream(
            thread,
            "imagine",
            input=asked(picture),
            context={"steps": 4},
            stream_mode=["values", "updates", "custom", "tasks", "checkpoints"],
        )
    ]
    progress = [part.data for part in parts if part.event == "custom"]
    assert [event["done"] for event in progress if event["step"] == "generate"] == [0, 1, 2, 3, 4]
    assert max(len(json.dumps(part.data)) for part in parts) < 100_000
    state = await client.threads.get_state(thread)
    values: Any = state["values"]
    assert (values["answer"]["text"], values["direct"]["text"]) == ("blue", "red")
    assert values["rounds"][0]["decision"]["edit"] == "deblur"
    history = await client.threads.get_history(thread, limit=50)
    assert len(history) >= 6
    told = json.dumps([part.data for part in parts]) + json.dumps(history)
    assert "base64" not in told and "iVBOR" not in told
    thought = values["rounds"][0]["thought"]["sha256"]
    assert server.get(f"/g2u/pictures/{thought}").headers["content-type"] == "image/png"


async def test_a_second_question_in_a_message_is_about_the_same_picture(
    server: Server, picture: dict[str, Any]
) -> None:
    client = get_client(url=server.url)
    thread = (await client.threads.create())["thread_id"]
    first: Any = await client.runs.wait(thread, "imagine", input=message({"type": "image", "url": picture["url"]}))
    again: Any = await client.runs.wait(
        thread, "imagine", input={"messages": [{"role": "user", "content": "And now?"}]}
    )
    assert first["answer"]["text"] == again["answer"]["text"] == "green"
    state: Any = (await client.threads.get_state(thread))["values"]
    asked = state["asked"]
    assert (asked["question"], asked["pictures"][0]["sha256"]) == ("And now?", picture["sha256"])
    assert [one["type"] for one in state["messages"]] == ["human", "ai", "human", "ai"]


@pytest.mark.parametrize(
    "shape",
    [
        lambda data: {"type": "image", "base64": data, "mime_type": "image/png"},
        lambda data: {"type": "image", "data": data, "mimeType": "image/png"},
        lambda data: {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
        lambda data: {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
    ],
    ids=["standard", "javascript", "openai", "anthropic"],
)
async def test_pictures_in_messages_are_kept_by_reference_and_shown_by_address(
    server: Server, png: bytes, picture: dict[str, Any], shape: Any
) -> None:
    client = get_client(url=server.url)
    thread = (await client.threads.create())["thread_id"]
    given = message(shape(base64.b64encode(png).decode()))
    result: Any = await client.runs.wait(thread, "imagine", input=given)
    history = json.dumps(await client.threads.get_history(thread, limit=50))
    runs = json.dumps(await client.runs.list(thread))
    assert not any("iVBOR" in told for told in (history, runs))
    human, answer = result["messages"][0]["content"], result["messages"][-1]["content"]
    assert human[0] == {
        "type": "image",
        "url": f"{server.url}/g2u/pictures/{picture['sha256']}",
        "mime_type": "image/png",
    }
    text, block = answer
    thought = result["rounds"][0]["thought"]["sha256"]
    assert text["text"] == f"green\n\n![deblur]({server.url}/g2u/pictures/{thought}?size=512)"
    assert block == {"type": "image", "url": f"{server.url}/g2u/pictures/{thought}", "mime_type": "image/png"}


async def test_explore_and_direct(server: Server, picture: dict[str, Any]) -> None:
    client = get_client(url=server.url)
    explored: Any = await client.runs.wait(None, "explore", input=asked(picture), context={"rounds": 3})
    assert (len(explored["candidates"]), len(explored["rounds"])) == (3, 1)
    assert explored["answer"]["text"] == "blue"
    direct: Any = await client.runs.wait(None, "direct", input=asked(picture))
    assert (direct["answer"]["text"], direct["rounds"]) == ("red", [])


async def test_what_studio_shows(server: Server) -> None:
    client = get_client(url=server.url)
    assistants = {one["graph_id"]: one for one in await client.assistants.search()}
    assert set(assistants) == {"imagine", "explore", "direct"}
    assert all(one["description"] for one in assistants.values())
    for one in assistants.values():
        schemas: Any = await client.assistants.get_schemas(one["assistant_id"])
        assert {"messages", "picture", "question", "options"} <= set(schemas["input_schema"]["properties"])
        assert {"messages", "answer", "direct", "rounds"} <= set(schemas["output_schema"]["properties"])
        settings = schemas["context_schema"]["properties"]
        assert "decide" in settings["policy"]["langgraph_nodes"]
        assert all("langgraph_nodes" in setting and "description" in setting for setting in settings.values())
        assert "weights" not in settings and "store" not in settings
        assert (settings["model"]["enum"], settings["model"]["default"]) == (["scripted"], "scripted")
        assert settings["families"]["items"]["enum"] == ["enhancement", "extension", "structure"]
        assert (settings["rounds"]["minimum"], settings["rounds"]["maximum"]) == (1, 16)
        explores = one["graph_id"] == "explore"
        pauses = ["never", "answer"] if explores else ["never", "drawing", "answer", "both"]
        assert settings["pause"]["enum"] == pauses
        offered = settings["policy"]["enum"]
        assert offered == ["self", "score", "oracle", "none"] if explores else {"self", "fixed:deblur"} < set(offered)
        for policy in offered if explores else ():
            made = await client.assistants.create("explore", context={"policy": policy})
            await client.assistants.delete(made["assistant_id"])
    drawn: Any = await client.assistants.get_graph(assistants["explore"]["assistant_id"], xray=True)
    assert {"attempt:draw", "attempt:judge"} <= {node["id"] for node in drawn["nodes"]}
    drawn = await client.assistants.get_graph(assistants["imagine"]["assistant_id"])
    abouts = {node["id"]: (node.get("metadata") or {}).get("about") for node in drawn["nodes"]}
    assert abouts["decide"] == "what to imagine"


async def test_a_remote_graph(server: Server, picture: dict[str, Any]) -> None:
    graph = RemoteGraph("imagine", url=server.url)
    found = await graph.ainvoke(asked(picture))
    assert found["answer"]["text"] == "blue"


async def test_another_agent(server: Server, picture: dict[str, Any]) -> None:
    assistants = await get_client(url=server.url).assistants.search(graph_id="imagine")
    parts = [
        {"kind": "file", "file": {"uri": picture["url"], "mimeType": "image/png"}},
        {"kind": "text", "text": "Which?"},
    ]
    asked = {"role": "user", "messageId": "1", "parts": parts}
    call = {"jsonrpc": "2.0", "id": "1", "method": "message/send", "params": {"message": asked}}
    reply = server.post(
        f"/a2a/{assistants[0]['assistant_id']}", json=call, headers={"Accept": "application/json"}
    ).json()
    assert "result" in reply, reply
    (artifact,) = reply["result"]["artifacts"]
    text, file = artifact["parts"]
    assert text["text"].startswith("green")
    assert httpx.get(file["file"]["uri"]).headers["content-type"] == "image/png"


async def test_a_person_approves_after_a_wrong_reply(server: Server, picture: dict[str, Any]) -> None:
    client = get_client(url=server.url)
    thread = (await client.threads.create())["thread_id"]
    given: dict[str, Any] = {"assistant_id": "imagine", "context": {"pause": "both"}}
    await client.runs.wait(thread, "imagine", input=asked(picture), context=given["context"])
    state: Any = await client.threads.get_state(thread)
    (asks,) = state["interrupts"]
    assert (asks["value"]["before"], asks["value"]["edit"]) == ("drawing", "deblur")
    assert asks["value"]["picture"] == picture["url"]
    wrong = server.post(f"/threads/{thread}/runs/wait", json=given | {"command": {"resume": {"action": "aprove"}}})
    assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")
    leaks = {"action": "change", "instruction": "Make it blue."}
    await client.runs.wait(thread, "imagine", command={"resume": leaks}, context=given["context"])
    state = await client.threads.get_state(thread)
    assert "may name an answer" in state["interrupts"][0]["value"]["problem"]
    change = {"action": "change", "instruction": "Remove the noise."}
    await client.runs.wait(thread, "imagine", command={"resume": change}, context=given["context"])
    state = await client.threads.get_state(thread)
    assert state["interrupts"][0]["value"]["before"] == "answer"
    for wrong in ([{"type": "response", "args": "No."}], {"decisions": [{"type": "approve"}, {"type": "approve"}]}):
        reply = server.post(f"/threads/{thread}/runs/wait", json=given | {"command": {"resume": wrong}})
        assert (reply.status_code, "no reply" in reply.json()["detail"]) == (422, True)
    approved = {"decisions": [{"type": "approve"}]}
    done: Any = await client.runs.wait(thread, "imagine", command={"resume": approved}, context=given["context"])
    assert (done["answer"]["text"], done["rounds"][0]["decision"]["edit"]) == ("blue", "denoise")


async def test_a_person_approves_as_chat_pages_do(server: Server, picture: dict[str, Any]) -> None:
    client = get_client(url=server.url)
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "imagine", input=asked(picture), context={"pause": "drawing"})
    state: Any = await client.threads.get_state(thread)
    checkpoint = {name: state["checkpoint"][name] for name in ("checkpoint_id", "checkpoint_ns")}
    command = {"resume": [{"type": "accept", "args": None}]}
    given = {"assistant_id": "imagine", "command": command, "checkpoint": checkpoint}
    both = server.post(f"/threads/{thread}/runs/wait", json=given | {"input": asked(picture)})
    assert (both.status_code, "an input or a command, not both" in both.json()["detail"]) == (422, True)
    done = server.post(f"/threads/{thread}/runs/wait", json=given | {"input": {}}).json()
    assert done["rounds"][0]["thought"] and done["answer"]["text"] == "blue"


async def test_thread_resumes_with_the_settings_of_its_run(server: Server, picture: dict[str, Any]) -> None:
    client = get_client(url=server.url)
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "imagine", input=asked(picture), context={"pause": "both", "steps": 3})
    approve: Any = {"resume": {"action": "approve"}}
    parts = [part async for part in client.runs.stream(thread, "imagine", command=approve, stream_mode="custom")]
    assert [part.data["total"] for part in parts if part.event == "custom" and part.data["step"] == "generate"][:1] == [
        3
    ]
    state: Any = await client.threads.get_state(thread)
    assert state["interrupts"][0]["value"]["before"] == "answer"
    done: Any = await client.runs.wait(thread, "imagine", command=approve)
    assert done["answer"]["text"] == "blue"


async def test_thread_that_was_double_texted_answers_the_later_question(
    server: Server, picture: dict[str, Any]
) -> None:
    client = get_client(url=server.url)
    thread = (await client.threads.create())["thread_id"]
    await client.runs.create(thread, "imagine", input=asked(picture), context={"steps": 900})
    while not (await client.threads.get_state(thread))["values"].get("asked"):
        await asyncio.sleep(0.1)
    later = {"picture": picture["uri"], "question": "What?"}
    done: Any = await client.runs.wait(thread, "imagine", input=later, multitask_strategy="interrupt")
    state: Any = (await client.threads.get_state(thread))["values"]
    assert (state["asked"]["question"], state["asked"]["options"]) == ("What?", [])
    assert (done["answer"]["text"], done["answer"]["probabilities"]) == ("green", {})


async def test_fork_of_a_thread_is_edited_and_run(server: Server, picture: dict[str, Any]) -> None:
    client = get_client(url=server.url)
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "imagine", input=asked(picture))
    history: Any = await client.threads.get_history(thread, limit=50)
    (before,) = [one for one in history if one["next"] == ["generate"]][-1:]
    pending = before["values"]["pending"]
    pending["decision"] |= {"edit": "denoise", "instruction": "Remove the noise."}
    await client.threads.update_state(thread, {"pending": pending}, as_node="decide", checkpoint=before["checkpoint"])
    assert (await client.threads.get_state(thread))["next"] == ["generate"]
    done: Any = await client.runs.wait(thread, "imagine", input=None)
    assert done["rounds"][0]["decision"]["edit"] == "denoise" and done["answer"]["text"] == "blue"


async def test_seconds_that_are_over_are_told_in_the_output(server: Server, picture: dict[str, Any]) -> None:
    for graph in ("imagine", "explore"):
        found: Any = await get_client(url=server.url).runs.wait(
            None, graph, input=asked(picture), context={"seconds": 1e-6}
        )
        assert found["stopped"]["cause"] == "seconds" and found["rounds"] == []


async def test_a_client_that_goes_away_cancels_its_drawing(server: Server, picture: dict[str, Any]) -> None:
    before = server.metric("g2u_cancelled_total")
    body = {"assistant_id": "imagine", "input": asked(picture), "context": {"steps": 900}, "stream_mode": ["custom"]}
    async with (
        httpx.AsyncClient(timeout=HUNG) as client,
        client.stream("POST", f"{server.url}/runs/stream", json=body) as reply,
    ):
        async for line in reply.aiter_lines():
            if '"generate"' in line:
                break
    wait_until(lambda: server.metric("g2u_cancelled_total") > before, every=0.1)
    assert server.metric("g2u_cancelled_total") == before + 1


async def test_the_seconds_of_each_step_are_counted(server: Server, picture: dict[str, Any]) -> None:
    client = get_client(url=server.url)
    names = [
        f'{name}{{step="{step}"}}'
        for step in ("decide", "generate", "reflect", "answer")
        for name in ("g2u_steps_total", "g2u_step_seconds_total")
    ]
    await client.runs.wait(None, "explore", input=asked(picture), context={"rounds": 1})
    before = [server.metric(name) for name in names]
    for graph in ("imagine", "explore"):
        await client.runs.wait(None, graph, input=asked(picture), context={"rounds": 1})
    more = [server.metric(name) - old for name, old in zip(names, before, strict=True)]
    assert more[::2] == [2, 2, 2, 2] and min(more[1::2]) > 0
    assert more[3] >= 2 * 0.02  # what a drawing of one step takes at least
