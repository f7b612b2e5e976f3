"""A person in the loop: what is asked, what may be replied, and a graph that was built anew meanwhile."""

from pathlib import Path
from typing import Any

import pytest
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
        return await self.go(Command(resume=reply))

    async def go(self, given: Any) -> dict[str, Any]:
        found: Any = await self.graph.ainvoke(given, CONFIG, context=self.bench.context)  # type: ignore[call-overload]
        return found  # type: ignore[no-any-return]


def asks(found: dict[str, Any]) -> dict[str, Any]:
    (interrupt,) = found["__interrupt__"]
    assert interrupt.response_schema["title"] == "Review"
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
    "reply", [{"action": "aprove"}, {"action": "change"}, {"action": "stop", "edit": "deblur"}, {"act": "stop"}]
)
async def test_a_reply_that_is_none_leaves_the_run_waiting(bench: Any, reply: dict[str, str]) -> None:
    table = Table(bench(["deblur"], ["keep"], pause="drawing", rounds=1), InMemorySaver())
    await table.ask()
    with pytest.raises(ValidationError):
        await table.reply(**reply)
    assert (await table.reply(action="approve"))["answer"].text == "blue"


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
