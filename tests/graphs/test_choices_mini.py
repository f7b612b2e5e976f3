"""Policies and fusions of studies on the shipped weights: real edits, real answers."""

from pathlib import Path
from typing import Any

import pytest

from g2u.asking import Run, aask
from g2u.errors import CapabilityError
from g2u.pictures.store import get_store
from g2u.state import Context, Fusion
from g2u.world.items.items import sample

ITEM = sample("shapes", 1, fault="blur")
GIVEN: dict[str, Any] = {"options": ITEM.options, "gold_edits": ITEM.gold_edits}


async def run(folder: Path, given: dict[str, Any] = GIVEN, **settings: Any) -> Run:
    context = Context(store=str(folder), **({"rounds": 1, "reflect": False} | settings))
    picture = get_store(context.store).add_image(ITEM.picture)
    return await aask(picture, ITEM.question, **given, context=context, out=None)


async def test_fusions_change_the_answer_and_nothing_else(tmp_path: Path) -> None:
    fusions: list[Fusion] = ["concat", "thought-first", "replace", "caption"]
    runs = {fusion: await run(tmp_path, policy="oracle", fusion=fusion) for fusion in fusions}
    (original, thought) = runs["concat"].final.pictures
    assert [found.final.pictures for found in runs.values()] == [
        [original, thought], [thought, original], [thought], [original],
    ]  # fmt: skip
    first, *others = (found.direct.probabilities for found in runs.values())
    assert all(other == pytest.approx(first, abs=1e-5) for other in others)  # rounding differs with the batch
    assert len({round(max(found.final.probabilities.values()), 4) for found in runs.values()}) == 4
    assert all(set(found.final.probabilities) == set(ITEM.options) for found in runs.values())


async def test_wrong_draws_an_edit_that_does_not_help(tmp_path: Path) -> None:
    found = await run(tmp_path, policy="wrong", rounds=2)
    first, second = found.rounds
    assert first.decision.edit not in ("none", *ITEM.gold_edits) and first.thought
    assert second.decision.edit == "none"


@pytest.mark.parametrize("options", [ITEM.options, []])
async def test_probe_draws_and_keeps_what_leaves_the_least_doubt(tmp_path: Path, options: list[str]) -> None:
    given = {"options": options}
    found = await run(tmp_path, given, policy="probe:2")
    (turn,) = found.rounds
    told = turn.decision.reason
    assert told.count(" after {") == 3
    assert turn.decision.edit in told
    pictures = {path.stem for path in get_store(tmp_path).root.glob("*/*.png")}
    assert len(pictures) == 3  # the original and two drawings: that of the round is the one that was tried
    assert turn.thought is None or turn.thought.sha256 in pictures
    assert set(turn.seconds) == ({"decide", "generate"} if turn.thought else {"decide"})


@pytest.mark.parametrize("policy", ["own-words", "fixed:written(instruction=Draw rays.)"])
async def test_mini_draws_only_what_it_was_taught(tmp_path: Path, policy: str) -> None:
    with pytest.raises(CapabilityError, match=r"only the \d+ instructions|not taught to draw the edit 'written'"):
        await run(tmp_path, policy=policy)


@pytest.mark.parametrize("fusion", ["between", "labelled", "three-turn", "continued", "latent"])
async def test_mini_refuses_fusions_that_it_cannot_see(tmp_path: Path, fusion: Fusion) -> None:
    with pytest.raises(CapabilityError, match="It can do the fusions concat, thought-first, replace, caption"):
        await run(tmp_path, fusion=fusion)
