"""An arm in which the model imagines in its own way, beside others on the same items."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import CapabilityError
from g2u.study.grid.arms import Arm
from g2u.study.running.runner import run
from tests.natives import NativeModel, native_model
from tests.study.grids import scripted, study

ARMS = [
    Arm(name="direct", policy="none", seeds="first"),
    Arm(name="gold", policy="oracle", reflect=False),
    Arm(name="own-way", policy="native"),
    Arm(name="own-way-blank", policy="native", drawer="blank"),
]


@pytest.fixture
def model() -> Iterator[NativeModel]:
    own = native_model()
    with Engine(lambda: own) as engine:
        register_engine("scripted", engine)
        yield own


def test_it_answers_the_same_items_as_the_other_arms(tmp_path: Path, model: NativeModel) -> None:
    found = run(study(arms=ARMS, seeds=1), tmp_path / "a")
    assert {arm: len(lines) for arm, lines in found.by_arm.items()} == dict.fromkeys([arm.name for arm in ARMS], 6)
    assert not any(line.error or line.left_out for line in found.lines)
    for name in ("own-way", "own-way-blank"):
        for line in found.by_arm[name]:
            assert [turn.decision.family for turn in line.rounds] == ["native", "native", "none"]
            assert line.answer and line.answer.written == "blue" and line.fidelity == {}
    blank, own = (found.by_arm[name][0].rounds[0].thought for name in ("own-way-blank", "own-way"))
    assert blank != own
    assert not ARMS[2].chooses


def test_a_model_that_declares_no_such_way_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    other = scripted()
    with Engine(lambda: other) as engine:
        register_engine("scripted", engine)
        with pytest.raises(CapabilityError, match="declares no `native` way"):
            run(study(arms=ARMS), tmp_path / "a")
    assert not other.calls
