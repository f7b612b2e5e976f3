"""Two readings of the same answers, and items that belong together."""

from pathlib import Path
from statistics import fmean

import pytest

from g2u.pictures.store import ImageStore
from g2u.study.grid.records import Mark
from g2u.study.tables.arms import arms
from g2u.study.tables.clusters import clusters
from g2u.study.tables.readings import readings
from tests.study.made_up import made_up, make_item, make_line, make_results, with_every_table
from tests.study.tables.test_tables import DIRECT, SELF, by, items, lines


def test_both_readings_stand_beside_each_other_and_what_names_no_option_is_counted(tmp_path: Path) -> None:
    found = with_every_table(made_up(tmp_path, items=12))
    rows = by(readings(found), "arm", "reading")
    for arm in found.arms:
        answered = [line for line in found.by_arm[arm.name] if line.answer]
        written = [line.marks["written"] for line in answered]
        row = rows[arm.name, "written"]
        assert row["written"] == len(answered)
        assert row["not_found"] == sum(mark.found is None for mark in written) > 0
        assert row["accuracy"] == pytest.approx(fmean(mark.value for mark in written))
        scored = rows[arm.name, "scored"]
        assert (scored["written"], scored["not_found"]) == (0, 0)
        assert scored["accuracy"] == pytest.approx(fmean(line.score for line in answered))
        assert scored["accuracy"] >= row["accuracy"]


def test_one_reading_in_which_every_answer_was_found_needs_no_table(tmp_path: Path) -> None:
    assert readings(made_up(tmp_path, items=4)) is None


def test_items_that_belong_together_are_one(tmp_path: Path) -> None:
    pair = {"a": "one", "b": "one", "c": "two", "d": "two"}
    asked = {name: item.model_copy(update={"cluster": pair[name]}) for name, item in items(tmp_path, "abcd").items()}
    told = [*lines(asked, "direct", "a", "bcd"), *lines(asked, "self", "abc", "d")]
    found = make_results(tmp_path, [DIRECT, SELF], list(asked.values()), told)
    rows = by(clusters(found), "arm")
    assert (rows["direct",]["n"], rows["direct",]["items"], rows["direct",]["all_right"]) == (2, 4, 0.0)
    assert (rows["self",]["all_right"], rows["self",]["gain"]) == (0.5, 0.5)
    row = by(arms(found), "arm")["self",]
    assert (row["accuracy"], row["gain"]) == (0.75, 0.5)
    assert (row["fixed"], row["broken"]) == (2, 0), "both clusters are better, however many of their items are"
    assert clusters(made_up(tmp_path, items=4)) is None


def test_an_answer_without_a_value_is_in_no_share(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "pictures")
    asked = [make_item(store, name) for name in "abc"]
    told = [make_line(one, "self", right=True) for one in asked]
    told[2] = told[2].model_copy(update={"marks": {"scored": Mark(unscored="The judge gave no reply.")}})
    row = by(arms(make_results(tmp_path, [SELF], asked, told)), "arm")["self",]
    assert (row["n"], row["unscored"], row["accuracy"]) == (2, 1, 1.0)
