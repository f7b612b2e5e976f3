"""Threads that ask more than once: each answer is about what was asked last, whatever became of the one before."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from PIL import Image

from g2u.errors import G2UError, PictureError, QuestionError
from g2u.graphs import direct, explore, imagine
from g2u.pictures.references import ImageRef
from tests.graphs.bench import OPTIONS
from tests.scripted import Call
from tests.waiting import HUNG

CONFIG: Any = {"configurable": {"thread_id": "1"}}
GRAPHS = {"imagine": imagine.build_graph, "explore": explore.build_graph, "direct": direct.build_graph}


class Thread:
    """One thread of a graph."""

    def __init__(self, bench: Any, name: str = "imagine", saver: Any = None) -> None:
        self.bench, self.graph = bench, GRAPHS[name](saver or InMemorySaver())

    async def ask(self, **given: Any) -> Any:
        return await self.go(given)

    async def go(self, given: Any, context: Any = "own", config: Any = CONFIG) -> Any:
        context = self.bench.context if context == "own" else context
        return await self.graph.ainvoke(given, config, context=context)

    async def state(self) -> dict[str, Any]:
        return (await self.graph.aget_state(CONFIG)).values  # type: ignore[no-any-return]

    async def leave(self, how: str, **given: Any) -> None:
        """Ask, and let the question come to no answer."""
        model, context = self.bench.model, self.bench.context
        if how == "paused":
            context.pause = "answer"
            assert "__interrupt__" in await self.ask(**given)
            context.pause = "never"
            return
        if how == "crashed":
            model.before = _pull_the_plug
            with pytest.raises(OSError, match="plug"):
                await self.ask(**given)
        else:
            begun, over, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()

            def wait(call: Call) -> None:
                loop.call_soon_threadsafe(begun.set)
                over.wait(HUNG)

            model.before = wait
            task = asyncio.create_task(self.ask(**given))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            over.set()
        model.before = None


def _pull_the_plug(call: Call) -> None:
    raise OSError("pulled the plug")


def ready(bench: Any, name: str, **settings: Any) -> Any:
    """A bench whose model draws nothing, whatever the graph."""
    return bench([], [], policy="none" if name == "explore" else "self", **settings)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("how", ["paused", "crashed", "cancelled"])
async def test_thread_forgets_what_belonged_to_an_unfinished_question(bench: Any, name: str, how: str) -> None:
    thread = Thread(ready(bench, name), name)
    picture = thread.bench.picture
    await thread.leave(how, picture=picture, question="Which?", options=OPTIONS, gold_edits=["deblur"])
    found = await thread.ask(picture=picture, question="What?")
    asked = (await thread.state())["asked"]
    assert (asked.question, asked.options, asked.gold_edits) == ("What?", [], [])
    assert (found["answer"].text, found["answer"].probabilities) == ("green", {})


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("how", ["paused", "crashed", "cancelled"])
async def test_thread_takes_fields_after_a_message_that_did_not_finish(bench: Any, name: str, how: str) -> None:
    thread = Thread(ready(bench, name), name)
    block = {"type": "image", "url": thread.bench.picture.uri, "mime_type": "image/png"}
    message = HumanMessage([block, {"type": "text", "text": "Which?"}])
    await thread.leave(how, messages=[message])
    found = await thread.ask(question="What colour is the start?", options=["red", "green"])
    asked = (await thread.state())["asked"]
    assert (asked.question, asked.options, asked.picture) == (
        "What colour is the start?",
        ["red", "green"],
        thread.bench.picture,
    )
    assert set(found["answer"].probabilities) == {"red", "green"}


async def test_thread_asks_a_message_that_came_after_fields_that_did_not_finish(bench: Any) -> None:
    thread = Thread(bench([], []))
    await thread.leave("paused", picture=thread.bench.picture, question="Which?", options=OPTIONS)
    found = await thread.ask(messages=[{"role": "user", "content": "What?"}])
    asked = (await thread.state())["asked"]
    assert (asked.question, asked.options, asked.picture) == ("What?", [], thread.bench.picture)
    assert found["answer"].text == "green"


async def test_thread_asks_about_the_picture_that_was_asked_about_last(bench: Any) -> None:
    thread = Thread(bench([], []))
    shown, later = (thread.bench.store.add_image(Image.new("RGB", (8, 8), colour)) for colour in ("white", "black"))
    block = {"type": "image", "url": shown.uri, "mime_type": "image/png"}
    await thread.ask(messages=[HumanMessage([block, {"type": "text", "text": "Which?"}])])
    assert (await thread.state())["asked"].picture == shown
    await thread.ask(picture=later, question="Which?")
    await thread.ask(messages=[HumanMessage("And now?")])
    assert (await thread.state())["asked"].picture == later


async def test_thread_asks_the_same_message_again_when_it_is_sent_again(bench: Any) -> None:
    thread = Thread(bench([], []))
    message = HumanMessage("Which?", id="one")
    await thread.leave("paused", picture=thread.bench.picture, question="Why?")
    await thread.leave("crashed", messages=[message])
    assert (await thread.ask(messages=[message]))["answer"].text == "green"
    assert [one.content for one in (await thread.state())["messages"]] == ["Which?", "green"]


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(
    "bad",
    [
        {"question": "Which?", "options": ["red"]},
        {"question": "Which?", "gold_edits": ["debblur"]},
        {"question": "x" * 2001},
        {"question": "Which?", "picture": "g2u:0"},
        {"messages": [HumanMessage("x" * 2001)]},
    ],
    ids=["options", "gold edits", "too long", "picture", "long message"],
)
async def test_thread_answers_a_good_question_after_a_refused_one(bench: Any, name: str, bad: dict[str, Any]) -> None:
    thread = Thread(ready(bench, name), name)
    await thread.ask(picture=thread.bench.picture, question="First?", options=OPTIONS)
    for _ in range(2):
        with pytest.raises(G2UError):
            await thread.ask(**bad)
    await thread.ask(question="What?")
    assert (await thread.state())["asked"].question == "What?"
    await thread.ask(messages=[HumanMessage("And now?")])
    asked = (await thread.state())["asked"]
    assert (asked.question, asked.options, asked.picture) == ("And now?", [], thread.bench.picture)


async def test_thread_needs_a_question_each_time(bench: Any) -> None:
    thread = Thread(bench([], []))
    other = thread.bench.store.add_image(Image.new("RGB", (8, 8), "white"))
    with pytest.raises(PictureError, match="no picture"):
        await thread.ask(question="Which?")
    await thread.ask(picture=thread.bench.picture, question="Which?")
    for given in ({"picture": other}, {"options": OPTIONS}):
        with pytest.raises(QuestionError, match="no question"):
            await thread.ask(**given)
    await thread.ask(picture=other, question="Which?")
    assert (await thread.state())["asked"].picture == other


@pytest.mark.parametrize("name", GRAPHS)
async def test_thread_has_no_answer_while_another_question_is_under_way(bench: Any, name: str) -> None:
    thread = Thread(ready(bench, name), name)
    first = await thread.ask(picture=thread.bench.picture, question="Which?", options=OPTIONS)
    assert first["answer"].text == "red"
    thread.bench.context.pause = "answer"
    waiting = await thread.ask(question="What?")
    assert (waiting["answer"], waiting["direct"], waiting["stopped"]) == (None, None, None)
    assert all(turn.thought is None for turn in waiting["rounds"])
    assert waiting.get("candidates", []) == []
    done = await thread.go(Command(resume={"action": "approve"}))
    assert done["answer"].text == "green"


async def test_thread_goes_on_with_a_question_that_was_refused_only_when_told_to(bench: Any) -> None:
    thread = Thread(bench([], []))
    with pytest.raises(QuestionError, match="at least two"):
        await thread.ask(picture=thread.bench.picture, question="Which?", options=["red"])
    with pytest.raises(QuestionError, match="at least two"):
        await thread.go(None)
    assert (await thread.ask(picture=thread.bench.picture, question="Which?"))["answer"].text == "green"


async def test_thread_keeps_the_question_as_one_value(bench: Any) -> None:
    thread = Thread(bench([], []))
    await thread.ask(picture=thread.bench.picture, question="Which?", options=OPTIONS, gold_edits=["deblur"])
    state = await thread.state()
    assert not {"picture", "question", "options", "gold_edits"} & set(state)
    assert isinstance(state["asked"].picture, ImageRef) and state["settings"] == {}
