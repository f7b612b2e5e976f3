"""The page of the paper's claims: what an interval says, and every figure from the study."""

from pathlib import Path

import pytest

from g2u.study.claims.claims import CLAIMS, HOLDS, OPEN
from g2u.study.claims.page import claims_page, judge
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.grid.presets import load_study
from g2u.study.running.runner import run
from g2u.study.statistics import paired_difference


@pytest.mark.parametrize(
    ("scores", "baseline", "sign", "says"),
    [
        ([1.0] * 40, [0.0] * 40, 1, "holds"),
        ([1.0] * 40, [0.0] * 40, -1, "is reversed"),
        ([0.0] * 40, [1.0] * 40, -1, "holds"),
        ([0.0, 1.0] * 20, [1.0, 0.0] * 20, 1, "is not shown"),
    ],
)
def test_a_claim_holds_where_the_whole_interval_is_on_its_side(
    scores: list[float], baseline: list[float], sign: int, says: str
) -> None:
    found = paired_difference(scores, baseline)
    assert found and judge(found, sign) == says


def test_the_preset_has_every_arm_that_the_claims_compare() -> None:
    arms = {arm.name for arm in load_study("paper-world").arms}
    compared = {name for claim in CLAIMS for one in claim.comparisons for name in (one.arm, one.other)}
    assert compared <= arms


def test_the_page_says_what_was_found_and_what_could_not_be_tested(tmp_path: Path) -> None:
    wanted = ("direct", "self", "self-unjudged", "gold", "twice", "naive", "gold-latent", "edit:deblur", "edit:expose")
    arms = [arm for arm in load_study("paper-world").arms if arm.name in wanted or arm.set == "ladder"]
    page = claims_page(run(Study(arms=arms, items=Items(count=13)), tmp_path / "s"), "make claims")
    assert all(f"## {claim.title}" in page for claim in CLAIMS)
    (row,) = [line for line in page.splitlines() if "| the edits that are known to help |" in line]
    assert "`gold` | `direct` | +" in row
    (told,) = [line for line in page.splitlines() if line.startswith("| [Imagining helps](#imagining-helps)")]
    assert any(f"| {verdict} | +" in told for verdict in (HOLDS, OPEN)) and "\n**We " in page
    (told,) = [line for line in page.splitlines() if line.startswith("| [Fidelity bounds the gain]")]
    assert "| R² 0." in told and "points a decibel" in told
    assert "cannot be tested: The study has no arm 'chain-of-thought'" in page
    assert "no view for drawing" in page
    assert "noise of 50 %" in page and "R²" in page and "{{" not in page


def test_a_study_without_those_arms_still_makes_a_page(tmp_path: Path) -> None:
    arms = [Arm(name="direct", policy="none"), Arm(name="self", policy="self")]
    page = claims_page(run(Study(arms=arms, items=Items(count=2)), tmp_path / "s"), "g2u study run")
    assert page.count("cannot be tested") >= 20 and page.count("The study has no arms for this.") >= 2
