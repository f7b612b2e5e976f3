"""Seconds are of work: what stands still between two steps costs none, and what ran out is told in the result."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from g2u.asking import aask
from g2u.graphs import explore, imagine
from g2u.plugins.blocks import words_about
from g2u.state import Context
from tests.graphs.bench import OPTIONS
from tests.scripted import Call
from tests.waiting import HUNG, Clock

CONFIG: Any = {"configurable": {"thread_id": "1"}}


def given(bench: Any) -> Any:
    return {"picture": bench.picture, "question": "Which?", "options": OPTIONS}


@pytest.mark.parametrize("how", ["breakpoint", "crash", "fork", "pause"])
async def test_seconds_do_not_run_while_a_thread_stands_still(bench: Any, clock: Clock, how: str) -> None:
    table = bench(["deblur"] * 2, ["keep"] * 2, seconds=HUNG, rounds=1)
    graph: Any = imagine.build_graph(InMemorySaver())
    stops: dict[str, Any] = {}
    if how == "breakpoint":
        stops = {"interrupt_before": ["decide"]}
    elif how == "pause":
        table.context.pause = "drawing"
    elif how == "crash":

        def pull_the_plug(call: Call) -> None:
            raise OSError("pulled the plug")

        table.model.before = pull_the_plug
    try:
        await graph.ainvoke(given(table), CONFIG, context=table.context, **stops)
    except OSError:
        table.model.before = None
    if how == "fork":
        history = [snapshot async for snapshot in graph.aget_state_history(CONFIG)]
        config = next(snapshot.config for snapshot in history if snapshot.next == ("decide",))
    else:
        config = CONFIG
    clock.advance(2 * HUNG)
    found = await graph.ainvoke(Command(resume={"action": "approve"}) if how == "pause" else None, config)
    assert [turn.decision.edit for turn in found["rounds"]] == ["deblur"]
    assert found["answer"].text == "blue" and (found["stopped"] is None or found["stopped"].cause == "rounds")


async def test_seconds_that_steps_ran_are_in_the_checkpoint_and_count_after_a_resume(bench: Any, clock: Clock) -> None:
    table = bench(["deblur", "expose"], ["keep", "keep"], seconds=HUNG)
    table.model.before = lambda call: clock.advance(0.6 * HUNG * call.texts[0].endswith("Verdict:"))
    graph: Any = imagine.build_graph(InMemorySaver())
    spent: list[float] = []
    going: Any = given(table)
    while True:
        found = await graph.ainvoke(going, CONFIG, context=table.context, interrupt_after=["reflect"])
        spent.append((await graph.aget_state(CONFIG)).values["spent"])
        if (await graph.aget_state(CONFIG)).next == ():
            break
        going = None
    assert spent == sorted(spent) and spent[0] >= 0.6 * HUNG and spent[1] >= 1.2 * HUNG
    assert [turn.decision.edit for turn in found["rounds"]] == ["deblur", "expose"]
    await graph.ainvoke(given(table), CONFIG, context=table.context)
    assert (await graph.aget_state(CONFIG)).values["spent"] < spent[-1]


async def test_seconds_used_up_before_a_resume_are_told(bench: Any, clock: Clock) -> None:
    table = bench(["deblur", "expose"], ["keep", "keep"], seconds=0.5 * HUNG)
    table.model.before = lambda call: clock.advance(0.6 * HUNG * call.texts[0].endswith("Verdict:"))
    graph: Any = imagine.build_graph(InMemorySaver())
    await graph.ainvoke(given(table), CONFIG, context=table.context, interrupt_after=["reflect"])
    found = await graph.ainvoke(None, CONFIG)
    assert (found["stopped"].cause, len(found["rounds"]), found["answer"].text) == ("seconds", 1, "blue")
    assert found["stopped"].message == "The seconds of the run are used up: nothing more was drawn."


@pytest.mark.parametrize("graph", [imagine.graph, explore.graph], ids=["imagine", "explore"])
async def test_seconds_that_leave_no_time_to_draw_are_told_in_the_result(bench: Any, graph: Any) -> None:
    found = await bench(["deblur"], ["keep"], seconds=1e-6).ask(graph)
    assert (found["stopped"].cause, found["rounds"], found["answer"].text) == ("seconds", [], "red")
    assert found["stopped"].message.endswith("nothing was drawn.")


async def test_seconds_that_end_while_candidates_are_drawn_are_told(bench: Any, clock: Clock) -> None:
    table = bench([], [], seconds=HUNG, steps=5, policy="oracle", rounds=2)
    table.model.between = lambda call, done: clock.advance(HUNG) if call.kind == "draw" and done == 3 else None
    found = await table.ask(explore.graph, gold_edits=["denoise", "deblur"])
    assert found["stopped"].message == "The seconds of the run are used up: nothing was drawn."
    assert (len(found["candidates"]), found["rounds"]) == (2, [])


async def test_seconds_that_leave_no_time_are_told_by_a_run_and_in_its_words(bench: Any) -> None:
    table = bench(["deblur"], ["keep"], seconds=1e-6)
    run = await aask(table.picture, "Which?", options=OPTIONS, context=table.context, out=None)
    assert run.stopped is not None and (run.stopped.cause, run.rounds) == ("seconds", [])
    assert run.to_json()["stopped"] == {
        "cause": "seconds",
        "message": "The seconds of the run are used up: nothing was drawn.",
    }
    assert words_about(run).splitlines()[-1] == run.stopped.message
    table.context.seconds, table.context.rounds = 600.0, 1
    run = await aask(table.picture, "Which?", options=OPTIONS, context=table.context, out=None)
    assert run.stopped is not None and run.stopped.cause == "rounds" and run.stopped.message not in words_about(run)


async def test_seconds_of_more_may_be_given_when_a_thread_goes_on(bench: Any) -> None:
    table = bench(["deblur"], ["keep"], seconds=1e-6, rounds=1)
    graph: Any = imagine.build_graph(InMemorySaver())
    await graph.ainvoke(given(table), CONFIG, context=table.context, interrupt_before=["decide"])
    found = await graph.ainvoke(None, CONFIG, context={"seconds": HUNG})
    assert [turn.decision.edit for turn in found["rounds"]] == ["deblur"]


def test_seconds_and_other_settings_that_were_chosen_are_known() -> None:
    assert Context(seconds=600.0, policy="score").given == {"policy": "score", "seconds": 600.0}
    assert Context().given == {}
