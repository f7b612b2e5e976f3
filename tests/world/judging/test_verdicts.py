"""The evaluation of verdicts: labels and arithmetic by hand, and the shipped model through the prompt of reflect."""

import sys
from collections import Counter
from typing import Any

import pytest

from g2u.edits.library import EditCall
from g2u.errors import G2UError, UnknownNameError, WorldError
from g2u.state import Action
from g2u.world.items.items import sample
from g2u.world.judging.verdicts import (
    KINDS,
    Judged,
    examine_verdicts,
    is_good,
    make_thoughts,
    report,
    right_action,
)

DEBLUR, EXPOSE = EditCall(edit="deblur"), EditCall(edit="expose")


def judged(kind: str, good: bool, keep: float, right: Action = "retry") -> Judged:
    return Judged(kind, good, "keep" if good else right, {"keep": keep, "retry": 1 - keep, "discard": 0.0})


def test_a_good_thought_is_of_the_next_gold_edit_and_faithful() -> None:
    item = sample("shapes", 0, fault="blur+dark")
    assert item.gold_edits == ["expose", "deblur"]
    assert is_good(item, EXPOSE, item.truth(EXPOSE))
    assert not is_good(item, EXPOSE, item.picture)  # not faithful
    assert not is_good(item, EXPOSE, item.truth(EXPOSE, DEBLUR))  # more than was asked
    assert not is_good(item, DEBLUR, item.truth(DEBLUR))  # not the next one
    plain = sample("shapes", 0, fault="none")
    assert not is_good(plain, DEBLUR, plain.picture)


def test_a_thought_of_another_size_is_judged_in_the_size_of_the_world() -> None:
    item = sample("shapes", 0, fault="blur")
    assert is_good(item, DEBLUR, item.truth(DEBLUR).resize((192, 192)))
    assert not is_good(item, DEBLUR, item.picture.resize((192, 192)))


def test_good_thoughts_are_kept_others_drawn_anew_and_needless_ones_discarded() -> None:
    faulty, plain = sample("shapes", 0, fault="blur"), sample("shapes", 0, fault="none")
    assert [right_action(faulty, True), right_action(faulty, False), right_action(plain, False)] == [
        "keep",
        "retry",
        "discard",
    ]


def test_kinds_of_thought_take_turns_and_are_what_they_say() -> None:
    thoughts = make_thoughts(36)
    assert Counter(thought.kind for thought in thoughts) == dict.fromkeys(KINDS, 6)
    for thought in thoughts:
        item, call, picture = thought.item, thought.call, thought.picture
        assert (picture is None) == (thought.kind in ("drawn", "misfit", "needless"))
        assert (item.case == ()) == (thought.kind == "needless")
        assert (call.edit == item.gold_edits[0]) == (thought.kind not in ("misfit", "needless"))
        if picture is not None:
            assert (picture.tobytes() == item.truth(call).tobytes()) == (thought.kind == "true")


def test_every_case_meets_every_kind_of_thought() -> None:
    thoughts = [thought for thought in make_thoughts(6 * 3 * 5, tasks=["maze"]) if thought.item.case]
    assert len({(thought.item.case, thought.kind) for thought in thoughts}) == 3 * 5


def test_the_report_by_hand() -> None:
    found = report(
        [
            judged("true", True, 0.95),
            judged("drawn", True, 0.45),
            judged("drawn", False, 0.65),
            judged("needless", False, 0.05, "discard"),
        ]
    )
    assert found["kinds"]["true"] == {"n": 1, "good": 1.0, "confidence": 0.95, "accuracy": 1.0}
    assert found["kinds"]["drawn"] == {"n": 2, "good": 0.5, "confidence": pytest.approx(0.55), "accuracy": 0.0}
    assert found["kinds"]["needless"]["accuracy"] == 0.0  # retry is not discard
    assert (found["n"], found["accuracy"]) == (4, 0.25)
    assert found["auroc"] == pytest.approx(0.75)  # of four pairs one is the wrong way round
    assert found["calibration_error"] == pytest.approx((0.05 + 0.55 + 0.65 + 0.05) / 4)
    assert [row["n"] for row in found["reliability"]] == [1, 0, 0, 0, 1, 0, 1, 0, 0, 1]
    assert found["reliability"][9] == {"low": 0.9, "high": 1.0, "n": 1, "confidence": 0.95, "good": 1.0}
    assert found["reliability"][1]["confidence"] is None


def test_certainty_counts_in_the_last_bin_and_one_sort_of_thoughts_has_no_auroc() -> None:
    found = report([judged("true", True, 1.0), judged("true", True, 0.9375)])
    assert found["auroc"] is None and found["reliability"][9]["n"] == 2
    assert found["calibration_error"] == pytest.approx(0.03125, abs=1e-5)


def test_the_shipped_model_judges_every_kind() -> None:
    done: list[tuple[str, int, int]] = []
    found = examine_verdicts(items=12, steps=1, on_progress=lambda *step: done.append(step))
    assert done[-1] == ("reflect", 12, 12) and list(found["kinds"]) == list(KINDS)
    assert found["kinds"]["true"]["good"] == 1.0
    assert all(found["kinds"][kind]["good"] == 0.0 for kind in ("misfit", "foreign", "needless"))
    assert all(0.0 <= row["confidence"] <= 1.0 for row in found["kinds"].values())


def test_the_shipped_model_knows_good_thoughts_from_bad() -> None:
    auroc = examine_verdicts(items=120)["auroc"]
    assert auroc is not None and auroc >= 0.85


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"split": "heldout"}, UnknownNameError),
        ({"tasks": ["mase"]}, UnknownNameError),
        ({"items": 0}, WorldError),
        ({"model": "minni", "items": 1}, UnknownNameError),
    ],
)
def test_what_cannot_be_examined_is_refused(settings: dict[str, Any], error: type[G2UError]) -> None:
    with pytest.raises(error):
        examine_verdicts(**settings)


def test_without_torchmetrics_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics.functional", None)
    with pytest.raises(G2UError, match=r"pip install 'g2u\[study\]'"):
        examine_verdicts(items=1)
