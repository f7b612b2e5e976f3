"""Going on and going back: every checkpoint of a thread can be edited and run on, whatever keeps it."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.types import Command, Overwrite, StateSnapshot

from g2u.errors import BudgetError, QuestionError
from g2u.graphs import direct, explore, imagine
from g2u.state import Context, Question, Round
from tests.graphs.bench import OPTIONS
from tests.graphs.test_explore import draw_one_after_the_other, judge_by_order

CONFIG: Any = {"configurable": {"thread_id": "1"}}
GRAPHS = {"imagine": imagine.build_graph, "explore": explore.build_graph, "direct": direct.build_graph}


def table(bench: Any, name: str, **settings: Any) -> Any:
    """A bench on which each graph draws what it can."""
    found = bench(["deblur", "expose"], ["keep"] * 20, **settings)
    if name == "explore":
        found.model.score_script = judge_by_order({grey: ("keep", -0.1) for grey in range(50, 200, 10)})
        found.model.draw_script = draw_one_after_the_other()
    return found


def thread_of(number: int) -> Any:
    return {"configurable": {"thread_id": str(number)}}


async def history(graph: Any, config: Any) -> dict[str, StateSnapshot]:
    """The newest checkpoint before each node."""
    found: dict[str, StateSnapshot] = {}
    async for snapshot in graph.aget_state_history(config):
        if snapshot.next:
            found.setdefault(snapshot.next[0], snapshot)
    return found


@pytest.mark.parametrize("name", GRAPHS)
async def test_fork_at_each_node_goes_on_to_the_answer(bench: Any, saver: Any, name: str) -> None:
    """Re-run from here, for every node: a copy of the checkpoint before it is run on by another process."""
    bench_, config = table(bench, name, **({"policy": "fixed:deblur"} if name == "imagine" else {})), thread_of(1)
    given: Any = {"picture": bench_.picture, "question": "Which?", "options": OPTIONS}
    async with saver() as kept:
        graph: Any = GRAPHS[name](kept)
        done = await graph.ainvoke(given, config, context=bench_.context)
        before = await history(graph, config)
    nodes = set(graph.nodes) - {"__start__"}
    assert set(before) - {"__start__"} == nodes
    for node in sorted(nodes):
        async with saver() as kept:
            graph = GRAPHS[name](kept)
            forked = await graph.aupdate_state(before[node].config, None, as_node="__copy__")
            assert (await graph.aget_state(forked)).next[0] == node
            # The first node is who keeps the settings.
            found = await graph.ainvoke(None, forked, context=bench_.context if node == "begin" else None)
        assert found["answer"].text == done["answer"].text == ("red" if name == "direct" else "blue")
        assert len(found["rounds"]) == len(done["rounds"]) and found["direct"].text == "red"


EDITS: dict[str, dict[str, Any]] = {
    # as which node a checkpoint is edited, to what, and where the thread goes then
    "imagine": {
        "begin": ({}, "decide"),
        "decide": ({}, "generate"),
        "decide without a pick": ({"pending": None}, "answer"),
        "generate": ({}, "answer"),  # nothing was drawn
        "reflect": ({"pending": None}, "decide"),
    },
    "explore": {
        "begin": ({}, "propose"),
        "propose": ({}, "attempt"),
        "propose without a pick": ({"proposed": []}, "answer"),
        "attempt": ({"candidates": []}, "choose"),
        "choose": ({"rounds": []}, "answer"),
    },
    "direct": {"begin": ({}, "answer")},
}


@pytest.mark.parametrize(("name", "edit"), [(name, edit) for name, edits in EDITS.items() for edit in edits])
async def test_fork_that_is_edited_as_a_node_goes_on_after_it(bench: Any, saver: Any, name: str, edit: str) -> None:
    node, (values, goes_to) = edit.split()[0], EDITS[name][edit]
    after = {"begin": "decide", "decide": "generate", "generate": "generate", "reflect": "reflect"}
    if name != "imagine":
        after = {"begin": "propose" if name == "explore" else "answer", "propose": "attempt", "choose": "answer"}
        after |= {"attempt": "attempt"}
    bench_, config = table(bench, name), thread_of(2)
    given: Any = {"picture": bench_.picture, "question": "Which?", "options": OPTIONS}
    async with saver() as kept:
        graph: Any = GRAPHS[name](kept)
        await graph.ainvoke(given, config, context=bench_.context)
        before = await history(graph, config)
    async with saver() as kept:
        graph = GRAPHS[name](kept)
        edited = await graph.aupdate_state(before[after[node]].config, values, as_node=node)
        assert (await graph.aget_state(edited)).next[0] == goes_to
        found = await graph.ainvoke(None, edited)
    assert found["answer"].text in OPTIONS
    if goes_to in ("generate", "attempt", "decide", "propose"):
        assert found["rounds"] and found["rounds"][-1].decision


async def test_fork_with_another_edit_draws_it(bench: Any, saver: Any) -> None:
    bench_ = table(bench, "imagine", rounds=1)
    async with saver() as kept:
        graph: Any = imagine.build_graph(kept)
        given: Any = {"picture": bench_.picture, "question": "Which?", "options": OPTIONS}
        await graph.ainvoke(given, CONFIG, context=bench_.context)
        before = await history(graph, CONFIG)
        pending: Round = before["generate"].values["pending"]
        decision = pending.decision.model_copy(update={"edit": "denoise", "instruction": "Remove the noise."})
        edited = await graph.aupdate_state(
            before["generate"].config, {"pending": pending.model_copy(update={"decision": decision})}, as_node="decide"
        )
        assert (await graph.aget_state(edited)).next == ("generate",)
        found = await graph.ainvoke(None, edited)
    assert [turn.decision.edit for turn in found["rounds"]] == ["denoise"]
    assert bench_.model.of("draw")[-1].texts == ("Remove the noise.",)


async def test_fork_with_values_as_json_goes_on(bench: Any, saver: Any) -> None:
    """So a LangGraph server writes them."""
    bench_ = table(bench, "imagine", rounds=1)
    async with saver() as kept:
        graph: Any = imagine.build_graph(kept)
        given: Any = {"picture": bench_.picture, "question": "Which?", "options": OPTIONS}
        await graph.ainvoke(given, CONFIG, context=bench_.context)
        before = await history(graph, CONFIG)
        asked = before["decide"].values["asked"].model_dump(mode="json") | {"question": "What?", "options": []}
        edited = await graph.aupdate_state(before["decide"].config, {"asked": asked}, as_node="begin")
        assert (await graph.ainvoke(None, edited))["answer"].text == "green"
        pending = before["generate"].values["pending"].model_dump(mode="json")
        drawn = pending | {"thought": bench_.picture.model_dump(mode="json")}
        edited = await graph.aupdate_state(before["generate"].config, {"pending": drawn}, as_node="generate")
        assert (await graph.aget_state(edited)).next == ("reflect",)
        assert (await graph.ainvoke(None, edited))["rounds"][0].thought == bench_.picture


async def test_fork_of_a_finished_thread_thinks_again(bench: Any, saver: Any) -> None:
    bench_ = table(bench, "imagine")
    async with saver() as kept:
        graph: Any = imagine.build_graph(kept)
        given: Any = {"picture": bench_.picture, "question": "Which?", "options": OPTIONS}
        await graph.ainvoke(given, CONFIG, context=bench_.context)
        edited = await graph.aupdate_state(CONFIG, {"rounds": Overwrite([])}, as_node="begin")
        assert (await graph.aget_state(edited)).next == ("decide",)
        # The settings went with the answer, so that they are given once more.
        found = await graph.ainvoke(None, CONFIG, context=bench_.context)
    assert found["answer"].text == "red" and [turn.decision.edit for turn in found["rounds"]] == ["none"]


async def test_fork_of_a_thread_in_which_nothing_was_asked_says_so(bench: Any, saver: Any) -> None:
    bench([], [])
    async with saver() as kept:
        graph: Any = imagine.build_graph(kept)
        await graph.aupdate_state(thread_of(3), {"rounds": []}, as_node="begin")
        with pytest.raises(QuestionError, match="Nothing was asked"):
            await graph.ainvoke(None, thread_of(3))


@pytest.mark.parametrize("name", GRAPHS)
def test_thread_of_a_graph_that_is_called_without_await(bench: Any, saver_without_await: Any, name: str) -> None:
    bench_, config = table(bench, name, pause="answer"), thread_of(4)
    given: Any = {"picture": bench_.picture, "question": "Which?", "options": OPTIONS}
    with saver_without_await() as kept:
        graph: Any = GRAPHS[name](kept)
        assert "__interrupt__" in graph.invoke(given, config, context=bench_.context)
    with saver_without_await() as kept:
        graph = GRAPHS[name](kept)
        assert graph.get_state(config).next == ("answer",)
        found = graph.invoke(Command(resume={"action": "approve"}), config)
        assert found["answer"].text == ("red" if name == "direct" else "blue")
        bench_.context.pause = "never"
        told = graph.stream(given, config, context=bench_.context, stream_mode="custom")
        steps = {part["step"] for part in told}
    assert steps >= ({"answer"} if name == "direct" else {"decide", "answer"})


async def test_resume_keeps_the_settings_of_its_run(bench: Any, saver: Any) -> None:
    bench_ = bench(["expose"], ["keep", "keep"], pause="drawing", policy="fixed:deblur", rounds=3, seed=5)
    given: Any = {"picture": bench_.picture, "question": "Which?", "options": OPTIONS}
    async with saver() as kept:
        found: Any = await imagine.build_graph(kept).ainvoke(given, CONFIG, context=bench_.context)  # type: ignore[call-overload]
        assert found["__interrupt__"][0].value["edit"] == "deblur"
    async with saver() as kept:
        # Another policy alone: all other settings stay, and the next drawing is reviewed too.
        go_on: Any = Command(resume={"action": "approve"})
        graph: Any = imagine.build_graph(kept)
        found = await graph.ainvoke(go_on, CONFIG, context={"policy": "self"})
        assert found["__interrupt__"][0].value["edit"] == "expose"
        settings = (await graph.aget_state(CONFIG)).values["settings"]
        assert (settings["policy"], settings["rounds"], settings["pause"], settings["seed"]) == (
            "self",
            3,
            "drawing",
            5,
        )
    async with saver() as kept:
        graph = imagine.build_graph(kept)
        found = await graph.ainvoke(go_on, CONFIG)
        assert [turn.decision.policy for turn in found["rounds"]] == ["fixed:deblur", "self", "self"]
        assert (await graph.aget_state(CONFIG)).values["settings"] == {}


async def test_resume_after_a_crash_keeps_the_settings(bench: Any, saver: Any) -> None:
    bench_ = bench(["deblur"], ["keep"], rounds=1, steps=3)
    given: Any = {"picture": bench_.picture, "question": "Which?", "options": OPTIONS}

    def pull_the_plug(call: Any) -> None:
        if call.kind == "draw":
            raise OSError("pulled the plug")

    bench_.model.before = pull_the_plug
    async with saver() as kept:
        with pytest.raises(OSError, match="plug"):
            await imagine.build_graph(kept).ainvoke(given, CONFIG, context=bench_.context)  # type: ignore[call-overload]
    bench_.model.before = None
    async with saver() as kept:
        found: Any = await imagine.build_graph(kept).ainvoke(None, CONFIG)  # type: ignore[call-overload]
    assert len(bench_.model.of("draw")[-1].steps) == 3
    assert [turn.decision.edit for turn in found["rounds"]] == ["deblur"]


async def test_resume_with_settings_that_cannot_be_used_is_refused_and_still_waits(bench: Any, saver: Any) -> None:
    bench_ = bench(["deblur"], ["keep"], pause="drawing", rounds=1)
    given: Any = {"picture": bench_.picture, "question": "Which?", "options": OPTIONS}
    go_on: Any = Command(resume={"action": "approve"})
    async with saver() as kept:
        graph: Any = imagine.build_graph(kept)
        await graph.ainvoke(given, CONFIG, context=bench_.context)
        with pytest.raises(BudgetError, match="1 to 16 rounds, not 99"):
            await graph.ainvoke(go_on, CONFIG, context={"rounds": 99})
        assert (await graph.ainvoke(go_on, CONFIG))["answer"].text == "blue"


async def test_resume_of_one_question_leaves_nothing_for_the_next(bench: Any, saver: Any) -> None:
    bench_ = bench(["deblur"], ["keep"], pause="drawing", rounds=1)
    given: Any = {"picture": bench_.picture, "question": "Which?", "options": OPTIONS}
    async with saver() as kept:
        graph: Any = imagine.build_graph(kept)
        await graph.ainvoke(given, CONFIG, context=bench_.context)
        found = await graph.ainvoke({"question": "What?"}, CONFIG, context=Context(model="scripted", policy="none"))
    assert "__interrupt__" not in found and found["answer"].text == "green"


def test_question_is_one_value() -> None:
    assert set(Question.model_fields) == {"pictures", "question", "options", "gold_edits", "heard"}
