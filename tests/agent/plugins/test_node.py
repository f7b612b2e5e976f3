"""The loop as a node: shared and separate state, checkpoints of references, and going on after a stop."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

import g2u
from g2u.errors import PictureError, QuestionError, UnknownNameError
from g2u.pictures.references import ImageRef
from g2u.state import Answer, Context, Output, Round
from tests.scripted import Call, ScriptedModel

SETTINGS: dict[str, Any] = {"model": "scripted", "policy": "fixed:deblur", "reflect": False}


class Shared(MessagesState):
    picture: ImageRef
    question: str
    options: NotRequired[list[str]]
    answer: NotRequired[Answer]
    direct: NotRequired[Answer]
    rounds: NotRequired[list[Round]]
    log: Annotated[list[str], operator.add]


class OneValue(TypedDict):
    asked: g2u.Question
    answer: NotRequired[Answer]
    rounds: NotRequired[list[Round]]


class Report(TypedDict):
    photo: str
    topic: str
    findings: Annotated[list[str], operator.add]


@pytest.fixture
def picture(model: ScriptedModel) -> ImageRef:
    return g2u.ImageStore("runs/pictures").add_file("picture.png")


def shared(checkpointer: Any = None, **settings: Any) -> Any:
    builder = StateGraph(Shared, context_schema=dict)
    builder.add_node("before", lambda state: {"log": ["before"]})
    builder.add_node("imagine", g2u.as_node(**SETTINGS | settings))
    builder.add_node("after", lambda state: {"log": [f"after {state['answer'].text}"]})
    builder.add_edge(START, "before").add_edge("before", "imagine").add_edge("imagine", "after").add_edge("after", END)
    return builder.compile(checkpointer)


def separate() -> Any:
    def before(state: Report) -> dict[str, Any]:
        return {"picture": state["photo"], "question": f"What is the {state['topic']}?"}

    def after(output: Output) -> dict[str, Any]:
        return {"findings": [f"{output['answer'].text}, not {output['direct'].text}"]}

    builder = StateGraph(Report)
    builder.add_node("look", g2u.as_node(Context(**SETTINGS), before=before, after=after))
    builder.add_edge(START, "look").add_edge("look", END)
    return builder.compile()


async def test_keys_are_shared(picture: ImageRef) -> None:
    given = {"picture": picture, "question": "Which?", "log": []}
    result = await shared().ainvoke(given, context={"user": "somebody"})
    assert result["log"] == ["before", "after teal"]
    assert (result["answer"].text, result["direct"].text, len(result["rounds"])) == ("teal", "plum", 2)
    assert [message.text for message in result["messages"]] == ["teal"]
    assert result["picture"] == picture


async def test_the_state_around_may_look_as_it_likes(model: ScriptedModel) -> None:
    result = await separate().ainvoke({"photo": "picture.png", "topic": "colour", "findings": ["old"]})
    assert result == {"photo": "picture.png", "topic": "colour", "findings": ["old", "teal, not plum"]}
    assert any("What is the colour?" in call.texts[0] for call in model.of("read"))


def test_thread_of_a_node_that_is_not_awaited_keeps_its_steps(picture: ImageRef, model: ScriptedModel) -> None:
    graph, config = shared(InMemorySaver(), pause="drawing"), {"configurable": {"thread_id": "1"}}
    asked = graph.invoke({"picture": picture, "question": "Which?"}, config, version="v2")
    assert [found.value["edit"] for found in asked.interrupts] == ["deblur"] and not model.of("draw")
    result = graph.invoke(Command(resume={"action": "approve"}), config, version="v2")
    assert result.value["answer"].text == "teal" and len(model.of("draw")) == 1


@pytest.mark.parametrize("limit", [2, 3, 5])
async def test_thread_of_a_node_goes_on_whatever_the_recursion_limit_around_it(
    model: ScriptedModel, limit: int
) -> None:
    given = {"photo": "picture.png", "topic": "colour"}
    assert (await separate().ainvoke(given, {"recursion_limit": limit}))["findings"] == ["teal, not plum"]
    assert separate().invoke(given, {"recursion_limit": limit})["findings"] == ["teal, not plum"]


async def test_thread_of_a_node_forgets_the_options_that_were_answered(picture: ImageRef, model: ScriptedModel) -> None:
    graph, config = shared(InMemorySaver()), {"configurable": {"thread_id": "1"}}
    first = await graph.ainvoke({"picture": picture, "question": "Which?", "options": ["red", "blue"]}, config)
    assert set(first["answer"].probabilities) == {"red", "blue"} and first["options"] == []
    again = await graph.ainvoke({"question": "What?"}, config)
    assert (again["answer"].text, again["answer"].probabilities) == ("teal", {})


@pytest.mark.parametrize("bad", [{"options": ["red"]}, {"gold_edits": ["debblur"]}, {"question": "x" * 2001}])
async def test_thread_of_a_node_that_is_asked_by_one_value_forgets_a_refused_question(
    picture: ImageRef, model: ScriptedModel, bad: dict[str, Any]
) -> None:
    builder = StateGraph(OneValue)
    builder.add_node("imagine", g2u.as_node(**SETTINGS))
    builder.add_edge(START, "imagine").add_edge("imagine", END)
    graph: Any = builder.compile(InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    good = {"picture": picture, "question": "Which?"}
    with pytest.raises(g2u.G2UError):
        await graph.ainvoke({"asked": good | bad}, config)
    for asked in (good, g2u.Question(pictures=[picture], question="What?")):
        found = await graph.ainvoke({"asked": asked}, config)
        assert (found["answer"].text, found["answer"].probabilities) == ("teal", {})


def test_a_graph_that_is_not_async_can_have_it_too(picture: ImageRef, tmp_path: Path) -> None:
    assert separate().invoke({"photo": "picture.png", "topic": "colour"})["findings"] == ["teal, not plum"]
    with SqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
        config = {"configurable": {"thread_id": "1"}}
        shared(saver).invoke({"picture": picture, "question": "Which?"}, config)
        assert shared(saver).get_state(config).values["answer"].text == "teal"


async def test_the_steps_of_the_loop_stream(picture: ImageRef) -> None:
    seen = [
        (part["ns"][0].partition(":")[0] if part["ns"] else "", name)
        async for part in shared().astream(
            {"picture": picture, "question": "Which?"}, stream_mode="updates", subgraphs=True, version="v2"
        )
        for name in part["data"]
    ]
    assert seen[0] == ("", "before") and ("imagine", "generate") in seen and seen[-1] == ("", "after")
    assert {"imagine:decide", "imagine:answer"} <= set(shared().get_graph(xray=True).nodes)


async def test_one_node_can_be_asked_again_in_a_thread(picture: ImageRef, model: ScriptedModel) -> None:
    graph, config = shared(InMemorySaver()), {"configurable": {"thread_id": "1"}}
    for number in (1, 2):
        result = await graph.ainvoke({"picture": picture, "question": f"Which {number}?"}, config)
        assert len(result["rounds"]) == 2 and len(result["messages"]) == number


async def test_a_run_goes_on_where_it_was_stopped(picture: ImageRef, model: ScriptedModel) -> None:
    broken = True

    def fail(call: Call) -> None:
        if broken and call.kind == "read":
            raise OSError("pulled the plug")

    model.before = fail
    graph, config = shared(InMemorySaver()), {"configurable": {"thread_id": "1"}}
    with pytest.raises(OSError, match="plug"):
        await graph.ainvoke({"picture": picture, "question": "Which?"}, config)
    drawn, broken = len(model.of("draw")), False
    result = await graph.ainvoke(None, config)
    assert result["answer"].text == "teal"
    assert len(model.of("draw")) == drawn == 1


async def test_checkpoints_hold_references(picture: ImageRef) -> None:
    saver, config = InMemorySaver(), {"configurable": {"thread_id": "1"}}
    await shared(saver).ainvoke({"picture": picture, "question": "Which?"}, config)
    kept = [part for found in saver.blobs.values() for part in found if isinstance(part, bytes)]
    assert kept and max(map(len, kept)) < 4096 and not any(b"PNG" in part for part in kept)
    assert (await shared(saver).aget_state(config)).values["picture"] == picture


async def test_tool_and_node_share_one_engine(picture: ImageRef, model: ScriptedModel) -> None:
    before = g2u.get_engine("scripted").counters()
    await shared().ainvoke({"picture": picture, "question": "Which?"})
    await g2u.as_tool(**SETTINGS).ainvoke({"picture": picture.uri, "question": "Which?"})
    assert g2u.get_engine("scripted").counters().since(before).draw.requests == 2
    assert len(model.threads) == 1


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"question": "Which?"}, PictureError, "cannot be None"),
        ({"picture": "missing.png", "question": "Which?"}, PictureError, "There is no picture"),
        ({"picture": b"pixels", "question": "Which?"}, PictureError, "is no picture"),
        ({"picture": "picture.png"}, QuestionError, "empty"),
    ],
)
async def test_what_is_missing_is_told(
    model: ScriptedModel, given: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as refused:
        await shared().ainvoke(given)
    assert says in str(refused.value)


def test_settings_are_checked_when_a_node_is_made() -> None:
    with pytest.raises(UnknownNameError, match="policy"):
        g2u.as_node(polcy="self")


async def test_a_person_is_asked_through_the_graph_around(picture: ImageRef, model: ScriptedModel) -> None:
    graph, config = shared(InMemorySaver(), pause="drawing"), {"configurable": {"thread_id": "1"}}
    asked = await graph.ainvoke({"picture": picture, "question": "Which?"}, config, version="v2")
    assert [found.value["edit"] for found in asked.interrupts] == ["deblur"] and not model.of("draw")
    result = await graph.ainvoke(Command(resume={"action": "change", "edit": "denoise"}), config, version="v2")
    assert not result.interrupts and result.value["rounds"][0].decision.edit == "denoise"
    assert len(model.of("draw")) == 1 and result.value["log"] == ["before", "after teal"]
