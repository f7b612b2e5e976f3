"""The policy `native`: the model's own text decides what is drawn, is the context of it all, and holds the answer."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Command
from PIL import Image

import g2u
from g2u import prompts
from g2u.asking import Run, aask
from g2u.edits.library import EditLibrary
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import BudgetError, CapabilityError, G2UError, SettingError
from g2u.loop.native import tagged
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from g2u.state import STATE_TYPES, Context
from g2u.traces.trace import read_trace
from tests.natives import NATIVE, TEXTS, NativeModel, native_model

QUESTION, OPTIONS = "Which colour?", ["red", "blue"]


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "pictures")


@pytest.fixture
def picture(store: ImageStore) -> ImageRef:
    return store.add_image(Image.new("RGB", (8, 6), "navy"))


@pytest.fixture
def made() -> Iterator[Any]:
    """Registers a model of given texts and capabilities, and closes its engine."""
    engines: list[Engine] = []

    def make(texts: Sequence[str] = TEXTS, **changes: Any) -> NativeModel:
        model = native_model(texts, **changes)
        engines.append(Engine(lambda: model))
        register_engine("scripted", engines[-1])
        return model

    yield make
    for engine in engines:
        engine.close()


async def ask(store: ImageStore, picture: ImageRef, *, out: Path | None = None, **changes: Any) -> Run:
    settings = {"model": "scripted", "policy": "native", "store": str(store.root), **changes}
    return await aask(picture, QUESTION, options=OPTIONS, context=Context(**settings), out=out)


async def test_its_own_text_draws_sees_and_answers(
    made: Any, store: ImageStore, picture: ImageRef, tmp_path: Path
) -> None:
    model = made()
    run = await ask(store, picture, out=tmp_path / "runs")
    assert (run.answer, run.final.missing) == ("blue", "")
    assert [turn.plan for turn in run.rounds] == list(TEXTS)
    assert [(turn.decision.edit, turn.decision.family) for turn in run.rounds] == [
        ("native", "native"),
        ("native", "native"),
        ("none", "none"),
    ]
    assert all(turn.verdict is None and turn.decision.instruction == "" for turn in run.rounds)
    first, second = (turn.thought for turn in run.rounds[:2])
    assert run.final.pictures == [picture, first, second] and run.final.reasoning == "\n\n".join(TEXTS)
    assert run.rounds[1].source == first
    # What it saw: its own text, the picture and the question, and then what it wrote and drew, in turns.
    question = prompts.render("thinkmorph", "native_question", question=QUESTION, options=OPTIONS)
    assert "red; blue" in question
    whole = [segment for call in model.of("extend") if call.view == "draw" for segment in call.segments]
    assert [part for part in whole if isinstance(part, str)] == [
        prompts.render("thinkmorph", "native"),
        question,
        *TEXTS[:2],
    ]
    # The first drawing is asked for by the question and what was written after it, the second by what was written last.
    assert [(call.texts, call.thoughts) for call in model.of("draw")] == [
        ((question,), (TEXTS[0],)),
        ((TEXTS[1],), ("",)),
    ]
    written = [asked for asked in model.asked if asked[1] == 50]
    assert [text for text, *_ in written] == [question, "", ""]
    assert {temperature for _, _, temperature, _ in written} == {0.3}
    assert len({seeds for *_, seeds in written}) == 3
    # And the trace tells it.
    assert run.trace is not None
    trace = read_trace(run.trace)
    assert trace.header.config.policy == "native" and trace.imagined
    assert [turn.plan for turn in trace.rounds] == list(TEXTS)
    assert any(name.startswith("thinkmorph/native") for name in trace.header.prompts)
    page = (run.trace / "index.html").read_text()
    assert "no edit was picked" in page and "I must look closer." in page


async def test_without_its_trigger_nothing_is_drawn(made: Any, store: ImageStore, picture: ImageRef) -> None:
    model = made(["<answer>red</answer>"])
    run = await ask(store, picture)
    assert (run.answer, run.final.pictures) == ("red", [picture]) and not model.of("draw")
    assert [turn.decision.edit for turn in run.rounds] == ["none"]


@pytest.mark.parametrize(
    ("texts", "policy", "says", "drawn"),
    [
        (["I think it is blue."], "native", "no <answer>...</answer>", 0),
        (["It is <answer></answer>"], "native", "no <answer>...</answer>", 0),
        ([TEXTS[0]], "native", "no <answer>...</answer>", 3),
        ([TEXTS[0]], "native:1", "no <answer>...</answer>", 1),
    ],
)
async def test_an_answer_that_is_missing_is_told_and_not_guessed(
    texts: list[str], policy: str, says: str, drawn: int, made: Any, store: ImageStore, picture: ImageRef
) -> None:
    made(texts)
    run = await ask(store, picture, policy=policy)
    assert run.answer == "" and says in run.final.missing and run.final.written == texts[-1]
    assert run.to_json()["missing"] == run.final.missing
    assert sum(turn.thought is not None for turn in run.rounds) == drawn
    assert (run.stopped.cause if run.stopped else "") == ("rounds" if drawn else "")
    assert run.direct_answer  # which does not take its place


async def test_a_temperature_of_ones_own_takes_the_place_of_the_models(
    made: Any, store: ImageStore, picture: ImageRef
) -> None:
    model = made()
    await ask(store, picture, temperature=0.8)
    assert {temperature for _, most, temperature, _ in model.asked if most == 50} == {0.8}


@pytest.mark.parametrize(
    ("changes", "able", "error", "told"),
    [
        ({}, {"native": None}, CapabilityError, "The model 'scripted' declares no `native` way to imagine"),
        ({"policy": "native:17"}, {}, BudgetError, "expected native:1 to native:16"),
        ({"policy": "native:x"}, {}, BudgetError, "draws no number of times"),
        ({"policy": "native:6"}, {}, CapabilityError, "takes 6 pictures, and 'native:6' may come to 7"),
        ({"families": ["structure"]}, {}, SettingError, "picks no edits"),
        ({"think": True}, {}, SettingError, "think=True cannot be"),
        ({"fusion": "replace"}, {}, SettingError, "fusion=replace cannot be"),
    ],
)
async def test_what_does_not_go_with_it_is_refused(
    changes: dict[str, Any],
    able: dict[str, Any],
    error: type[G2UError],
    told: str,
    made: Any,
    store: ImageStore,
    picture: ImageRef,
) -> None:
    model = made(**able)
    with pytest.raises(error) as refused:
        await ask(store, picture, **changes)
    assert told in str(refused.value) and not model.calls


async def test_a_person_may_stop_a_drawing_and_not_change_it(made: Any, store: ImageStore, picture: ImageRef) -> None:
    model = made()
    serde = JsonPlusSerializer(allowed_msgpack_modules=STATE_TYPES)
    graph = g2u.build_graph(InMemorySaver(serde=serde))
    context = Context(model="scripted", policy="native", store=str(store.root), pause="drawing")
    config: Any = {"configurable": {"thread_id": "1"}}
    given: Any = {"picture": picture, "question": QUESTION, "options": OPTIONS}
    await graph.ainvoke(given, config, context=context)
    found = await graph.ainvoke(Command(resume={"action": "change", "edit": "deblur"}), config)
    assert "nothing to change" in found["__interrupt__"][0].value["problem"] and not model.of("draw")
    found = await graph.ainvoke(Command(resume={"action": "stop"}), config)
    assert found["stopped"].cause == "person" and found["answer"] == found["direct"]


def test_the_last_marked_answer_counts() -> None:
    assert tagged("<answer>red</answer> or <answer> blue </answer>", NATIVE) == "blue"
    assert tagged("<answer>red", NATIVE) is tagged("red</answer>", NATIVE) is tagged("red", NATIVE) is None


def test_no_edit_has_its_name(tmp_path: Path) -> None:
    file = tmp_path / "edits.yaml"
    file.write_text("- {name: native, family: structure, helps: x, instruction: Go., version: 1}\n")
    with pytest.raises(G2UError, match="stands for drawings that are no edit"):
        EditLibrary.load(file)
