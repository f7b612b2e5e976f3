"""The loop on the shipped weights: real edits, real verdicts, real answers."""

import asyncio
from pathlib import Path

from PIL import Image

from g2u.asking import Run, aask
from g2u.models.mini.answers import ANSWERS
from g2u.pictures.store import get_store
from g2u.state import Context
from g2u.world.items.items import Item, sample

CASES = [("maze", "untraced"), ("shapes", "blur"), ("objects", "dark"), ("turned", "turned")]
ITEMS = [sample(task, seed, fault=fault) for seed, (task, fault) in enumerate(CASES)]


async def test_mini_imagines_and_answers(tmp_path: Path) -> None:
    context = Context(model="mini", store=str(tmp_path / "pictures"))
    store = get_store(context.store)

    async def ask(item: Item) -> Run:
        return await aask(
            store.add_image(item.picture), item.question, options=item.options, context=context, out=tmp_path / "runs"
        )

    runs = await asyncio.gather(*map(ask, ITEMS))
    for run, item in zip(runs, ITEMS, strict=True):
        first = run.rounds[0]
        assert first.number == 1 and first.decision.policy == "self" and first.decision.attempts <= 3
        assert set(run.final.probabilities) == set(run.direct.probabilities) == set(item.options)
        assert run.trace and (run.trace / "index.html").is_file()
        for turn in run.rounds:
            assert (turn.thought is None) is (turn.decision.edit == "none")
            assert turn.thought is None or store.open(turn.thought).size == item.picture.size
    picked = sum(run.rounds[0].decision.edit == item.gold_edits[0] for run, item in zip(runs, ITEMS, strict=True))
    right = sum(run.answer == item.answer for run, item in zip(runs, ITEMS, strict=True))
    assert picked >= 3
    assert right >= 3


async def test_mini_answers_odd_questions_with_words_for_answers(tmp_path: Path) -> None:
    context = Context(model="mini", policy="none", store=str(tmp_path / "pictures"))
    store = get_store(context.store)
    odd = [store.add_image(Image.new("RGB", (128, 128), colour)) for colour in ("red", "black")]
    asked = [aask(ref, text, context=context, out=None) for ref in odd for text in ("What would help?", "Which?")]
    assert {run.answer for run in await asyncio.gather(*asked)} <= ANSWERS
    plain = sample("shapes", 0, fault="none")
    run = await aask(store.add_image(plain.picture), plain.question, context=context, out=None)
    assert run.answer == plain.answer
