"""What a report says in words: one paragraph of figures of its tables, and what a reader must know first."""

from dataclasses import replace
from pathlib import Path

from g2u.study.report.summary import notes, summary
from g2u.study.tables import TABLES
from g2u.study.tables.table import Table
from tests.study.made_up import made_arms, made_up
from tests.study.studies import make_study

NEEDED = ("arms", "alignment", "gate", "costs", "seeds")


def test_the_paragraph_has_the_figures_of_the_tables_and_none_twice(tmp_path: Path) -> None:
    arms = [arm for arm in made_arms() if arm.name in ("direct", "self", "self-unjudged", "random", "oracle")]
    results = made_up(tmp_path, arms, 40, seeds=2)
    tables = {name: table for name in NEEDED if (table := TABLES[name](results))}
    sure = [{**row, "p_holm": row["p_holm"] and 0.01} for row in tables["arms"].rows]
    tables["arms"] = replace(tables["arms"], rows=sure)
    told = summary(results, tables)
    assert told.count("more of the answers are right with 'self' than from the original alone") == 1
    own = next(row for row in tables["arms"].rows if row["arm"] == "self")
    assert (
        f"{100 * float(own['gain'] or 0):.1f} points (" in told
        and f"{100 * float(own['of_gold'] or 0):.1f} % (" in told
    )
    for words in (
        "chance ('random') for",
        "Judging its own drawings",
        "model's own time",
        "Seeds are repeats of an item",
    ):
        assert told.count(words) == 1, words
    assert told.endswith("of the items that have several it gave the same answer with all of them.")
    for name in NEEDED[1:]:
        less = summary(results, {key: table for key, table in tables.items() if key != name})
        assert len(less) < len(told) and "None" not in less


def test_what_is_not_shown_is_not_said_to_be_gained(tmp_path: Path) -> None:
    results = make_study(tmp_path)
    table = TABLES["arms"](results)
    assert isinstance(table, Table)
    assert summary(results, {"arms": table}).startswith(
        "Whether 'self' gains anything over the original alone is not shown"
    )
    assert summary(results, {}) == ""


def test_an_unfinished_study_names_the_command_that_goes_on(tmp_path: Path) -> None:
    results = make_study(tmp_path)
    skipped = {"random": "The model has no dice."}
    part = replace(results, lines=results.lines[:-12], header=results.header.model_copy(update={"skipped": skipped}))
    assert (
        notes(part)[0]
        == f"This study is not finished: 12 of 16 answers are there. `g2u study run --out {tmp_path}` goes on."
    )
    assert notes(part)[-1] == "1 of 3 arms could not be asked, of 8 answers. random: The model has no dice."
    assert not any("not finished" in note for note in notes(results))
