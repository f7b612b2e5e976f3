"""What only a model that takes any text can do: texts between pictures, own words, a writer's words, ratings."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from g2u import prompts
from g2u.asking import Run, aask
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.loop.deciding.writers import register_writer
from g2u.loop.fusions import FUSIONS
from g2u.loop.verdicts import rate
from g2u.models.bagel.model import BagelModel
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from g2u.state import Context, Fusion

OPTIONS = ["red", "blue"]


@pytest.fixture
def engine(model: BagelModel) -> Iterator[Engine]:
    with Engine(lambda: model) as host:
        register_engine("tiny", host)
        yield host


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "pictures")


@pytest.fixture
def picture(store: ImageStore, golden: Path) -> ImageRef:
    return store.add_file(golden / "a.png")


async def run(store: ImageStore, picture: ImageRef, options: list[str], **changes: Any) -> Run:
    common = Context(model="tiny", policy="fixed:deblur", reflect=False, rounds=1, steps=2, store=str(store.root))
    return await aask(picture, "Which colour?", options=options, context=replace(common, **changes), out=None)


async def test_every_fusion_is_read_in_its_own_way(engine: Engine, store: ImageStore, picture: ImageRef) -> None:
    runs = {fusion: await run(store, picture, OPTIONS, fusion=fusion) for fusion in FUSIONS}
    first, *others = (found.direct.probabilities for found in runs.values())
    assert all(other == pytest.approx(first, abs=1e-5) for other in others)  # rounding differs with the batch
    assert len({round(found.final.log_probability, 4) for found in runs.values()}) == len(FUSIONS)
    assert len({found.rounds[0].thought for found in runs.values()}) == 1


@pytest.mark.parametrize("fusion", ["labelled", "latent", "caption"])
async def test_a_model_may_think_before_it_answers_from_them(
    fusion: Fusion, engine: Engine, store: ImageStore, picture: ImageRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g2u.loop.thinking.TOKENS", 4)
    found = await run(store, picture, [], fusion=fusion, think=True, max_tokens=3)
    assert all(4 < answer.tokens <= 7 for answer in (found.final, found.direct))


async def test_a_free_answer_has_as_many_tokens_as_are_allowed(
    engine: Engine, store: ImageStore, picture: ImageRef
) -> None:
    found = await run(store, picture, [], max_tokens=5)
    assert all(0 < answer.tokens <= 5 for answer in (found.final, found.direct))


async def test_it_writes_its_own_instruction(
    engine: Engine, store: ImageStore, picture: ImageRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g2u.loop.deciding.writers.MAX_TOKENS", 6)
    found = await run(store, picture, OPTIONS, policy="own-words")
    (turn,) = found.rounds
    assert turn.decision.edit == "written" and turn.thought
    asked = prompts.render("bagel", "write", question="Which colour?")
    written = await engine.read(store, [picture], asked, max_tokens=6)
    assert turn.decision.instruction == " ".join(written.text.split())


async def test_a_chat_model_writes_for_it(engine: Engine, store: ImageStore, picture: ImageRef) -> None:
    register_writer("fake", GenericFakeChatModel(messages=iter([AIMessage("Draw an arrow.")])))
    found = await run(store, picture, OPTIONS, policy="writer:fake")
    fixed = await run(store, picture, OPTIONS, policy="fixed:written(instruction=Draw an arrow.)")
    assert found.rounds[0].decision.instruction == "Draw an arrow."
    assert found.rounds[0].thought == fixed.rounds[0].thought != picture
    assert found.final.probabilities == fixed.final.probabilities


@pytest.mark.parametrize("options", [OPTIONS, []])
async def test_what_probe_tried_is_what_is_drawn(
    options: list[str], engine: Engine, store: ImageStore, picture: ImageRef
) -> None:
    found = await run(store, picture, options, policy="probe:2", max_tokens=4)
    drawn = list(store.root.glob("*/*.png"))
    assert len(drawn) == 3
    (turn,) = found.rounds
    assert turn.thought is None or store.path(turn.thought) in drawn


async def test_it_rates_a_drawing(engine: Engine, store: ImageStore, picture: ImageRef, golden: Path) -> None:
    ratings = await rate(engine, store, picture, store.add_file(golden / "b.png"), "Draw an arrow.", "Which colour?")
    assert ratings is not None and set(ratings) == {"followed", "kept"}
    assert all(0 < value < 10 for value in ratings.values())
