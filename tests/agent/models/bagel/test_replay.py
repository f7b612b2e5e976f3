"""The set `replay` on tiny models: one drawing, its bytes in every arm, and the state in which it was drawn."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.models.bagel.inference.context import Context, Guidance
from g2u.models.bagel.inference.execution import PlainExecution
from g2u.models.bagel.inference.sampler import FlowSettings
from g2u.models.bagel.load import load
from g2u.models.bagel.model import BagelModel, BagelPrefix
from g2u.models.protocol import Segment, View
from g2u.pictures.store import ImageStore
from g2u.study.grid.arms import Items, Study
from g2u.study.grid.presets import arms_of
from g2u.study.running.runner import run
from g2u.study.tables.replay import replay
from tests.study.grids import scripted


class Noted(PlainExecution):
    """Draws as the network does, and notes the state that each drawing is made in."""

    def __init__(self, network: Any) -> None:
        super().__init__(network)
        self.drawn_in: list[Context] = []

    def flow(self, guidance: Guidance, grid: Any, noise: Any, settings: FlowSettings) -> Iterator[Any]:
        self.drawn_in.append(guidance.main)
        return super().flow(guidance, grid, noise, settings)


@pytest.fixture
def asks(golden: Path, tmp_path: Path) -> Callable[[str], Study]:
    """The set on a question about each of two pictures; tiny weights write no call, so that the edit is fixed."""
    names = [str(golden / name) for name in ("a.png", "b.png")]
    rows = [{"picture": name, "question": "Which?", "options": ["red", "blue"], "answer": "red"} for name in names]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arms = [
        arm if arm.policy == "none" else arm.model_copy(update={"policy": "fixed:deblur"})
        for arm in arms_of(["replay"])
    ]
    items = Items(source=str(tmp_path / "own.jsonl"))
    return lambda model: Study(model=model, arms=arms, items=items, steps=2)


@pytest.mark.parametrize("key", ["bagel", "thinkmorph"])
def test_every_arm_reads_the_bytes_that_were_drawn_once_and_one_the_state_they_were_drawn_in(
    key: str, golden: Path, tmp_path: Path, asks: Callable[[str], Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load(str(golden), "cpu", "float32", key=key)
    execution = Noted(whole._network)
    model = BagelModel(whole._network, whole._words, execution, whole.identity)
    seen: list[tuple[View, Segment, BagelPrefix]] = []
    extend = model.extend

    def noted(prefixes: Sequence[Any], segments: Sequence[Segment], view: View = "read", *more: Any) -> Any:
        made = extend(prefixes, segments, view, *more)
        seen.extend((view, *one) for one in zip(segments, made, strict=True))
        return made

    monkeypatch.setattr(model, "extend", noted)
    with Engine(lambda: model) as engine:
        register_engine("tiny", engine)
        found = run(asks("tiny"), tmp_path / "out")
    assert not found.header.skipped and not any(line.error for line in found.lines)
    assert len(execution.drawn_in) == 2, "a drawing was made for each arm"
    store = ImageStore(found.folder / "pictures")
    for item, drawn_in in zip(found.items.values(), execution.drawn_in, strict=True):
        lines = [line for line in found.lines if line.item == item.id]
        [thought] = {turn.thought for line in lines for turn in line.rounds if turn.thought}
        pixels = store.open(thought).tobytes()
        after = [(view, prefix) for view, part, prefix in seen if is_picture(part, pixels)]
        assert [view for view, _ in after].count("read") == 1  # `concat`
        assert [view for view, _ in after].count("draw") == 2  # `latent` and `continued`
        [shared] = [prefix for _, prefix in after if begins_with(prefix.context, drawn_in)]
        assert shared.context.tokens > drawn_in.tokens
    [*rows] = replay(found).rows  # type: ignore[union-attr]
    assert [(row["arm"], row["other"], row["n"], row["unlike"]) for row in rows] == [
        ("replay-latent", "replay-concat", 2, 0),
        ("replay-continued", "replay-concat", 2, 0),
        ("replay-continued", "replay-latent", 2, 0),
    ]
    sure = {line.arm: line.answer.probabilities for line in found.lines if line.item == "1" and line.answer}
    assert len({str(sure[arm.name]) for arm in found.arms}) == 4, "two ways of reading are one"


def is_picture(part: Segment, pixels: bytes) -> bool:
    return isinstance(part, Image.Image) and part.tobytes() == pixels


def begins_with(context: Context, other: Context) -> bool:
    """Whether keys and values are, bit by bit, those of another context and more."""
    if context.tokens < other.tokens:
        return False
    pairs = zip(context.keys_values, other.keys_values, strict=True)
    return all(
        torch.equal(own[: other.tokens], one) for whole, past in pairs for own, one in zip(whole, past, strict=True)
    )


def test_a_model_without_such_a_state_skips_the_arm_and_says_why(
    golden: Path, tmp_path: Path, asks: Callable[[str], Study]
) -> None:
    with Engine(scripted) as engine:
        register_engine("scripted", engine)
        found = run(asks("scripted"), tmp_path / "out")
    assert "takes no text between pictures, as 'continued' has it" in found.header.skipped["replay-continued"]
    assert "has no view for drawing" in found.header.skipped["replay-latent"]
    assert len(found.lines) == 4 and replay(found) is None
