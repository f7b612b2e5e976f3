"""A person in the loop: what is asked, what may be replied, and a graph that was built anew meanwhile."""

from pathlib import Path
from typing import Any

import pytest
from langchain.agents.middleware.human_in_the_loop import HITLRequest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command
from pydantic import ValidationError

from g2u.asking import aask
from g2u.errors import ReviewError, SettingError
from g2u.graphs.imagine import build_graph
from g2u.state import Context
from tests.graphs.bench import OPTIONS
from tests.waiting import HUNG, Clock

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class Table:
    """A thread on which a person is asked."""

    def __init__(self, bench: Any, saver: Any) -> None:
        self.bench, self.graph = bench, build_graph(saver)

    async def ask(self) -> dict[str, Any]:
        return await self.go({"picture": self.bench.picture, "question": "Which?", "options": OPTIONS})

    async def reply(self, **reply: Any) -> dict[str, Any]:
        return await self.resume(reply)

    async def resume(self, reply: Any) -> dict[str, Any]:
        return await self.go(Command(resume=reply))

    async def go(self, given: Any) -> dict[str, Any]:
        found: Any = await self.graph.ainvoke(given, CONFIG, context=self.bench.context)  # type: ignore[call-overload]
        return found  # type: ignore[no-any-return]


def asks(found: dict[str, Any]) -> dict[str, Any]:
    (interrupt,) = found["__interrupt__"]
    forms = {form.get("type") or form["$ref"] for form in interrupt.response_schema["oneOf"]}
    assert forms == {"#/$defs/Review", "#/$defs/Decisions", "array"}
    return interrupt.value  # type: ignore[no-any-return]


async def test_a_graph_built_anew_goes_on_after_the_reply(bench: Any, tmp_path: Path) -> None:
    file = str(tmp_path / "threads.sqlite")
    table = bench(["deblur"], ["keep"], pause="both")
    async with AsyncSqliteSaver.from_conn_string(file) as saver:
        shown = asks(await Table(table, saver).ask())
    assert (shown["before"], shown["edit"], shown["instruction"]) == ("drawing", "deblur", "Remove the blur.")
    assert shown["picture"] == table.picture.uri and not table.model.of("draw")
    async with AsyncSqliteSaver.from_conn_string(file) as saver:
        shown = asks(await Table(table, saver).reply(action="approve"))
    assert (shown["before"], [one["edit"] for one in shown["thoughts"]]) == ("answer", ["deblur"])
    async with AsyncSqliteSaver.from_conn_string(file) as saver:
        done = await Table(table, saver).reply(action="approve")
    assert (done["answer"].text, done["direct"].text) == ("blue", "red")
    assert [call.size for call in table.model.of("draw")] == [1]


async def test_a_change_is_drawn_and_one_that_leaks_is_asked_for_again(bench: Any) -> None:
    table = Table(bench(["deblur"], ["keep"], pause="drawing", rounds=1), InMemorySaver())
    await table.ask()
    shown = asks(await table.reply(action="change", instruction="Paint it red."))
    assert shown["problem"].startswith("It may name an answer.")
    shown = asks(await table.reply(action="change", edit="debblur"))
    assert "no edit called 'debblur'" in shown["problem"]
    shown = asks(await table.reply(action="change", edit="none"))
    assert "nothing to draw" in shown["problem"]
    done = await table.reply(action="change", instruction="Sharpen the left half.")
    (turn,) = done["rounds"]
    assert (turn.decision.edit, turn.decision.instruction) == ("written", "Sharpen the left half.")
    assert turn.decision.reason.startswith('Changed by a person, from {"edit": "deblur"}')
    assert done["answer"].text == "blue"


async def test_a_changed_edit_and_the_words_of_a_known_one(bench: Any) -> None:
    for reply in ({"edit": "denoise"}, {"instruction": "Remove the noise."}):
        table = Table(bench(["deblur"], ["keep"], pause="drawing", rounds=1), InMemorySaver())
        await table.ask()
        done = await table.reply(action="change", **reply)
        assert [turn.decision.edit for turn in done["rounds"]] == ["denoise"]


@pytest.mark.parametrize(("pause", "replies"), [("drawing", ["stop"]), ("both", ["approve", "stop"])])
async def test_after_a_stop_the_answer_is_the_direct_one(bench: Any, pause: str, replies: list[str]) -> None:
    table = Table(bench(["deblur"], ["keep"], pause=pause, rounds=1), InMemorySaver())
    await table.ask()
    for action in replies:
        done = await table.reply(action=action)
    assert done["answer"] == done["direct"] and done["answer"].text == "red"
    assert done["stopped"].cause == "person"


async def test_after_a_stop_what_was_drawn_on_trial_is_not_used(bench: Any) -> None:
    table = Table(bench([], ["keep"], pause="drawing", rounds=1, policy="probe:1"), InMemorySaver())
    table.bench.model.score_script = lambda text, pictures, options: [
        -float(place) * (9 if len(pictures) > 1 else 1) for place in range(len(options))
    ]  # surer with a thought
    asks(await table.ask())
    assert len(table.bench.model.of("draw")) == 1
    done = await table.reply(action="stop")
    assert done["answer"] == done["direct"] and done["rounds"][0].thought is None


@pytest.mark.parametrize(
    "reply",
    [
        {"action": "aprove"},
        {"action": "change"},
        {"action": "stop", "edit": "deblur"},
        {"action": "approve", "reason": "Fine."},
        {"act": "stop"},
        {"decisions": []},
        {"decisions": [{"type": "approve"}, {"type": "approve"}]},
        {"decisions": [{"type": "respond", "message": "Green."}]},
        {"decisions": [{"type": "edit", "edited_action": {"name": "draw", "args": {"colour": "red"}}}]},
        [],
        [{"type": "response", "args": "Green."}],
        [{"type": "accept"}, {"type": "accept"}],
    ],
)
async def test_a_reply_that_is_none_leaves_the_run_waiting(bench: Any, reply: Any) -> None:
    table, _ = await paused(bench)
    with pytest.raises(ValidationError):
        await table.resume(reply)
    assert (await table.reply(action="approve"))["answer"].text == "blue"


def decisions(*given: dict[str, Any]) -> dict[str, Any]:
    return {"decisions": list(given)}


def edited(**args: str) -> dict[str, Any]:
    return decisions({"type": "edit", "edited_action": {"name": "draw", "args": args}})


def inbox(kind: str, action: str = "draw", **args: str) -> list[dict[str, Any]]:
    return [{"type": kind, "args": {"action": action, "args": args} if args else None}]


async def paused(bench: Any, **settings: Any) -> tuple[Table, dict[str, Any]]:
    table = Table(bench(["deblur"], ["keep"], rounds=1, **{"pause": "drawing"} | settings), InMemorySaver())
    return table, asks(await table.ask())


async def test_what_is_shown_has_the_fields_that_chat_pages_look_for(bench: Any) -> None:
    table, shown = await paused(bench, pause="both")
    args = {"edit": "deblur", "instruction": "Remove the blur."}
    (action,) = HITLRequest(**{name: shown[name] for name in HITLRequest.__annotations__})["action_requests"]
    assert (action["name"], action["args"]) == ("draw", args)
    assert "Which?" in action["description"] and table.bench.picture.uri in action["description"]
    assert shown["review_configs"] == [{"action_name": "draw", "allowed_decisions": ["approve", "edit", "reject"]}]
    assert shown["action_request"] == {"action": "draw", "args": args}
    allowed = {"allow_accept": True, "allow_edit": True, "allow_ignore": True, "allow_respond": False}
    assert (shown["config"], shown["description"]) == (allowed, action["description"])
    shown = asks(await table.resume(inbox("accept")))
    assert shown["action_requests"][0]["args"] == {"thoughts": f"deblur: {shown['thoughts'][0]['picture']}"}
    assert shown["review_configs"] == [{"action_name": "answer", "allowed_decisions": ["approve", "reject"]}]
    assert shown["config"] == allowed | {"allow_edit": False}


async def test_while_a_person_is_asked_a_message_stands_for_the_answer(bench: Any) -> None:
    """Chat pages draw buttons below the last message if it is the agent's: also of a second question."""
    table = Table(bench(["deblur", "deblur"], ["keep", "keep"], pause="both", rounds=1), InMemorySaver())
    for question in ("Which?", "And now?"):
        found = await table.go({"picture": table.bench.picture, "messages": [("user", question)]})
        *before, waiting = found["messages"]
        assert (before[-1].content, waiting.type) == (question, "ai") and "ask before I draw" in waiting.content
        assert (await table.reply(action="approve"))["messages"][-1].id == waiting.id
        done = await table.reply(action="approve")
        assert (done["messages"][:-1], done["messages"][-1].id) == (before, waiting.id)
        assert done["messages"][-1].content == done["answer"].text
        assert not done["messages"][-1].response_metadata


async def test_what_stood_for_an_answer_that_never_came_goes_with_the_next_question(bench: Any) -> None:
    table = Table(bench(["deblur", "deblur"], ["keep", "keep"], pause="drawing", rounds=1), InMemorySaver())
    left = await table.go({"picture": table.bench.picture, "messages": [("user", "Which?")]})
    assert "I ask before I draw" in left["messages"][-1].content
    await table.go({"messages": [("user", "And now?")]})
    done = await table.reply(action="approve")
    assert [message.content for message in done["messages"]] == ["Which?", "And now?", done["answer"].text]


@pytest.mark.parametrize(
    ("reply", "drawn"),
    [
        (decisions({"type": "approve"}), "deblur"),
        (edited(edit="deblur", instruction="Remove the blur."), "deblur"),
        (edited(edit="denoise", instruction="Remove the blur."), "denoise"),
        (edited(edit="deblur", instruction="Remove the noise."), "denoise"),
        (edited(edit="denoise"), "denoise"),
        (edited(instruction="Sharpen the left half."), "written"),
        (inbox("accept"), "deblur"),
        (inbox("accept", edit="deblur", instruction="Remove the blur."), "deblur"),
        (inbox("edit", edit="denoise", instruction="Remove the blur."), "denoise"),
        (inbox("edit", edit="deblur", instruction="Remove the noise."), "denoise"),
    ],
)
async def test_a_standard_reply_is_done_like_our_own(bench: Any, reply: Any, drawn: str) -> None:
    table, _ = await paused(bench)
    done = await table.resume(reply)
    assert [turn.decision.edit for turn in done["rounds"]] == [drawn]
    assert done["answer"].text == "blue"


@pytest.mark.parametrize("pause", ["drawing", "answer"])
@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (decisions({"type": "reject", "message": "It is sharp."}), ": It is sharp."),
        (decisions({"type": "reject"}), "."),
        (inbox("ignore"), "."),
        ({"action": "stop", "reason": "It is sharp"}, ": It is sharp."),
    ],
)
async def test_a_standard_stop_keeps_its_reason(bench: Any, pause: str, reply: Any, why: str) -> None:
    table, _ = await paused(bench, pause=pause)
    told: list[Any] = [
        event
        async for event in table.graph.astream(
            Command(resume=reply),
            CONFIG,
            context=table.bench.context,
            stream_mode="custom",
        )
    ]
    (stopped,) = [event for event in told if event["step"] == "stop" and event["cause"] == "person"]
    assert stopped["message"].endswith(why)
    state = (await table.graph.aget_state(CONFIG)).values
    assert state["answer"] == state["direct"]


@pytest.mark.parametrize(
    ("pause", "reply", "says"),
    [
        ("drawing", edited(edit="denoise", instruction="Remove the noise."), "Changed were edit and instruction"),
        ("drawing", edited(instruction=" "), "Changed were instruction"),
        ("drawing", inbox("edit", edit="deblur", thoughts="none"), "Changed were thoughts"),
        ("drawing", edited(instruction="Paint it red."), "may name an answer"),
        ("answer", inbox("edit", "answer", thoughts="none"), "Changed were thoughts"),
        ("answer", {"action": "change", "edit": "deblur"}, "nothing can be changed"),
    ],
)
async def test_a_standard_reply_that_cannot_be_done_is_asked_for_again(
    bench: Any, pause: str, reply: Any, says: str
) -> None:
    table, _ = await paused(bench, pause=pause)
    shown = asks(await table.resume(reply))
    assert says in shown["problem"] and shown["description"].startswith(shown["problem"])
    assert shown["action_request"]["args"]["problem"] == shown["problem"]
    given = {"action": shown["action_request"]["action"], "args": shown["action_request"]["args"]}
    assert (await table.resume([{"type": "accept", "args": given}]))["answer"].text == "blue"


async def test_the_time_that_a_person_takes_is_not_the_runs(bench: Any, clock: Clock) -> None:
    table = Table(bench(["deblur"], ["keep"], pause="drawing", rounds=1, seconds=HUNG), InMemorySaver())
    await table.ask()
    clock.advance(2 * HUNG)
    assert (await table.reply(action="approve"))["answer"].text == "blue"


async def test_nobody_can_be_asked_without_a_thread(bench: Any, tmp_path: Path) -> None:
    table = bench(["deblur"], ["keep"], pause="drawing")
    with pytest.raises(ReviewError, match="checkpointer"):
        await table.ask()
    with pytest.raises(SettingError, match="no thread"):
        await aask(table.picture, "Which?", context=Context(pause="answer"), out=tmp_path)
