"""Charts show what their tables hold, intervals included, and leave alone what they cannot draw."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from g2u.study.report.charts import flips, forest, heat_map, wilson
from g2u.study.report.parts import parts_of
from g2u.study.report.plots import calibration, histogram, scatter
from g2u.study.report.svg import Axis, Plot, ticks
from g2u.study.tables.table import Column, Table
from tests.study.studies import make_tables

TABLES = make_tables()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-0.08, 0.16, [-0.1, -0.05, 0, 0.05, 0.1, 0.15, 0.2]),
        (3, 3, [2.4, 2.6, 2.8, 3, 3.2, 3.4, 3.6]),
    ],
)
def test_ticks_are_round_and_hold_the_ends(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_an_axis_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        ticks(0, float("inf"))


def test_a_forest_has_a_mark_with_its_interval_for_each_gain() -> None:
    drawn = forest(TABLES["arms"], "gain")
    assert drawn is not None
    assert [(mark.name, mark.kind) for mark in drawn.marks] == [
        ("self", "more"), ("random", "less"), ("oracle", "level"),
    ]  # fmt: skip
    assert all(0 <= mark.low < mark.value < mark.high <= 100 for mark in drawn.marks)
    assert drawn.marks[0].text == "+12.5 [+9.5, +15.5]"
    assert 0 < drawn.zero < drawn.marks[0].low


def test_flips_are_shares_with_intervals() -> None:
    drawn = flips(TABLES["arms"])
    assert drawn is not None
    assert [(mark.name, mark.text) for mark in drawn.marks[:2]] == [
        ("self: fixed", "4 of 8"),
        ("self: broken", "1 of 8"),
    ]
    assert all(mark.low <= mark.value <= mark.high for mark in drawn.marks)


def test_a_heat_map_has_a_cell_for_each_pair() -> None:
    drawn = heat_map(TABLES["transfer"])
    assert drawn is not None
    assert list(drawn.columns) == ["maze", "shapes"]
    (_, [maze, shapes]), (_, [level, none]) = drawn.rows
    assert maze and shapes and level and none is None
    assert (maze.middle, maze.interval, maze.strength, maze.kind) == ("+20.0", "+17.0 to +23.0", 1.0, "more rise")
    assert (shapes.kind, level.kind) == ("less fall", "level rise")


def test_plots_draw_dots_intervals_and_lines() -> None:
    table = TABLES["ladder"]
    panel = scatter(table.rows, table.columns[1], table.columns[2], "PSNR", {"slope": 0.01})
    assert panel is not None
    drawn = ElementTree.fromstring(panel.drawing)
    assert len(drawn.findall(".//circle")) == 3
    assert len(drawn.findall(".//path[@class='interval']")) == 12
    assert len(drawn.findall(".//line[@class='fit']")) == 1
    reliability = TABLES["reliability"]
    [plot] = calibration(reliability, reliability.columns[2], reliability.columns[3])
    assert len(ElementTree.fromstring(plot.drawing).findall(".//path[@class='interval']")) == 6


def test_the_fitted_line_passes_through_the_mean_of_its_dots() -> None:
    table = TABLES["ladder"]
    panel = scatter(table.rows, table.columns[1], table.columns[2], "", {"slope": 0.01})
    given = scatter(table.rows, table.columns[1], table.columns[2], "", {"slope": 0.01, "intercept": -0.12})
    assert panel == given


def test_a_histogram_counts_every_choice() -> None:
    [panel] = histogram(TABLES["regret_items"], "regret")
    drawn = ElementTree.fromstring(panel.drawing)
    assert panel.title == "self"
    assert len(drawn.findall(".//rect")) == 4
    assert len(drawn.findall(".//path")) == 8


def test_texts_of_a_plot_are_escaped() -> None:
    plot = Plot(Axis("<b>", "number", [0, 1]), Axis("&", "number", [0, 1]), '"')
    plot.dot(0.5, 0.5, "</svg><script>")
    assert "<script" not in plot.draw() and "<b>" not in plot.draw()
    ElementTree.fromstring(plot.draw())


def test_wilson_intervals() -> None:
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_tables_go_to_their_sections_and_the_rest_to_the_end() -> None:
    parts, others = parts_of(TABLES)
    assert [part.name for part in parts] == ["arms", "flips", "transfer", "ladder", "regret", "reliability"]
    assert [table.name for table in others] == ["selection"]
    assert all(part.figure and part.figure.caption.endswith(".") for part in parts)


def test_a_table_that_cannot_be_drawn_is_shown_as_it_is() -> None:
    odd = Table("transfer", "Odd", "", [Column("x", "x", "number")], [{"x": 1.0}])
    empty = Table("ladder", "Empty", "", [], [])
    parts, others = parts_of({"transfer": odd, "ladder": empty})
    assert parts == [] and others == [odd, empty]
