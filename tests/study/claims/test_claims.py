"""The page of the paper's claims: what an interval says, and every figure from the study."""

from pathlib import Path

import pytest

from g2u.pictures.store import ImageStore
from g2u.study.claims.claims import CLAIMS, HOLDS, OPEN
from g2u.study.claims.page import claims_page, judge
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.grid.presets import load_study
from g2u.study.running.runner import run
from g2u.study.statistics import paired_difference
from g2u.study.tables.pairing import arm_pairs, difference
from tests.study.made_up import made_items, make_line, make_results


@pytest.mark.parametrize(
    ("scores", "baseline", "p", "sign", "says"),
    [
        ([1.0] * 40, [0.0] * 40, 0.001, 1, "holds"),
        ([1.0] * 40, [0.0] * 40, 0.001, -1, "is reversed"),
        ([0.0] * 40, [1.0] * 40, 0.001, -1, "holds"),
        ([1.0] * 40, [0.0] * 40, 0.05, 1, "is not shown"),
        ([0.0, 1.0] * 20, [1.0, 0.0] * 20, 1.0, 1, "is not shown"),
    ],
)
def test_a_claim_holds_by_its_corrected_p(
    scores: list[float], baseline: list[float], p: float, sign: int, says: str
) -> None:
    found = paired_difference(scores, baseline)
    assert found and judge(found, p, sign) == says


def test_what_holds_before_the_correction_alone_is_not_shown(tmp_path: Path) -> None:
    names = ("direct", "self", "gold", "twice", "blank", "naive", "random", "gold-1")
    arms = [arm for arm in load_study("paper-world").arms if arm.name in names]
    asked = made_items(ImageStore(tmp_path / "pictures"), 40)
    right = {"direct": 0, "self": 6}  # six fixed, none broken: p is 2 / 64
    lines = [
        make_line(item, arm.name, place < right.get(arm.name, 0)) for arm in arms for place, item in enumerate(asked)
    ]
    results = make_results(tmp_path, arms, asked, lines)
    alone = difference(results, arm_pairs(results, "self", "direct"))
    assert alone and alone.low > 0 and alone.p == 2 / 64
    page = claims_page(results, "make claims")
    (told,) = [line for line in page.splitlines() if line.startswith("| [Imagining helps](#imagining-helps)")]
    assert "| is not shown (`small`, the world's split `held-out`, 40 items, 1 seed) | +15.0 [" in told
    assert "p 0.0" not in told and "| holds" not in page
    first = page.index("## A choice without training")
    assert first < page.index("## The claims")
    (contrast,) = [line for line in page.splitlines() if "`naive` and `random`" in line]
    assert contrast.startswith("- A choice without training against chance") and "which chance explains" in contrast


def test_the_preset_has_every_arm_that_the_claims_compare() -> None:
    arms = {arm.name for arm in load_study("paper-world").arms}
    compared = {name for claim in CLAIMS for one in claim.comparisons for name in (one.arm, one.other)}
    assert compared <= arms


def test_the_page_says_what_was_found_and_what_could_not_be_tested(tmp_path: Path) -> None:
    wanted = ("direct", "self", "self-unjudged", "gold", "twice", "naive", "gold-latent", "edit:deblur", "edit:expose")
    arms = [arm for arm in load_study("paper-world").arms if arm.name in wanted or arm.set == "ladder"]
    page = claims_page(run(Study(arms=arms, items=Items(count=6)), tmp_path / "s"), "make claims")
    assert all(f"## {claim.title}" in page for claim in CLAIMS)
    (row,) = [line for line in page.splitlines() if "| the edits that are known to help |" in line]
    assert "`gold` | `direct` | +" in row
    (told,) = [line for line in page.splitlines() if line.startswith("| [Imagining helps](#imagining-helps)")]
    assert (
        any(
            f"| {verdict} (`mini`, the world's split `held-out`, 6 items, 1 seed) | +" in told
            for verdict in (HOLDS, OPEN)
        )
        and "\n**We " in page
    )
    (told,) = [line for line in page.splitlines() if line.startswith("| [Fidelity bounds the gain]")]
    assert "; R² 0." in told and "points a decibel" in told
    assert "cannot be tested: The study has no arm 'chain-of-thought'" in page
    assert "no view for drawing" in page
    assert "noise of 50 %" in page and "R²" in page and "{{" not in page


def test_a_study_without_those_arms_still_makes_a_page(tmp_path: Path) -> None:
    arms = [Arm(name="direct", policy="none"), Arm(name="self", policy="self")]
    page = claims_page(run(Study(arms=arms, items=Items(count=2)), tmp_path / "s"), "g2u study run")
    assert page.count("cannot be tested") >= 20 and page.count("The study has no arms for this.") >= 2
