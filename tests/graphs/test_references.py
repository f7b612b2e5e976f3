"""The input of a graph is references before LangGraph hands it to tracers and checkpoints."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command
from langsmith import Client, tracing_context
from PIL import Image

from g2u.errors import PictureError
from g2u.graphs import direct, explore, imagine
from tests.graphs.bench import OPTIONS
from tests.ingest import Ingest, ingesting

CONFIG: Any = {"configurable": {"thread_id": "1"}}


@pytest.fixture
def png() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((32, 32), 90).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def langsmith() -> Iterator[tuple[Ingest, Client]]:
    with ingesting() as ingest:
        client = Client(api_url=ingest.url, api_key="none", auto_batch_tracing=False)
        with tracing_context(enabled=True, client=client):
            yield ingest, client


def data(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def part(png: bytes) -> dict[str, str]:
    return {"type": "image", "base64": base64.b64encode(png).decode(), "mime_type": "image/png"}


INPUTS: list[Callable[[bytes], Any]] = [
    lambda png: {"messages": [HumanMessage([part(png), {"type": "text", "text": "Which?"}])]},
    lambda png: {"messages": [("user", [{"type": "image_url", "image_url": {"url": data(png)}}, "Which?"])]},
    lambda png: {"messages": [{"role": "user", "content": [part(png), {"type": "text", "text": "Which?"}]}]},
    lambda png: {"picture": data(png), "question": "Which?"},
    lambda png: {"picture": part(png), "question": "Which?"},
]
FORMS = ["message", "pair", "dict", "address", "part"]


@pytest.mark.parametrize("given", INPUTS, ids=FORMS)
async def test_no_picture_reaches_langsmith(
    bench: Any, png: bytes, langsmith: tuple[Ingest, Client], given: Callable[[bytes], Any]
) -> None:
    ingest, client = langsmith
    table = bench(["deblur"], ["keep"], rounds=1)
    found = await table.ask(imagine.graph, **{"picture": None, "question": None, "options": []} | given(png))
    client.flush()
    assert found["answer"].text and found["rounds"][0].thought
    thought = table.store.path(found["rounds"][0].thought.sha256).read_bytes()
    assert "Which?" in ingest.told and found["rounds"][0].thought.sha256 in ingest.told
    assert not ingest.holds(png) and not ingest.holds(thought)


@pytest.mark.parametrize("graph", [imagine.graph, direct.graph, explore.graph], ids=["imagine", "direct", "explore"])
@pytest.mark.parametrize("call", ["invoke", "stream", "batch"])
def test_calls_without_await_are_referenced_too(
    bench: Any, png: bytes, langsmith: tuple[Ingest, Client], graph: Any, call: str
) -> None:
    ingest, client = langsmith
    table = bench([], [], policy="none")
    given = INPUTS[0](png)
    list(getattr(graph, call)([given] if call == "batch" else given, context=table.context))
    client.flush()
    assert "Which?" in ingest.told and not ingest.holds(png)


async def test_events_and_commands_are_referenced(bench: Any, png: bytes, langsmith: tuple[Ingest, Client]) -> None:
    ingest, client = langsmith
    table = bench(["deblur"], ["keep"], rounds=1)
    graph = imagine.build_graph(InMemorySaver())
    async for _ in graph.astream_events(INPUTS[0](png), CONFIG, context=table.context, version="v2"):
        pass
    update = Command(update={"picture": data(png), "question": "And now?"}, goto="begin")
    await graph.ainvoke(update, CONFIG, context=table.context)
    client.flush()
    assert "And now?" in ingest.told and not ingest.holds(png)


async def test_checkpoints_hold_references_alone(bench: Any, png: bytes) -> None:
    table = bench(["deblur"], ["keep"], rounds=1)
    saver = InMemorySaver()
    await imagine.build_graph(saver).ainvoke(INPUTS[0](png), CONFIG, context=table.context)
    kept = [saved async for saved in saver.alist(CONFIG)]
    assert len(kept) > 4 and base64.b64encode(png[60:120]).decode() not in str(kept)
    assert table.store.add_bytes(png, "The picture").sha256 in str(kept)


async def test_what_is_written_into_a_state_by_hand_is_referenced(bench: Any, png: bytes) -> None:
    graph = imagine.build_graph(InMemorySaver())
    message = HumanMessage([part(png), {"type": "text", "text": "Which?"}])
    await graph.aupdate_state(CONFIG, {"messages": [message]}, as_node="__start__")
    graph.update_state(CONFIG, {"messages": [HumanMessage(data(png))]}, as_node="__start__")
    held = repr((await graph.aget_state(CONFIG)).values)
    assert "g2u:" in held and "base64" not in held


async def test_a_graph_around_is_traced_with_what_it_holds(
    bench: Any, png: bytes, langsmith: tuple[Ingest, Client]
) -> None:
    """The limit that docs/traces.md names: what another graph was given is its own to keep out of traces."""
    ingest, client = langsmith
    table = bench([], [])
    builder = StateGraph(MessagesState, type(table.context))
    builder.add_node("g2u", imagine.one_shot)
    builder.add_edge(START, "g2u")
    await builder.compile().ainvoke(INPUTS[0](png), context=table.context)
    client.flush()
    assert ingest.holds(png)


async def test_what_is_no_picture_is_refused_before_the_run(bench: Any, langsmith: tuple[Ingest, Client]) -> None:
    ingest, client = langsmith
    with pytest.raises(PictureError, match="no picture"):
        await bench([], []).ask(imagine.graph, picture="data:image/png;base64," + "PGh0bWw+" * 40)
    client.flush()
    assert "PGh0bWw+" not in json.dumps(ingest.told)
    assert OPTIONS[0] not in ingest.told
