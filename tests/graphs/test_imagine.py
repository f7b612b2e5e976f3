"""The loop on a scripted model: every way through it, its budgets, its checkpoints and its trace."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from PIL import Image

from g2u.asking import aask
from g2u.engine.engine import Engine
from g2u.errors import BudgetError, CapabilityError, QuestionError, SettingError, UnknownNameError
from g2u.graphs.imagine import RECURSION_LIMIT, build_graph, graph
from g2u.pictures.references import ImageRef
from g2u.traces.trace import read_trace
from tests.agent.engine.scenes import Gate
from tests.graphs.bench import OPTIONS, Bench
from tests.scripted import Call
from tests.waiting import HUNG, Clock


@pytest.mark.parametrize(
    ("edits", "verdicts", "settings", "chosen", "seen", "answer"),
    [
        # edits the model names, its verdicts, settings -> edits of the rounds, greys that the reader saw, answer
        ([], [], {}, ["none"], [40], "red"),
        (["deblur"], ["keep"], {}, ["deblur", "none"], [40, 50], "blue"),
        (["deblur"], ["keep"], {"rounds": 1}, ["deblur"], [40, 50], "blue"),
        (["deblur", "expose"], ["keep", "keep"], {}, ["deblur", "expose"], [40, 60], "blue"),
        (["deblur", "expose"], ["retry", "keep"], {}, ["deblur", "expose"], [40, 50], "blue"),
        (["deblur", "expose"], ["retry", "retry"], {}, ["deblur", "expose"], [40], "red"),
        (["deblur", "expose"], ["discard"], {}, ["deblur"], [40], "red"),
        (["deblur", "expose"], ["keep", "discard"], {}, ["deblur", "expose"], [40, 50], "blue"),
        (["deblur", "expose"], ["keep", "retry"], {"rounds": 3}, ["deblur", "expose", "none"], [40, 50], "blue"),
        (["deblur"], ["keep"], {"fusion": "replace"}, ["deblur", "none"], [50], "blue"),
        (["deblur"], [], {"reflect": False}, ["deblur", "none"], [40, 50], "blue"),
        (["deblur"], [], {"policy": "none"}, ["none"], [40], "red"),
    ],
)
async def test_ways_through_the_loop(
    bench: Any,
    edits: list[str],
    verdicts: list[str],
    settings: dict[str, Any],
    chosen: list[str],
    seen: list[int],
    answer: str,
) -> None:
    table = bench(edits, verdicts, **settings)
    out = await table.ask()
    rounds, final, direct = out["rounds"], out["answer"], out["direct"]
    assert [turn.decision.edit for turn in rounds] == chosen
    assert [turn.number for turn in rounds] == list(range(1, len(rounds) + 1))
    assert [turn.verdict.action for turn in rounds if turn.verdict] == verdicts
    assert [table.colour(ref)[0] for ref in final.pictures] == seen
    assert (final.text, direct.text, direct.pictures) == (answer, "red", [table.picture])
    assert sum(final.probabilities.values()) == pytest.approx(1)
    assert (final == direct) is (answer == "red")


async def test_a_chain_edits_and_judges_the_kept_thought(bench: Any) -> None:
    table = bench(["deblur", "expose"], ["keep", "keep"])
    first, second = (await table.ask())["rounds"]
    assert (first.source, second.source) == (table.picture, first.thought)
    assert [table.colour(turn.thought) for turn in (first, second)] == [(50, 50, 50), (60, 60, 60)]
    assert second.verdict.change == pytest.approx(10 / 255)
    assert set(second.seconds) == {"decide", "generate", "reflect"}
    assert sum(second.verdict.probabilities.values()) == pytest.approx(1)
    assert second.verdict.reason.startswith("keep at 0.9")


async def test_a_retry_starts_from_the_same_source_and_is_told_what_was_tried(bench: Any) -> None:
    table = bench(["deblur", "deblur"], ["retry", "keep"])
    first, second = (await table.ask())["rounds"]
    assert first.source == second.source == table.picture
    asked = [call.texts[0] for call in table.model.of("read")]
    assert asked == ["Question: Which? Edit:", "Question: Which? Tried: deblur. Edit:"]


async def test_each_round_has_noise_of_its_own_and_the_seed_decides_it(bench: Any) -> None:
    async def seeds(seed: int) -> list[int]:
        table = bench(["deblur", "deblur"], ["retry", "retry"], seed=seed)
        drawn: list[int] = []
        table.model.draw_script = lambda image, instruction, seed: (drawn.append(seed), image)[1]
        await table.ask()
        return drawn

    first, again, other = await seeds(1), await seeds(1), await seeds(2)
    assert first == again
    assert len({*first, *other}) == 4


async def test_a_free_answer_is_read(bench: Any) -> None:
    out = await bench(["deblur"], ["keep"]).ask(options=[])
    assert (out["answer"].text, out["answer"].probabilities, out["direct"].text) == ("green", {}, "green")


async def test_the_answer_is_the_last_message(bench: Any) -> None:
    built, table = build_graph(), bench(["deblur"], ["keep"])
    parts = [
        part["data"]
        async for part in built.astream(
            {"picture": table.picture, "question": "Which?", "options": OPTIONS},
            context=table.context,
            stream_mode="updates",
            version="v2",
        )
    ]
    assert [message.content for message in parts[-1]["answer"]["messages"]] == ["blue"]


async def test_the_question_goes_to_the_drawer_and_not_into_the_sentence_that_is_judged(
    bench: Any, engines: list[Engine]
) -> None:
    table = bench(["mark"], ["keep"], rounds=1)
    taught = table.model.declaring(instructions=frozenset({"Mark what is asked."}))
    out = await Bench(table.folder, engines, taught, rounds=1).ask(question="Which is it?")
    assert [turn.decision.instruction for turn in out["rounds"]] == ["Mark what is asked. Which is it?"]
    assert taught.of("draw")[0].texts == ("Mark what is asked. Which is it?",)
    judged = [call.texts for call in taught.of("score") if "Verdict" in call.texts[0]]
    assert judged == [("Question: Which is it? Edit: Mark what is asked. Verdict:",)]


async def test_oracle_draws_the_gold_edits(bench: Any) -> None:
    out = await bench([], ["keep", "keep"], policy="oracle").ask(gold_edits=["denoise", "upright"])
    assert [turn.decision.edit for turn in out["rounds"]] == ["denoise", "upright"]


async def test_when_the_seconds_are_over_a_drawing_stops_and_the_answer_comes(bench: Any, clock: Clock) -> None:
    table = bench(["deblur"], ["keep"], seconds=HUNG, steps=5)
    table.model.between = lambda call, done: clock.advance(HUNG) if call.kind == "draw" and done == 3 else None
    run = await aask(table.picture, "Which?", options=OPTIONS, context=table.context, out=table.folder / "runs")
    (turn,) = run.rounds
    assert (turn.decision.edit, turn.thought, turn.verdict) == ("deblur", None, None)
    assert run.answer == run.direct_answer == "red"
    assert table.model.of("draw")[0].steps == [1, 1, 0]
    assert run.trace is not None
    trace = read_trace(run.trace)
    assert ([stop.cause for stop in trace.stops], trace.status) == (["seconds"], "done")


async def test_no_round_starts_after_the_deadline(bench: Any, clock: Clock) -> None:
    table = bench(["deblur", "expose"], ["keep", "keep"], seconds=HUNG)
    table.model.before = lambda call: clock.advance(HUNG) if call.texts[0].endswith("Verdict:") else None
    out = await table.ask()
    assert [turn.decision.edit for turn in out["rounds"]] == ["deblur"]
    assert out["answer"].text == "blue"


async def test_the_longest_run_is_within_the_recursion_limit(bench: Any) -> None:
    out = await bench(["deblur"] * 16, ["keep"] * 16, rounds=16).ask()
    assert len(out["rounds"]) == 16
    assert graph.config is not None and graph.config["recursion_limit"] == RECURSION_LIMIT == 52


@pytest.mark.parametrize(
    ("settings", "given", "error", "says"),
    [
        ({}, {"question": "  "}, QuestionError, "empty"),
        ({}, {"options": ["red"]}, QuestionError, "at least two"),
        ({}, {"options": ["red", ""]}, QuestionError, "none empty"),
        ({}, {"options": ["red", " RED "]}, QuestionError, "no two alike"),
        ({}, {"options": "red"}, SettingError, "options cannot be 'red'"),
        ({}, {"options": ["red", 2]}, SettingError, "options.1 cannot be 2"),
        ({}, {"options": ["red", "x" * 201]}, QuestionError, "at most 200 characters, not 201"),
        ({}, {"options": [f"{number}" for number in range(65)]}, QuestionError, "at most 64 options, not 65"),
        ({}, {"options": ["red", "\ud800"]}, QuestionError, r"no Unicode text: '.ud800'"),
        ({}, {"question": "x" * 2001}, QuestionError, "at most 2,000 characters, not 2,001"),
        ({}, {"question": "Which \udcff?"}, QuestionError, r"no Unicode text: '.udcff'"),
        ({}, {"question": 5}, SettingError, "question cannot be 5: input should be a valid string"),
        ({}, {"gold_edits": "deblur"}, SettingError, "gold_edits cannot be 'deblur'"),
        ({"families": "structure"}, {}, SettingError, "families cannot be 'structure': input should be a valid list"),
        ({"rounds": "2"}, {}, SettingError, "rounds cannot be '2': input should be a valid integer"),
        ({"steps": 1.5}, {}, SettingError, "steps cannot be 1.5: input should be a valid integer"),
        ({"seconds": "60"}, {}, SettingError, "seconds cannot be '60': input should be a valid number"),
        ({"reflect": "yes"}, {}, SettingError, "reflect cannot be 'yes': input should be a valid boolean"),
        ({"fusion": 5}, {}, UnknownNameError, "concat"),
        ({}, {"gold_edits": ["debblur"]}, UnknownNameError, "deblur"),
        ({"rounds": 0}, {}, BudgetError, "1 to 16 rounds, not 0"),
        ({"rounds": 17}, {}, BudgetError, "1 to 16 rounds"),
        ({"steps": 0}, {}, BudgetError, "1 to 1000 steps"),
        ({"seconds": 0}, {}, BudgetError, "positive"),
        ({"seconds": float("nan")}, {}, BudgetError, "positive"),
        ({"fusion": "concatenate"}, {}, UnknownNameError, "concat"),
        ({"policy": "slef"}, {}, UnknownNameError, "self"),
        ({"policy": "fixed:debblur"}, {}, UnknownNameError, "deblur"),
        ({"families": ["structur"]}, {}, UnknownNameError, "structure"),
    ],
)
async def test_bad_input_is_refused_at_the_first_node(
    bench: Any, settings: dict[str, Any], given: dict[str, Any], error: type[Exception], says: str
) -> None:
    table = bench([], [], **settings)
    with pytest.raises(error, match=says):
        await table.ask(**given)
    assert not table.model.calls


async def test_the_longest_question_is_asked(bench: Any) -> None:
    options = ["red", *(f"{number:0200}" for number in range(63))]
    assert (await bench([], []).ask(question="é" * 2000, options=options))["answer"].text == "red"


@pytest.mark.parametrize(
    ("capabilities", "settings", "says"),
    [
        ({"edits": "none"}, {}, "cannot draw"),
        ({"max_pictures": 1}, {}, "takes one picture"),
        ({"max_pictures": 1}, {"reflect": False}, "takes one picture"),
        (
            {"instructions": frozenset({"Remove the noise."})},
            {"policy": "fixed:deblur"},
            "not taught to draw .*'deblur'",
        ),
    ],
)
async def test_a_model_that_cannot_is_refused(
    bench: Any, engines: list[Engine], capabilities: dict[str, Any], settings: dict[str, Any], says: str
) -> None:
    table = bench(["deblur"], ["keep"])
    limited = Bench(table.folder, engines, table.model.declaring(**capabilities), **settings)
    with pytest.raises(CapabilityError, match=says):
        await limited.ask()
    able = Bench(table.folder, engines, limited.model, policy="none")
    assert (await able.ask())["answer"].text == "red"


async def test_checkpoints_hold_references_and_a_stopped_run_goes_on(bench: Any) -> None:
    table = bench(["deblur", "expose"], ["keep", "keep", "keep"])
    size = 256
    table.picture = table.store.add_image(Image.effect_noise((size, size), 60).convert("RGB"))
    config: Any = {"configurable": {"thread_id": "one"}}
    path = table.folder / "threads.sqlite"
    given: Any = {"picture": table.picture, "question": "Which?", "options": OPTIONS}

    def fail(call: Call) -> None:
        if call.kind == "score":
            raise OSError("pulled the plug")

    table.model.before = fail
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        with pytest.raises(OSError, match="plug"):
            await build_graph(saver).ainvoke(given, config, context=table.context)
    table.model.before = None
    drawings = len(table.model.of("draw"))

    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        built = build_graph(saver)
        assert (await built.aget_state(config)).next == ("reflect",)
        out: Any = await built.ainvoke(None, config, context=table.context)
        assert [turn.decision.edit for turn in out["rounds"]] == ["deblur", "expose"]
        assert len(table.model.of("draw")) == drawings + 1
        state = (await built.aget_state(config)).values
        assert state["rounds"] == out["rounds"]
        assert isinstance(state["asked"].picture, ImageRef)
        assert state["pending"] is None
    assert path.stat().st_size < 100_000 < size * size * 3
    png = table.store.path(table.picture).read_bytes()
    assert png[-64:-12] not in path.read_bytes()


async def test_a_thread_answers_one_question_after_the_other(bench: Any) -> None:
    table = bench(["deblur"], ["keep"])
    config: Any = {"configurable": {"thread_id": "one"}}
    async with AsyncSqliteSaver.from_conn_string(":memory:") as saver:
        built = build_graph(saver)
        given: Any = {"picture": table.picture, "question": "Which?", "options": OPTIONS}
        first: Any = await built.ainvoke(given, config, context=table.context)
        second: Any = await built.ainvoke(
            {"picture": table.picture, "question": "What?"}, config, context=table.context
        )
        messages = (await built.aget_state(config)).values["messages"]
    assert ([turn.decision.edit for turn in first["rounds"]], first["answer"].text) == (["deblur", "none"], "blue")
    assert ([turn.decision.edit for turn in second["rounds"]], second["answer"].text) == (["none"], "green")
    assert [message.content for message in messages] == ["blue", "green"]


async def test_progress_comes_from_the_engine_while_it_draws(bench: Any) -> None:
    table = bench(["deblur"], ["keep"], steps=3, rounds=1)
    events: list[Any] = []
    await aask(table.picture, "Which?", options=OPTIONS, context=table.context, out=None, on_event=events.append)
    drawing = [event for event in events if event["step"] == "generate"]
    assert drawing == [{"step": "generate", "round": 1, "done": done, "total": 3} for done in range(4)]
    steps = [event["step"] for event in events if event["step"] != "generate"]
    assert steps == ["decide", "reflect", "stop", "answer"]


async def test_a_cancelled_run_leaves_a_valid_trace_and_frees_the_engine(bench: Any) -> None:
    table, gate = bench(["deblur"], ["keep"], steps=5), Gate()
    table.model.between = lambda call, done: gate.hold() if call.kind == "draw" and done == 3 else None
    runs = table.folder / "runs"
    task = asyncio.create_task(aask(table.picture, "Which?", options=OPTIONS, context=table.context, out=runs))
    await gate.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.opened.set()
    (folder,) = runs.iterdir()
    trace = read_trace(folder)
    assert (trace.status, trace.rounds, trace.damaged) == ("cancelled", [], "")
    assert trace.under_way is not None
    assert (trace.under_way.round, trace.under_way.decision.edit) == (1, "deblur")
    page = (folder / "index.html").read_text()
    assert "Round 1 was under way: <code>deblur</code>, <q>Remove the blur.</q>" in page
    again = await aask(table.picture, "Which?", options=OPTIONS, context=table.context, out=None)
    assert again.direct_answer == "red"
    assert table.model.of("draw")[0].steps == [1, 1, 0]


async def test_runs_side_by_side_share_the_model(bench: Any) -> None:
    table = bench([], [], policy="fixed:deblur", reflect=False)
    runs = await asyncio.gather(
        *(aask(table.picture, "Which?", options=OPTIONS, context=table.context, out=None) for _ in range(8))
    )
    assert {run.answer for run in runs} == {"blue"}
    assert max(call.size for call in table.model.of("draw")) > 1
    assert len(table.model.threads) == 1


def test_the_drawn_graph_has_the_edges_of_the_loop_and_no_others() -> None:
    edges = {(edge.source, edge.target) for edge in graph.get_graph().edges}
    assert edges == {
        ("__start__", "begin"), ("begin", "decide"), ("decide", "generate"), ("decide", "answer"),
        ("generate", "reflect"), ("generate", "decide"), ("generate", "answer"), ("reflect", "decide"),
        ("reflect", "answer"), ("answer", "__end__"),
    }  # fmt: skip


def test_servers_can_show_the_settings() -> None:
    schema = graph.get_context_jsonschema()
    assert schema is not None
    assert schema["properties"]["policy"]["default"] == "self"
    assert schema["properties"]["rounds"]["description"]
