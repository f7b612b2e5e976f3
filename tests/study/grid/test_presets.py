"""Sets of arms and studies as data."""

from pathlib import Path
from typing import Any

import pytest

from g2u.edits.library import EditLibrary
from g2u.errors import G2UError
from g2u.study.grid.arms import DIRECT
from g2u.study.grid.presets import PRESETS, SETS, arms_of, load_arms, load_study, make_study, names


@pytest.mark.parametrize("name", names(SETS))
def test_every_set_begins_with_direct_and_says_what_its_arms_are_for(name: str) -> None:
    arms = arms_of([name])
    assert arms[0].name == DIRECT and all(arm.about and arm.set == name for arm in arms)


@pytest.mark.parametrize("name", names(PRESETS))
def test_every_preset_is_a_study(name: str) -> None:
    assert load_study(name).about and len(load_study(name, count=3, seeds=1).arms) > 1


def test_the_sweep_has_every_edit() -> None:
    swept = {arm.policy.removeprefix("fixed:") for arm in arms_of(["sweep"])[1:]}
    assert swept == set(EditLibrary.load().names) - {"none"}


def test_arms_of_one_name_in_several_sets_are_one_way_of_answering() -> None:
    for name in {arm.name for one in names(SETS) for arm in arms_of([one])}:
        told = {"set", "about"}
        ways = [arm.model_dump(exclude=told) for one in names(SETS) for arm in arms_of([one]) if arm.name == name]
        assert all(way == ways[0] for way in ways), name


def test_sets_and_own_arms_make_one_grid_and_options_change_it() -> None:
    own = {"name": "mine", "policy": "fixed:deblur", "rounds": 1}
    study = make_study({"sets": ["choices"], "arms": [own], "items": {"count": 9}}, seeds=3, split="development")
    assert study.arms[-1].name == "mine" and study.arms[-1].set == "" and study.seeds == 3
    assert (study.items.count, study.items.split) == (9, "development")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"sets": ["papper"]}, "Did you mean paper"),
        ({"arms": [{"name": "x", "polcy": "self"}]}, "Did you mean policy"),
        ({"sets": ["choices"], "seads": 2}, "Did you mean seeds"),
        ({"sets": ["choices"], "arms": [{"name": "direct"}]}, "two arms are called 'direct'"),
        ({"sets": ["choices"], "arms": [{"name": "long", "max_tokens": 512}]}, "same max_tokens, and there are 32 in"),
        ({"arms": []}, "at least 1"),
        ({"sets": "paper"}, "are lists"),
        ({"arms": [{"name": "x", "fusion": "conact"}]}, "concat"),
    ],
)
def test_a_study_that_cannot_be_run_is_refused(data: dict[str, Any], says: str) -> None:
    with pytest.raises(G2UError, match=says):
        make_study(data)


def test_a_file_that_holds_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(G2UError, match="Did you mean paper-world"):
        load_study("paper-wrld")
    for text in ("- 1", "a: [", "\x00"):
        (tmp_path / "own.yaml").write_text(text)
        with pytest.raises(G2UError, match=r"no study|cannot be read"):
            load_study(str(tmp_path / "own.yaml"))
    (tmp_path / "arms.yaml").write_text("- {name: a, policy: self}\n- {name: b, policy: score}")
    assert [arm.name for arm in load_arms(tmp_path / "arms.yaml")] == ["a", "b"]
