"""Tables of choices, verdicts and fidelity on results small enough to reckon by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy import stats

from g2u.edits.library import EditLibrary
from g2u.edits.menu import Menu
from g2u.engine.engine import Engine
from g2u.loop.deciding.policies import Situation, choose_self
from g2u.pictures.store import ImageStore
from g2u.study.grid.arms import Arm
from g2u.study.grid.records import ItemRecord, Line
from g2u.study.tables.alignment import alignment
from g2u.study.tables.chance import seeds
from g2u.study.tables.choices import choosing_arms, gave_up, next_gold, shown_drawing, twin
from g2u.study.tables.fidelity import fidelity
from g2u.study.tables.gate import gate, reliability
from g2u.study.tables.ladder import ladder, ladder_fit
from g2u.study.tables.regret import regret, regret_items
from g2u.study.tables.rounds import rounds, transitions
from tests.scripted import ScriptedModel
from tests.study.made_up import make_item, make_line, make_results, make_round
from tests.study.tables.test_tables import DIRECT, SELF, by

SWEEP = [Arm(name=f"edit:{edit}", policy=f"fixed:{edit}", seeds="first") for edit in ("expose", "deblur")]


def item(folder: Path, name: str, gold: str | None = None, *, of: str = "", task: str = "") -> ItemRecord:
    """An item with its gold edits in one string."""
    return make_item(
        ImageStore(folder / "pictures"),
        name,
        gold_edits=gold.split() if gold else None,
        groups={"task": task} if task else {},
        paraphrase_of=of,
    )


def chose(asked: ItemRecord, edits: str, *, arm: str = "self", right: bool = True, seed: int = 0) -> Line:
    """A line with one round for each edit."""
    turns = [make_round(asked, number, edit) for number, edit in enumerate(edits.split(), 1)]
    return make_line(asked, arm, right, seed=seed, rounds=turns)


def test_regret_is_what_the_best_edit_has_more(tmp_path: Path) -> None:
    a, b, c = (item(tmp_path, name) for name in "abc")
    found = make_results(
        tmp_path,
        [DIRECT, *SWEEP, SELF],
        [a, b, c],
        [
            # of the right answer: a 0.6, 0.9, 0.8; b 0.8, 0.05 (wrong at 0.9), 0.8004; c left out of the sweep's expose
            make_line(a, "direct", True, sure=0.6),
            make_line(a, "edit:expose", True, sure=0.9),
            make_line(a, "edit:deblur", True, sure=0.8),
            make_line(b, "direct", True, sure=0.8),
            make_line(b, "edit:expose", False, sure=0.9),
            make_line(b, "edit:deblur", True, sure=0.8004),
            make_line(c, "direct", True),
            Line(arm="edit:expose", item="c", seed=0, left_out="The edit would name an option."),
            make_line(c, "edit:deblur", True),
            chose(a, "deblur", seed=0),
            chose(b, "expose", seed=0),
            chose(c, "expose", seed=0),
            chose(a, "none", seed=1),
            chose(b, "none", seed=1),
            Line(arm="self", item="c", seed=1, error="Out of memory."),
        ],
        seeds=2,
    )
    rows = by(regret_items(found), "item", "seed")
    assert list(rows) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert [rows[key]["regret"] for key in rows] == pytest.approx([0.1, 0.3, 0.7504, 0.0004])
    assert [rows[key]["regret_right"] for key in rows] == [0, 0, 1, 0]
    assert [rows[key]["best"] for key in rows] == ["expose", "expose", "deblur", "none"]
    row = by(regret(found), "arm")["self",]
    assert (row["n"], row["left_out"]) == (2, 2)
    assert row["regret"] == pytest.approx((0.1 + 0.3 + 0.7504 + 0.0004) / 4)
    assert row["never"] == pytest.approx((0.3 + 0.3 + 0.0004 + 0.0004) / 4)
    assert (row["zero"], row["zero_right"], row["regret_right"]) == (0.25, 0.75, 0.25)
    assert (row["fixed"], row["broken"]) == (0.0, 0.25)
    assert regret(make_results(tmp_path, [DIRECT, SELF], [a], [chose(a, "expose")])) is None


def test_regret_needs_to_know_what_comes_of_not_imagining(tmp_path: Path) -> None:
    a, b = item(tmp_path, "a"), item(tmp_path, "b")
    unknown = chose(b, "expose").model_copy(update={"direct": None})
    found = make_results(
        tmp_path,
        [SWEEP[0], SELF],
        [a, b],
        [*(make_line(one, "edit:expose", True) for one in (a, b)), chose(a, "expose"), unknown],
    )
    row = by(regret(found), "arm")["self",]
    assert (row["n"], row["left_out"], row["regret"]) == (1, 1, 0.0)


def test_free_answers_have_regret_in_right_answers_alone(tmp_path: Path) -> None:
    a = item(tmp_path, "a").model_copy(update={"options": []})
    right, wrong = make_line(a, "edit:expose", True), make_line(a, "direct", False)

    def free(line: Line) -> Line:
        assert line.answer and line.direct
        return line.model_copy(update={"answer": line.answer.model_copy(update={"probabilities": {}})})

    found = make_results(tmp_path, [DIRECT, SWEEP[0], SELF], [a], [free(right), free(wrong), free(chose(a, "none"))])
    row = by(regret(found), "arm")["self",]
    assert (row["regret"], row["never"], row["zero"], row["regret_right"]) == (None, None, None, 1.0)
    assert by(regret_items(found), "item")["a",]["best"] == "expose"


def test_agreement_is_with_the_first_gold_edit_and_with_all(tmp_path: Path) -> None:
    asked = [item(tmp_path, "a", "expose deblur"), item(tmp_path, "b", "none"), item(tmp_path, "c", "deblur")]
    unknown, failed = item(tmp_path, "d"), Line(arm="self", item="c", seed=0, error="Out of memory.")
    a, b, c = asked
    found = make_results(
        tmp_path,
        [SELF],
        [*asked, unknown],
        [
            chose(a, "expose deblur none"),
            chose(a, "expose none", seed=1),
            chose(b, "none"),
            chose(b, "expose", seed=1),
            failed,
            chose(c, "none", seed=1),
            chose(unknown, "deblur"),
        ],
        seeds=2,
    )
    table = alignment(found)
    row = by(table, "arm")["self",]
    assert table is not None and "1 item without gold edits" in table.about
    assert (row["n"], row["n_gold"]) == (4, 3)
    assert (row["agreement"], row["agreement_set"]) == (pytest.approx(3 / 5), pytest.approx(2 / 5))
    assert (row["none_fit"], row["none_unfit"]) == (0.5, pytest.approx(1 / 3))
    # Choices: expose three times, none twice, deblur once.
    assert row["entropy"] == pytest.approx(stats.entropy([3, 2, 1], base=2))
    assert row["effective"] == pytest.approx(2 ** stats.entropy([3, 2, 1], base=2))
    assert row["same_words"] is None
    # First choices of `a` are alike and later ones are not; those of `b` differ from the first on.
    repeated = by(seeds(found), "arm")["self",]
    assert (repeated["n"], repeated["same_choices"]) == (2, 0.0)
    alike = [chose(b, "none"), chose(b, "none", seed=1), chose(a, "expose"), chose(a, "deblur", seed=1)]
    again = by(seeds(make_results(tmp_path, [SELF], asked, alike, seeds=2)), "arm")["self",]
    assert (again["n"], again["same_choices"]) == (2, 0.5)


def test_choices_are_compared_with_those_of_paraphrases_and_with_groups(tmp_path: Path) -> None:
    own = [item(tmp_path, name, task="maze" if name in "ab" else "chart") for name in "abcd"]
    words = [item(tmp_path, f"{one.id}/reworded", of=one.id, task=one.groups["task"]) for one in own]
    chosen = ["expose", "expose", "deblur", "deblur"]
    said = ["expose", "deblur", "deblur", "deblur"]
    lines = [chose(one, edit) for one, edit in zip([*own, *words], [*chosen, *said], strict=True)]
    other = [chose(one, "deblur", arm="score") for one in [*own, *words]]
    arms = [Arm(name="score", policy="score"), SELF]
    row = by(alignment(make_results(tmp_path, arms, [*own, *words], [*other, *lines])), "arm")["self",]
    assert (row["n"], row["n_words"], row["same_words"]) == (4, 4, 0.75)
    assert row["bits_task"] == pytest.approx(1.0)
    # Of the 6 deals, 2 tell all and 4 nothing.
    assert row["bits_task_baseline"] == pytest.approx(1 / 3, abs=0.05)
    assert row["bits_task_p"] == pytest.approx(1 / 3, abs=0.05)
    assert row["agreement"] is None


def test_second_rounds_stop_repeat_or_change(tmp_path: Path) -> None:
    asked = [item(tmp_path, name) for name in "abcd"]
    a, b, c, d = asked
    short = Arm(name="short", rounds=1)
    found = make_results(
        tmp_path,
        [DIRECT, SELF, short],
        asked,
        [
            *(make_line(one, "direct", False) for one in asked),
            *(make_line(one, "short", one is b) for one in asked),
            chose(a, "expose none"),
            chose(b, "expose expose"),
            chose(c, "expose deblur"),
            chose(d, "none", right=False),
        ],
    )
    row = by(rounds(found), "arm")["self",]
    assert (row["n"], row["share"], row["drew"]) == (3, 0.75, 2)
    assert [row[key] for key in ("stopped", "repeated", "changed")] == pytest.approx([1 / 3] * 3)
    assert (row["gain"], row["one_round"], row["second_gain"]) == (1.0, "short", 0.5)
    moves = by(transitions(found), "first", "second")
    assert {key: move["n"] for key, move in moves.items()} == {
        ("expose", edit): 1 for edit in ("none", "expose", "deblur")
    }
    assert moves["expose", "none"]["share"] == pytest.approx(1 / 3)


def test_verdicts_are_held_against_gold_edits_and_fidelity(tmp_path: Path) -> None:
    a, b, c = item(tmp_path, "a", "expose deblur"), item(tmp_path, "b", "none"), item(tmp_path, "c")
    unjudged = Arm(name="unjudged", reflect=False)
    verdicts = [
        make_line(  # good and kept; good since the next one, and refused
            a,
            "self",
            True,
            rounds=[
                make_round(a, 1, "expose", verdict="keep", keep=0.9),
                make_round(a, 2, "deblur", verdict="retry", keep=0.3),
                make_round(a, 3, "expose", verdict="discard", keep=0.1),  # made before
            ],
            psnr=[24.0, 30.0, 40.0],
        ),
        # needless, and kept
        make_line(b, "self", False, rounds=[make_round(b, 1, "expose", verdict="keep", keep=0.7)], psnr=[60.0]),
        # not faithful; and nobody knows
        make_line(c, "self", True, rounds=[make_round(c, 1, "expose", verdict="retry", keep=0.2)], psnr=[23.9]),
        make_line(c, "self", True, rounds=[make_round(c, 1, "expose", verdict="keep")], seed=1),
    ]
    plain = [make_line(a, "unjudged", True), make_line(b, "unjudged", True), make_line(c, "unjudged", False)]
    found = make_results(tmp_path, [SELF, unjudged], [a, b, c], [*verdicts, *plain], seeds=2)
    table = gate(found)
    row = by(table, "arm")["self",]
    assert table is not None and "1 thought without a known true result" in table.about
    assert len(table.rows) == 1
    assert (row["n"], row["known"]) == (6, 5)
    assert (row["keep"], row["retry"], row["discard"]) == (3, 2, 1)
    assert (row["good"], row["precision"], row["recall"]) == (0.4, 0.5, 0.5)
    assert row["auroc"] == pytest.approx(5 / 6)  # 0.9 and 0.3 against 0.1, 0.7 and 0.2
    error = (0.1 + 0.7 + 0.1 + 0.7 + 0.2) / 5
    assert row["calibration_error"] == pytest.approx(error, abs=1e-6)
    assert (row["unjudged"], row["unjudged_accuracy"]) == ("unjudged", pytest.approx(2 / 3))
    assert row["worth"] == pytest.approx(0.0)  # a 0, b -1, c +1
    bins = by(reliability(found), "low")
    assert {low: (one["n"], one["good"]) for (low,), one in bins.items()} == {
        0.1: (1, 0.0), 0.2: (1, 0.0), 0.3: (1, 1.0), 0.7: (1, 0.0), 0.9: (1, 1.0),
    }  # fmt: skip


def test_the_next_gold_edit_is_the_first_of_which_no_drawing_was_kept(tmp_path: Path) -> None:
    a = item(tmp_path, "a", "expose deblur")
    first = make_round(a, 1, "expose", verdict="keep")
    refused = make_round(a, 1, "expose", verdict="retry")
    assert [next_gold(a, turns) for turns in ([], [refused], [first], [first, make_round(a, 2, "deblur")])] == [
        "expose", "expose", "deblur", None,
    ]  # fmt: skip
    line = make_line(a, "self", True, rounds=[first, make_round(a, 2, "deblur", verdict="discard")])
    shown = shown_drawing(line)
    assert shown is not None and shown.number == 1
    none_kept = make_line(a, "self", True, rounds=[refused, make_round(a, 2, "deblur", verdict="discard")])
    shown = shown_drawing(none_kept)
    assert shown is not None and shown.number == 2
    assert shown_drawing(chose(a, "none")) is None


@pytest.mark.parametrize(("says", "given_up"), [("no idea", True), ('{"edit": "none"}', False)])
async def test_giving_up_is_told_from_choosing_to_imagine_nothing(tmp_path: Path, says: str, given_up: bool) -> None:
    engine = Engine(lambda: ScriptedModel(read_script=lambda text, pictures: says))
    situation = Situation(
        policy="self",
        engine=engine,
        store=ImageStore(tmp_path / "pictures"),
        prompt_set="mini",
        pictures=item(tmp_path, "a").pictures,
        question="Which exit?",
        menu=Menu(library=EditLibrary.load()),
    )
    try:
        decision = await choose_self(situation)
    finally:
        engine.close()
    assert decision.edit == "none" and gave_up(decision) == given_up


def test_choices_are_those_of_arms_that_pick_from_the_library_and_of_references(tmp_path: Path) -> None:
    arms = [
        DIRECT,
        SELF,
        Arm(name="gold", policy="oracle"),
        Arm(name="gold-1", policy="oracle", rounds=1),
        Arm(name="spoilt", drawer="blur:2"),
        Arm(name="fixed", policy="fixed:expose"),
        Arm(name="random", policy="random"),
        Arm(name="own-words", policy="own-words"),
        Arm(name="writer", policy="writer:openai:gpt-4o-mini"),
    ]
    found = make_results(tmp_path, arms, [item(tmp_path, "a")], [])
    assert [arm.name for arm in choosing_arms(found)] == ["self", "gold", "random"]


def test_a_twin_differs_in_nothing_else(tmp_path: Path) -> None:
    arms = [SELF, Arm(name="x", reflect=False, steps=9), Arm(name="y", reflect=False, about="the twin", seeds="first")]
    found = make_results(tmp_path, arms, [item(tmp_path, "a")], [])
    assert twin(found, SELF, reflect=False) == arms[2]
    assert twin(found, SELF, rounds=1) is None


def test_fidelity_is_of_the_drawing_that_was_shown(tmp_path: Path) -> None:
    names = "abcd"
    asked = [item(tmp_path, name) for name in names]
    lines = []
    for place, one in enumerate(asked):
        turns = [make_round(one, 1, "expose", verdict="keep"), make_round(one, 2, "deblur", verdict="retry")]
        lines.append(make_line(one, "self", place > 1, rounds=turns, psnr=[10.0 * place, 60.0], direct=place == 1))
    lines.append(Line(arm="self", item="a", seed=1, error="Out of memory."))
    row = by(fidelity(make_results(tmp_path, [SELF], asked, lines, seeds=2)), "arm")["self",]
    assert (row["n"], row["items"], row["psnr"], row["ssim"]) == (4, 4, 15.0, pytest.approx(0.25))
    theirs = stats.linregress([0, 10, 20, 30], [0, -1, 1, 1])
    assert row["measure"] == "psnr"
    assert (row["slope"], row["r2"]) == (pytest.approx(theirs.slope), pytest.approx(theirs.rvalue**2))
    assert row["gain"] == 0.25


@pytest.mark.parametrize("falls", [False, True])
def test_the_ladder_is_in_the_order_of_fidelity_and_says_whether_gains_rise(tmp_path: Path, falls: bool) -> None:
    asked = [item(tmp_path, str(number)) for number in range(40)]
    plain = item(tmp_path, "plain")
    levels = {"blurred": (10.0, 0), "rough": (30.0, 40 if falls else 20), "near": (20.0, 10), "true": (60.0, 30)}
    arms = [Arm(name=name, set="ladder", policy="oracle", drawer=f"level:{name}") for name in levels]
    arms[3] = Arm(name="true", set="choices", policy="oracle")  # what the others are the spoilt ones of
    arms.append(Arm(name="judged", set="choices"))
    lines = [
        make_line(one, name, place < right, rounds=[make_round(one, 1, "expose")], psnr=[near])
        for name, (near, right) in levels.items()
        for place, one in enumerate(asked)
    ]
    lines += [make_line(one, "direct", False) for one in [*asked, plain]]
    lines += [chose(plain, "none", arm=name) for name in levels]
    lines += [make_line(one, "judged", True, rounds=[make_round(one, 1, "expose")], psnr=[50.0]) for one in asked]
    found = make_results(tmp_path, [DIRECT, *arms], [*asked, plain], lines)
    table = ladder(found)
    assert table is not None and [row["arm"] for row in table.rows] == ["blurred", "near", "rough", "true"]
    assert [row["items"] for row in table.rows] == [40] * 4
    rising = [0.0, 0.25, 1.0 if falls else 0.5, 0.75]
    assert [row["gain"] for row in table.rows] == pytest.approx(rising)
    assert ("By level: gains do not rise throughout, a later level is up to 25.0 points lower" in table.about) == falls
    assert ("By level: gains rise from level to level within their intervals" in table.about) != falls
    lines_through = by(ladder_fit(found), "measure", "through")
    theirs = stats.linregress([10, 20, 30, 60], rising)
    by_level = lines_through["psnr", "levels"]
    assert (by_level["n"], by_level["items"]) == (4, 40)
    assert by_level["slope"] == pytest.approx(theirs.slope) and by_level["r2"] == pytest.approx(theirs.rvalue**2)
    assert lines_through["psnr", "levels of level"]["slope"] == by_level["slope"]
    by_answer = lines_through["psnr", "answers"]
    assert by_answer["n"] == 160 and by_answer["slope"] == pytest.approx(theirs.slope)
    assert float(by_answer["r2"] or 0) < theirs.rvalue**2
    assert lines_through["ssim", "levels"]["slope"] == pytest.approx(60 * theirs.slope)
    assert ladder(make_results(tmp_path, [DIRECT], asked, [make_line(one, "direct", False) for one in asked])) is None


def test_each_way_to_lower_fidelity_has_an_order_of_its_own(tmp_path: Path) -> None:
    asked = [item(tmp_path, str(number)) for number in range(40)]
    levels = {"noise:2": (10.0, 30), "noise:1": (20.0, 35), "blur:2": (15.0, 0), "blur:1": (25.0, 10)}
    arms = [Arm(name=name, set="ladder", policy="oracle", drawer=name) for name in levels]
    arms.append(Arm(name="whole", set="ladder", policy="oracle"))
    lines = [
        make_line(one, name, place < right, rounds=[make_round(one, 1, "expose")], psnr=[near])
        for name, (near, right) in {**levels, "whole": (30.0, 40)}.items()
        for place, one in enumerate(asked)
    ]
    lines += [make_line(one, "direct", False) for one in asked]
    found = make_results(tmp_path, [DIRECT, *arms], asked, lines)
    table = ladder(found)
    assert table is not None and [row["way"] for row in table.rows] == ["noise", "blur", "noise", "blur", "model"]
    for way in ("blur", "noise"):
        assert f"By {way}: gains rise from level to level within their intervals" in table.about
    assert "All ways together: gains do not rise throughout, a later level is up to 75.0 points lower" in table.about
    through = by(ladder_fit(found), "measure", "through")
    assert through["psnr", "levels of blur"]["n"] == 3 and through["psnr", "levels"]["n"] == 5
