"""Two studies side by side."""

from dataclasses import replace
from pathlib import Path

import pytest

from g2u.errors import StudyError
from g2u.study.grid.arms import Arm
from g2u.study.grid.records import ItemRecord
from g2u.study.report.compare import compare
from g2u.study.running.results import Results
from tests.study.made_up import make_results
from tests.study.tables.test_tables import DIRECT, SELF, by, items, lines


def two(folder: Path) -> tuple[Results, Results]:
    asked = items(folder, "abcde")
    before = make_results(
        folder,
        [DIRECT, SELF],
        [asked[name] for name in "abcd"],
        [*lines(asked, "direct", "ab", "cd"), *lines(asked, "self", "a", "bcd")],
    )
    after = make_results(
        folder,
        [Arm(name="self", reflect=False), Arm(name="other")],
        [asked[name] for name in "bcde"],
        [*lines(asked, "self", "bce", "d"), *lines(asked, "other", "", "bcde")],
    )
    model = after.header.model
    changed = after.header.model_copy(update={"model": replace(model, weights="9" * 64), "items": "3" * 64})
    return before, replace(after, header=changed)


def test_arms_of_both_are_compared_on_the_items_of_both(tmp_path: Path) -> None:
    comparison, changes, _ = compare(*two(tmp_path))
    assert "3 questions in both studies" in comparison.about
    assert "Arms in one study alone: direct, other." in comparison.about
    assert comparison.title == f"{tmp_path} (A) and {tmp_path} (B)"  # their folders
    assert f"A is {tmp_path}, B is {tmp_path}." in comparison.about
    (row,) = comparison.rows
    assert (row["arm"], row["n"], row["fixed"], row["broken"]) == ("self", 3, 2, 0)
    assert (row["before"], row["after"], row["difference"]) == pytest.approx((0.0, 2 / 3, 2 / 3))
    assert (row["p"], row["p_holm"]) == (0.5, 0.5)
    assert {item: row["change"] for (item,), row in by(changes, "item").items()} == {"b": "fixed", "c": "fixed"}


def test_items_are_counted_and_not_the_clusters_that_they_belong_to(tmp_path: Path) -> None:
    before, after = two(tmp_path)
    one, other = (
        replace(
            results,
            items={name: item.model_copy(update={"cluster": "one"}) for name, item in results.items.items()},
        )
        for results in (before, after)
    )
    (row,) = compare(one, other)[0].rows
    assert (row["n"], row["fixed"]) == (3, 1)


def test_what_differs_in_their_settings_is_listed(tmp_path: Path) -> None:
    _, _, differences = compare(*two(tmp_path))
    rows = {setting: (row["before"], row["after"]) for (setting,), row in by(differences, "setting").items()}
    assert rows["model.weights"] == ("0" * 64, "9" * 64)
    assert rows["arms.self.reflect"] == ("True", "False")
    assert rows["arms.other.policy"] == (None, "self")
    assert {name.split(".")[0] for name in rows} == {"model", "items", "arms"}


def test_a_study_does_not_differ_from_itself(tmp_path: Path) -> None:
    before, _ = two(tmp_path)
    comparison, changes, differences = compare(before, before)
    assert [row["difference"] for row in comparison.rows] == [0.0, 0.0]
    assert not changes.rows and changes.about == "No item changed."
    assert not differences.rows and differences.about == "Nothing differs but the lines."


def test_items_that_ask_something_else_under_the_same_id_are_left_out(tmp_path: Path) -> None:
    before, after = two(tmp_path)
    reworded: dict[str, ItemRecord] = dict(after.items)
    reworded["c"] = reworded["c"].model_copy(update={"question": "What shape is it?"})
    comparison, *_ = compare(before, replace(after, items=reworded))
    assert "1 item with one id that asks something else: left out." in comparison.about
    assert [row["n"] for row in comparison.rows] == [2]


def test_studies_without_a_common_item_or_arm_are_refused(tmp_path: Path) -> None:
    before, _ = two(tmp_path)
    others = items(tmp_path, "xyz")
    elsewhere = make_results(tmp_path, [SELF], list(others.values()), lines(others, "self", "x", "yz"))
    with pytest.raises(StudyError, match=r"no question in common: 4 and 3 items, 0 with the same id"):
        compare(before, elsewhere)
    same_ids = {name: item.model_copy(update={"answers": ["green"]}) for name, item in before.items.items()}
    with pytest.raises(StudyError, match="4 with the same id"):
        compare(before, replace(before, items=same_ids))
    alone = make_results(tmp_path, [Arm(name="alone")], [*items(tmp_path, "a").values()], [])
    with pytest.raises(StudyError, match="no arm in common: direct, self and alone"):
        compare(before, alone)
