"""Variants are compared on development items, and the best one is shown on others; with the shipped weights."""

from pathlib import Path

import pytest

from g2u.errors import StudyError
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.selection import select


def test_a_selection_compares_on_development_and_shows_the_best_on_held_out(tmp_path: Path) -> None:
    study = Study(arms=[Arm(name="direct", policy="none", seeds="first")], items=Items(count=13))
    told: list[tuple[str, int, int]] = []
    variants = [Arm(name="naive", policy="self-naive", reflect=False), Arm(name="taught", policy="self", reflect=False)]
    found = select(study, variants, tmp_path / "s", on_progress=lambda *step: told.append(step))
    assert found.best == "taught" and found.scores["taught"] > found.scores["naive"]
    assert found.held_out.header.study.tried == 2
    assert [arm.name for arm in found.held_out.arms] == ["direct", "taught"]
    assert {name.split("/")[0] for name in found.held_out.items} == {"held-out"}
    assert {part for part, *_ in told} == {"naive", "taught", "held-out"}
    with pytest.raises(StudyError, match="never on what is shown"):
        select(study.model_copy(update={"items": Items(split="development")}), variants, tmp_path / "t")
    with pytest.raises(StudyError, match="at least two variants"):
        select(study, variants[:1], tmp_path / "t")
