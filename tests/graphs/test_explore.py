"""Candidates drawn and judged all at once, and the baseline beside them."""

from collections.abc import Sequence
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from PIL import Image

from g2u.errors import SettingError
from g2u.graphs import direct, explore
from tests.graphs.bench import OPTIONS, ORIGINAL
from tests.scripted import Pictures


def judge_by_order(actions: dict[int, tuple[str, float]]) -> Any:
    """Ranks calls as they stand; gives the verdicts by the grey of the thought, with the score of its action."""

    def score(text: str, pictures: Pictures, options: Sequence[str]) -> list[float]:
        if text.endswith("Verdict:"):
            action, sure = actions[int(pictures[-1].getpixel((0, 0))[0])]  # type: ignore[index]
            return [sure if option == action else -9.0 for option in options]
        if text.endswith("Edit:"):
            return [-float(index) for index in range(len(options))]
        wanted = "blue" if pictures[-1].getpixel((0, 0)) != ORIGINAL else "red"
        return [-0.1 if option == wanted else -5.0 for option in options]

    return score


def draw_one_after_the_other() -> Any:
    greys = iter(range(50, 200, 10))
    return lambda image, instruction, seed: Image.new("RGB", image.size, (next(greys),) * 3)


@pytest.mark.parametrize(
    ("actions", "kept", "answer"),
    [
        ({50: ("keep", -1.0), 60: ("keep", -0.1), 70: ("discard", -0.01)}, [60], "blue"),
        ({50: ("discard", -1.0), 60: ("retry", -0.1), 70: ("discard", -0.01)}, [], "red"),
    ],
)
async def test_the_surest_thought_is_kept(bench: Any, actions: Any, kept: list[int], answer: str) -> None:
    table = bench([], [], rounds=3)
    table.model.score_script, table.model.draw_script = judge_by_order(actions), draw_one_after_the_other()
    out = await table.ask(explore.graph)
    assert len(out["candidates"]) == 3
    assert [table.colour(turn.thought)[0] for turn in out["rounds"]] == kept
    assert (out["answer"].text, out["direct"].text) == (answer, "red")
    assert out["messages"][-1].content == answer


async def test_candidates_share_batches_and_are_different_edits(bench: Any) -> None:
    table = bench([], [], rounds=4)
    table.model.score_script = judge_by_order({50: ("keep", -0.1)})
    table.model.before = lambda call: None
    out = await table.ask(explore.graph)
    edits = [turn.decision.call.text for turn in out["candidates"]]
    assert len({*edits}) == 4 and "none" not in "".join(edits)
    assert sum(call.size for call in table.model.of("draw")) == 4


async def test_a_second_question_of_a_thread_starts_without_candidates(bench: Any) -> None:
    table, built = bench([], [], rounds=2), explore.build_graph(InMemorySaver())
    table.model.score_script = judge_by_order({50: ("keep", -0.1)})
    config: Any = {"configurable": {"thread_id": "1"}}
    given = {"picture": table.picture, "question": "Which?", "options": ["red", "blue"]}
    for _ in range(2):
        out: Any = await built.ainvoke(given, config, context=table.context)  # type: ignore[call-overload]
        assert (len(out["candidates"]), len(out["rounds"])) == (2, 1)


@pytest.mark.parametrize(("policy", "gold", "tried"), [("none", [], []), ("oracle", ["denoise"], ["denoise"])])
async def test_policies(bench: Any, policy: str, gold: list[str], tried: list[str]) -> None:
    table = bench([], ["keep"], policy=policy)
    out = await table.ask(explore.graph, gold_edits=gold)
    assert [turn.decision.edit for turn in out["candidates"]] == tried


async def test_other_policies_are_refused(bench: Any) -> None:
    with pytest.raises(SettingError, match="has no policy 'random'"):
        await bench([], [], policy="random").ask(explore.graph)


async def test_a_pause_before_the_drawing_is_refused(bench: Any) -> None:
    with pytest.raises(SettingError, match="cannot pause before them"):
        table = bench([], [], pause="drawing")
        asked = {"picture": table.picture, "question": "Which?", "options": OPTIONS}
        thread: Any = {"configurable": {"thread_id": "1"}}
        await explore.build_graph(InMemorySaver()).ainvoke(asked, thread, context=table.context)


async def test_when_the_seconds_are_over_nothing_is_drawn(bench: Any) -> None:
    out = await bench([], [], seconds=1e-6).ask(explore.graph)
    assert (out["rounds"], out["answer"].text) == ([], "red")


async def test_the_baseline_draws_nothing_whatever_the_policy(bench: Any) -> None:
    table = bench(["deblur"], ["keep"])
    out = await table.ask(direct.graph)
    assert (out["answer"].text, out["rounds"], table.model.of("draw")) == ("red", [], [])


def test_the_attempt_is_a_graph_within() -> None:
    assert {"attempt:draw", "attempt:judge"} <= set(explore.graph.get_graph(xray=True).nodes)
