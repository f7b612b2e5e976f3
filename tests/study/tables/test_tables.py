"""Headline tables on results small enough to reckon by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from statsmodels.stats.proportion import proportion_confint

from g2u.engine.costs import Cost
from g2u.pictures.store import ImageStore
from g2u.study.grid.arms import Arm
from g2u.study.grid.records import ItemRecord, Line, Part
from g2u.study.statistics import detectable
from g2u.study.tables import TABLES, make_tables
from g2u.study.tables.arms import arms, used
from g2u.study.tables.chance import expected_best, seeds, selection
from g2u.study.tables.clusters import clusters
from g2u.study.tables.costs import costs
from g2u.study.tables.flips import flips
from g2u.study.tables.groups import groups
from g2u.study.tables.table import Table, Value, show_cell
from g2u.study.tables.transfer import edits, transfer
from tests.study.made_up import made_up, make_item, make_line, make_results, make_round, with_every_table

DIRECT, SELF = Arm(name="direct", policy="none", seeds="first"), Arm(name="self")


def items(folder: Path, names: str, **fields: list[str]) -> dict[str, ItemRecord]:
    """An item for each letter, with the groups that are given for it."""
    store = ImageStore(folder / "pictures")
    return {
        name: make_item(store, name, groups={key: values[place] for key, values in fields.items()})
        for place, name in enumerate(names)
    }


def lines(asked: Mapping[str, ItemRecord], arm: str, right: str, wrong: str, seed: int = 0) -> list[Line]:
    """Lines of an arm that are right about some items and wrong about others, by their letters."""
    return [make_line(asked[name], arm, name in right, seed=seed) for name in right + wrong]


def by(table: Table | None, *keys: str) -> dict[tuple[Value, ...], Mapping[str, Value]]:
    """Rows by some of their cells."""
    assert table is not None
    return {tuple(row[key] for key in keys): row for row in table.rows}


def test_arms_count_failures_as_wrong_and_leave_out_what_is_no_question(tmp_path: Path) -> None:
    asked = items(tmp_path, "abcdef")
    failed = Line(arm="self", item="e", seed=0, error="Out of memory.")
    left_out = Line(arm="self", item="f", seed=0, left_out="The edit would name an option.")
    reworded = make_item(ImageStore(tmp_path / "pictures"), "f/reworded", paraphrase_of="f")
    found = make_results(
        tmp_path,
        [DIRECT, SELF],
        [*asked.values(), reworded],
        [
            *lines(asked, "direct", "abe", "cdf"),
            *lines(asked, "self", "acd", "b"),
            failed,
            left_out,
            left_out.model_copy(update={"item": reworded.id}),
        ],
    )
    rows = by(arms(found), "arm")
    direct, own = rows["direct",], rows["self",]
    assert (direct["n"], direct["accuracy"], direct["gain"], direct["p"]) == (6, 0.5, None, None)
    assert (own["n"], own["accuracy"], own["failed"], own["left_out"]) == (5, 0.6, 1, 1)
    assert (own["accuracy_low"], own["accuracy_high"]) == pytest.approx(proportion_confint(3, 5, method="wilson"))
    assert (own["gain"], own["fixed"], own["broken"], own["p"], own["p_holm"]) == (0.0, 2, 2, 1.0, 1.0)
    assert own["detectable"] == detectable([1, 1, -1, -1, 0])


def test_what_an_answer_cost_is_the_work_of_the_model_and_a_failure_has_none(tmp_path: Path) -> None:
    asked = items(tmp_path, "ab")
    a, b = asked.values()
    dear, cheap = Cost(drawings=2, tokens=30, seconds=1.5), Cost(seconds=0.25)
    found = make_results(
        tmp_path,
        [DIRECT, SELF],
        [a, b],
        [
            *(line.model_copy(update={"cost": cheap}) for line in lines(asked, "direct", "ab", "")),
            make_line(a, "self", True).model_copy(update={"cost": dear}),
            Line(arm="self", item="b", seed=0, error="Out of memory."),
        ],
    )
    rows = by(costs(found), "arm")
    assert rows["self",] == {"arm": "self", "n": 1, "drawings": 2, "tokens": 30, "seconds": 1.5, "times": 6.0}
    assert (rows["direct",]["seconds"], rows["direct",]["times"]) == (0.25, 1.0)


def test_what_an_answer_cost_is_compared_with_direct_on_the_items_of_both(tmp_path: Path) -> None:
    asked = items(tmp_path, "ab")
    easy = make_line(asked["a"], "direct", True).model_copy(update={"cost": Cost(seconds=1.0)})
    own = [make_line(asked[name], "self", True) for name in "ab"]
    own = [line.model_copy(update={"cost": Cost(seconds=cost)}) for line, cost in zip(own, (2.0, 40.0), strict=True)]
    rows = by(costs(make_results(tmp_path, [DIRECT, SELF], [*asked.values()], [easy, *own])), "arm")
    assert (rows["self",]["seconds"], rows["self",]["times"]) == (21.0, 2.0)


def test_a_share_of_gold_is_of_the_items_and_seeds_of_all_three(tmp_path: Path) -> None:
    """Direct answers that differ by seed leave no item out, and a third seed of one arm makes no difference."""
    asked, gold = items(tmp_path, "abcdefghijklmnop"), Arm(name="gold", policy="oracle", reflect=False)
    names = "".join(asked)
    known = [
        *lines(asked, "direct", "", names, seed=0),
        *lines(asked, "direct", "ab", names[2:], seed=1),
        *(line for seed in (0, 1) for line in lines(asked, "gold", names, "", seed=seed)),
        *(line for seed in (0, 1) for line in lines(asked, "self", names[:8], names[8:], seed=seed)),
    ]
    third = [*lines(asked, "direct", names, "", seed=2), *lines(asked, "self", "", names, seed=2)]
    arms_asked = [Arm(name="direct", policy="none"), SELF, gold]
    two, more = (make_results(tmp_path, arms_asked, [*asked.values()], own, seeds=3) for own in (known, known + third))
    shares = [by(arms(found), "arm")["self",]["of_gold"] for found in (two, more)]
    assert shares == [pytest.approx((8 - 1) / (16 - 1))] * 2


def test_clusters_compare_the_seeds_of_both(tmp_path: Path) -> None:
    asked = {name: item.model_copy(update={"cluster": "one"}) for name, item in items(tmp_path, "ab").items()}
    often = Arm(name="direct", policy="none")
    known = [
        *lines(asked, "direct", "ab", ""),
        *lines(asked, "self", "ab", ""),
        *lines(asked, "self", "a", "b", seed=1),
    ]
    own = by(clusters(make_results(tmp_path, [often, SELF], [*asked.values()], known, seeds=2)), "arm")["self",]
    assert (own["all_right"], own["gain"]) == (0.0, 0.0)


def test_what_was_used_says_only_of_a_study_that_grew_that_arms_differ(tmp_path: Path) -> None:
    asked = items(tmp_path, "ab")
    whole = make_results(tmp_path, [DIRECT, SELF], [*asked.values()], lines(asked, "self", "ab", ""))
    parts = [Part(arms=["direct", "self"], items=1, seeds=1), Part(arms=["self"], items=2, seeds=1)]
    grown = replace(whole, header=whole.header.model_copy(update={"asked": parts}))
    told = [table.about for found in (whole, grown) if (table := used(found))]
    assert told[0] == "The tables rest on 2 arms, 2 items and 1 seed."
    assert (
        told[1]
        == f"{told[0]} Arms differ in what they were asked; two are compared on the items and seeds that both have."
    )


def test_seeds_are_repeats_of_an_item_and_no_evidence(tmp_path: Path) -> None:
    asked = items(tmp_path, "abcdefgh")
    once = [*lines(asked, "direct", "ab", "cdefgh"), *lines(asked, "self", "abcdefg", "h")]
    again = [line.model_copy(update={"seed": 1}) for line in once if line.arm == "self"]
    one = make_results(tmp_path, [DIRECT, SELF], [*asked.values()], once)
    two = make_results(tmp_path, [DIRECT, SELF], [*asked.values()], [*once, *again], seeds=2)
    for key in ("n", "accuracy", "gain", "fixed", "broken", "p", "detectable"):
        assert by(arms(one), "arm")["self",][key] == by(arms(two), "arm")["self",][key]
    low, high = (by(arms(two), "arm")["self",][f"gain_{bound}"] for bound in ("low", "high"))
    assert (low, high) == tuple(by(arms(one), "arm")["self",][f"gain_{bound}"] for bound in ("low", "high"))
    assert seeds(one) is None
    row = by(seeds(two), "arm")["self",]
    assert (row["n"], row["same_choices"], row["same_answer"]) == (8, 1.0, 1.0)
    flipped = [*again[:6], *(make_line(asked[name], "self", name == "h", seed=1) for name in "gh")]
    found = seeds(make_results(tmp_path, [DIRECT, SELF], [*asked.values()], [*once, *flipped], seeds=2))
    assert by(found, "arm")["self",]["same_answer"] == 0.75


def test_gains_are_a_share_of_what_gold_gains(tmp_path: Path) -> None:
    asked, gold = items(tmp_path, "abcdefghijklmnopqrst"), Arm(name="gold", policy="oracle", reflect=False)
    found = make_results(
        tmp_path,
        [DIRECT, SELF, gold],
        [*asked.values()],
        [
            *lines(asked, "direct", "ab", "cdefghijklmnopqrst"),
            *lines(asked, "self", "abcdefghijk", "lmnopqrst"),
            *lines(asked, "gold", "abcdefghijklmnopqrst", ""),
        ],
    )
    rows = by(arms(found), "arm")
    assert rows["self",]["of_gold"] == pytest.approx(9 / 18)
    assert rows["gold",]["of_gold"] is None and rows["direct",]["of_gold"] is None


def test_arms_count_thoughts_and_decisions(tmp_path: Path) -> None:
    asked = items(tmp_path, "ab")
    a, b = asked.values()
    gave_up = make_round(b, 1, "none", attempts=3)
    reason = "In 3 attempts the model made no call that can be made. The last error: what?"
    gave_up = gave_up.model_copy(update={"decision": gave_up.decision.model_copy(update={"reason": reason})})
    rounds = [make_round(a, 1, "expose", verdict="retry"), make_round(a, 2, "deblur", verdict="keep", attempts=2)]
    both = [make_line(a, "self", True, rounds=rounds), make_line(b, "self", True, rounds=[gave_up])]
    row = by(arms(make_results(tmp_path, [SELF], list(asked.values()), both)), "arm")["self",]
    assert (row["drawn"], row["kept"]) == (1.0, 0.5)
    assert (row["reasked"], row["unparsed"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))


def test_arms_tell_how_many_answers_the_clock_cut_short(tmp_path: Path) -> None:
    asked = items(tmp_path, "abc")
    whole = [*lines(asked, "direct", "ab", "c"), *lines(asked, "self", "ab", "c")]
    late = [line.model_copy(update={"stopped": "seconds"}) for line in whole[3:5]]
    told = [
        table.about
        for found in (whole, [*whole[:3], *late, whole[5]])
        if (table := arms(make_results(tmp_path, [DIRECT, SELF], [*asked.values()], found)))
    ]
    assert ["imagined all they wanted: self 2." in about for about in told] == [False, True]


def test_arms_are_corrected_for_their_number(tmp_path: Path) -> None:
    asked = items(tmp_path, "abcdefghij")
    other, third = Arm(name="other"), Arm(name="third")
    found = make_results(
        tmp_path,
        [DIRECT, SELF, other, third],
        list(asked.values()),
        [
            *lines(asked, "direct", "", "abcdefghij"),
            *lines(asked, "self", "abcdefg", "hij"),  # 7 of 7: p 2 / 128
            *lines(asked, "other", "abcdef", "ghij"),  # 6 of 6: p 2 / 64
            *lines(asked, "third", "a", "bcdefghij"),
        ],
    )
    rows = by(arms(found), "arm")
    assert [rows[name,]["p"] for name in ("self", "other", "third")] == pytest.approx([2 / 128, 2 / 64, 1.0])
    assert [rows[name,]["p_holm"] for name in ("self", "other", "third")] == pytest.approx([6 / 128, 4 / 64, 1.0])


def test_arms_are_corrected_within_their_set(tmp_path: Path) -> None:
    asked = items(tmp_path, "abcdefghij")
    named = [Arm(name="one", set="choices"), Arm(name="two", set="choices"), Arm(name="edit:expose", set="sweep")]
    own = [line for arm in named for line in lines(asked, arm.name, "abcdefg", "hij")]
    found = make_results(
        tmp_path, [DIRECT, *named], list(asked.values()), [*lines(asked, "direct", "", "abcdefghij"), *own]
    )
    rows = by(arms(found), "arm")
    assert [rows[arm.name,]["p_holm"] for arm in named] == pytest.approx([4 / 128, 4 / 128, 2 / 128])


def test_arms_without_a_direct_arm_are_compared_with_their_own_direct_answers(tmp_path: Path) -> None:
    asked = items(tmp_path, "abc")
    a, b, c = asked.values()
    failed = Line(arm="self", item="c", seed=0, error="Out of memory.")
    own = [make_line(a, "self", True, direct=False), make_line(b, "self", True, direct=True), failed]
    table = arms(make_results(tmp_path, [SELF], [a, b, c], own))
    row = by(table, "arm")["self",]
    assert table is not None and "There is no arm 'direct'" in table.about
    assert (row["n"], row["gain"], row["fixed"], row["broken"]) == (3, 0.5, 1, 0)
    # Another arm says what the direct answer to `c` was, so that the failure can be scored.
    known = make_line(c, "other", True, direct=True)
    found = make_results(tmp_path, [SELF, Arm(name="other")], [a, b, c], [*own, known])
    assert by(arms(found), "arm")["self",]["gain"] == 0.0


def test_items_whose_direct_answer_failed_make_no_gain(tmp_path: Path) -> None:
    asked = items(tmp_path, "ab")
    failed = Line(arm="direct", item="b", seed=0, error="Out of memory.")
    found = make_results(
        tmp_path,
        [DIRECT, SELF],
        list(asked.values()),
        [*lines(asked, "direct", "a", ""), failed, *lines(asked, "self", "ab", "")],
    )
    table = arms(found)
    assert table is not None and "1 item whose direct answer failed" in table.about
    rows = by(table, "arm")
    assert rows["direct",]["accuracy"] == 0.5
    assert (rows["self",]["n"], rows["self",]["accuracy"], rows["self",]["gain"]) == (2, 1.0, 0.0)


def test_seeds_are_averaged_inside_an_item(tmp_path: Path) -> None:
    asked = items(tmp_path, "abc")
    found = make_results(
        tmp_path,
        [DIRECT, SELF],
        list(asked.values()),
        [
            *lines(asked, "direct", "a", "bc"),
            *lines(asked, "self", "ab", "c", seed=0),
            *lines(asked, "self", "b", "ac", seed=1),
        ],
        seeds=2,
    )
    table = arms(found)
    row = by(table, "arm")["self",]
    assert (row["n"], row["accuracy"]) == (3, pytest.approx(0.5))
    assert (row["gain"], row["fixed"], row["broken"]) == (pytest.approx(1 / 6), 1, 1)
    unfinished = arms(replace(found, lines=found.lines[:-2]))
    assert unfinished and "2 answers missing" in unfinished.about


def test_groups_have_a_row_for_each_value_that_tells_items_apart(tmp_path: Path) -> None:
    asked = items(tmp_path, "abcd", task=["maze", "maze", "chart", "chart"], source=["world"] * 4)
    found = make_results(
        tmp_path,
        [DIRECT, SELF],
        list(asked.values()),
        [*lines(asked, "direct", "ad", "bc"), *lines(asked, "self", "abc", "d")],
    )
    rows = by(groups(found), "arm", "group", "value")
    assert list(rows) == [(arm, "task", task) for arm in ("direct", "self") for task in ("maze", "chart")]
    maze, chart = rows["self", "task", "maze"], rows["self", "task", "chart"]
    assert (maze["n"], maze["accuracy"], maze["gain"]) == (2, 1.0, 0.5)
    assert (chart["n"], chart["accuracy"], chart["gain"]) == (2, 0.5, 0.0)
    assert rows["direct", "task", "maze"]["gain"] is None
    alike = items(tmp_path, "ab", source=["world"] * 2)
    assert groups(make_results(tmp_path, [SELF], list(alike.values()), lines(alike, "self", "a", "b"))) is None


def test_families_are_the_mean_of_their_edits_within_an_item(tmp_path: Path) -> None:
    asked = items(tmp_path, "abc", task=["maze", "chart", "chart"])
    sweep = [Arm(name=f"edit:{edit}", policy=f"fixed:{edit}") for edit in ("expose", "deblur", "trace_path")]

    def made(edit: str, right: str, wrong: str) -> list[Line]:
        return [
            make_line(asked[name], f"edit:{edit}", name in right, rounds=[make_round(asked[name], 1, edit)])
            for name in right + wrong
        ]

    found = make_results(
        tmp_path,
        [DIRECT, *sweep],
        list(asked.values()),
        [
            *lines(asked, "direct", "b", "ac"),
            *made("expose", "bc", "a"),
            *made("deblur", "c", "b"),
            *made("trace_path", "abc", ""),
            Line(arm="edit:deblur", item="a", seed=0, left_out="The edit would name an option."),
        ],
    )
    one = by(edits(found), "edit", "task")
    assert [one["expose", task]["gain"] for task in ("all", "maze", "chart")] == pytest.approx([1 / 3, 0, 0.5])
    assert (one["deblur", "all"]["n"], one["deblur", "all"]["gain"]) == (2, 0.0)
    assert (one["deblur", "chart"]["fixed"], one["deblur", "chart"]["broken"]) == (1, 1)
    assert ("deblur", "maze") not in one
    families = by(transfer(found), "family", "task")
    assert families["enhancement", "all"]["edits"] == 2
    # a: 0 (of expose alone); b: (1 + 0) / 2 - 1; c: 1.
    assert families["enhancement", "all"]["gain"] == pytest.approx((0 - 0.5 + 1) / 3)
    assert families["structure", "maze"]["gain"] == 1.0
    assert transfer(make_results(tmp_path, [DIRECT], list(asked.values()), lines(asked, "direct", "a", "bc"))) is None


def test_flips_name_the_items_and_the_seed(tmp_path: Path) -> None:
    asked = items(tmp_path, "abcd")
    drew = [make_round(asked["b"], 1, "expose"), make_round(asked["b"], 2, "deblur")]
    found = make_results(
        tmp_path,
        [DIRECT, SELF],
        list(asked.values()),
        [
            *lines(asked, "direct", "a", "bcd"),
            *lines(asked, "self", "c", "bd"),
            Line(arm="self", item="a", seed=0, error="Out of memory."),
            make_line(asked["b"], "self", True, seed=1, rounds=drew),
        ],
        seeds=2,
    )
    rows = by(flips(found), "item")
    assert {item: row["change"] for (item,), row in rows.items()} == {"a": "broken", "b": "fixed", "c": "fixed"}
    assert (rows["b",]["seed"], rows["b",]["score"], rows["b",]["edits"]) == (1, 0.5, "expose > deblur")
    assert (rows["a",]["said"], rows["a",]["answer"]) == (None, "red")


def test_a_flip_shows_a_seed_that_changed(tmp_path: Path) -> None:
    asked = items(tmp_path, "a")
    known = [*lines(asked, "direct", "a", ""), *lines(asked, "self", "a", ""), *lines(asked, "self", "", "a", seed=1)]
    [row] = by(flips(make_results(tmp_path, [DIRECT, SELF], [*asked.values()], known, seeds=2)), "item").values()
    assert (row["change"], row["seed"], row["score"]) == ("broken", 1, 0.5)


def test_selection_says_what_luck_the_best_of_many_has(tmp_path: Path) -> None:
    asked = items(tmp_path, "ab")
    one = make_results(tmp_path, [SELF], list(asked.values()), lines(asked, "self", "a", "b"))
    assert selection(one) is None
    many = make_results(tmp_path, [SELF], list(asked.values()), lines(asked, "self", "a", "b"), tried=5)
    low, high = proportion_confint(1, 2, method="wilson")
    row = by(selection(many), "arm")["self",]
    assert row["luck"] == pytest.approx(1.16296 * (high - low) / 2 / 1.95996, rel=1e-4)
    assert [expected_best(n) for n in (1, 2, 3)] == pytest.approx([0, 0.56419, 0.84628], abs=1e-4)


def test_every_table_can_be_shown_and_has_what_its_columns_name(tmp_path: Path) -> None:
    made = make_tables(with_every_table(made_up(tmp_path, items=16, seeds=2, paraphrases=True, tried=3)))
    assert list(made) == list(TABLES)
    for name, table in made.items():
        assert table.name == name and table.about and table.rows
        keys = {key for column in table.columns for key in (column.key, column.low, column.high) if key}
        for row in table.rows:
            assert keys <= row.keys()
            assert all(show_cell(row, column) for column in table.columns)
    assert make_tables(make_results(tmp_path, [SELF], [], [])) == {}
    again = with_every_table(made_up(tmp_path, items=16, seeds=2, paraphrases=True, tried=3))
    assert made == make_tables(again)
