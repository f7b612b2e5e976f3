"""Statistics against scipy and statsmodels, against figures worked out by hand, and against simulated studies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from g2u.study.statistics import (
    detectable,
    effective_number,
    entropy,
    exact_test,
    fit_levels,
    fit_line,
    holm,
    judge_verdicts,
    mean,
    monotone,
    mutual_information,
    paired_difference,
    proportion,
)


@pytest.mark.parametrize(("right", "n"), [(0, 7), (3, 7), (7, 7), (180, 200)])
def test_shares_of_single_answers_have_the_interval_of_wilson(right: int, n: int) -> None:
    found = proportion([True] * right + [False] * (n - right))
    assert found is not None and found.n == n
    assert found.value == pytest.approx(right / n)
    assert (found.low, found.high) == pytest.approx(proportion_confint(right, n, method="wilson"), abs=1e-9)


def test_shares_of_clusters_are_bootstrapped_and_wider_than_as_if_each_answer_stood_for_itself() -> None:
    values = [flag for flag in [True] * 60 + [False] * 40 for _ in range(5)]  # the five seeds of an item agree
    found = proportion(values, [row // 5 for row in range(500)])
    alone = proportion([True] * 60 + [False] * 40)
    naive = proportion(values)
    assert found is not None and alone is not None and naive is not None
    assert (found.value, found.n) == (0.6, 100)
    assert found.high - found.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert found.high - found.low > 2 * (naive.high - naive.low)


def test_where_all_seeds_of_all_items_are_right_the_interval_is_of_the_items() -> None:
    found = proportion([True] * 20, [row // 2 for row in range(20)])
    assert found is not None
    assert (found.low, found.high) == pytest.approx(proportion_confint(10, 10, method="wilson"), abs=1e-9)
    assert proportion([]) is None and mean([]) is None


def test_the_bootstrap_of_a_mean_agrees_with_that_of_scipy() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=80)
    found = mean(values, seed=3)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=4).confidence_interval
    assert found is not None and found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)
    assert mean(values, seed=3) == found != mean(values, seed=4)


def test_clusters_of_different_sizes_weigh_as_much_as_they_have_values() -> None:
    found = mean([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"])
    assert found is not None
    assert (found.value, found.low, found.high, found.n) == (0.75, 0.0, 1.0, 2)
    with pytest.raises(ValueError, match="clusters"):
        mean([1.0, 2.0], ["a"])


def test_the_bootstrap_covers_the_true_gain_in_about_95_of_100_studies() -> None:
    chance, covered = np.random.default_rng(7), 0
    for study in range(400):
        differences = chance.choice([-1.0, 0.0, 1.0], p=[0.1, 0.65, 0.25], size=120)
        found = mean(differences, resamples=1000, seed=study)
        assert found is not None
        covered += found.low <= 0.15 <= found.high
    assert 0.92 <= covered / 400 <= 0.975


def test_a_paired_difference_counts_what_changed() -> None:
    found = paired_difference([1, 1, 1, 1, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0, 1, 0])
    assert found is not None
    assert (found.n, found.fixed, found.broken) == (8, 4, 1)
    assert found.value == pytest.approx(3 / 8)
    assert found.p == pytest.approx(stats.binomtest(4, 5).pvalue)
    assert -1 <= found.low < 3 / 8 < found.high <= 1
    assert paired_difference([], []) is None
    with pytest.raises(ValueError, match="paired"):
        paired_difference([1, 0], [1])


def test_with_seeds_an_item_is_fixed_when_its_mean_rises_and_rounding_fixes_nothing() -> None:
    found = paired_difference([2 / 3, 0.1 + 0.2, 0.0, 1.0], [1 / 3, 0.3, 1 / 3, 1.0])
    assert found is not None
    assert (found.fixed, found.broken, found.p) == (1, 1, 1.0)


def test_items_that_all_differ_alike_leave_room_for_those_not_seen() -> None:
    unseen = proportion_confint(0, 30, method="wilson")[1]
    same = paired_difference([1, 0, 1] * 10, [1, 0, 1] * 10)
    all_fixed = paired_difference([1] * 30, [0] * 30)
    assert same is not None and (same.low, same.high) == pytest.approx((-unseen, unseen))
    assert all_fixed is not None and (all_fixed.low, all_fixed.high) == pytest.approx((1 - 2 * unseen, 1))
    assert all_fixed.p == pytest.approx(2 / 2**30)


@pytest.mark.parametrize(
    ("n", "fixed", "broken"), [(4, 0.3, 0.05), (25, 0.02, 0.0), (25, 0.3, 0.05), (100, 0.05, 0.02)]
)
def test_intervals_of_few_items_and_rare_changes_hold_the_truth(n: int, fixed: float, broken: float) -> None:
    chance, held, by_bootstrap = np.random.default_rng(13), 0, 0
    for study in range(300):
        counts = chance.multinomial(n, [fixed, broken, 1 - fixed - broken])
        scores, baseline = np.repeat([1.0, 0.0, 1.0], counts), np.repeat([0.0, 1.0, 1.0], counts)
        found = paired_difference(scores, baseline, resamples=500, seed=study)
        bare = mean(scores - baseline, resamples=500, seed=study)
        assert found is not None and bare is not None
        held += found.low - 1e-9 <= fixed - broken <= found.high + 1e-9
        by_bootstrap += bare.low - 1e-9 <= fixed - broken <= bare.high + 1e-9
    assert held >= max(by_bootstrap, 0.91 * 300)
    assert by_bootstrap < 0.5 * 300 or (n, fixed) != (25, 0.02)  # what the docstring says of the bootstrap alone


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (5, 0), (9, 2), (30, 31)])
def test_the_exact_test_is_that_of_mcnemar(fixed: int, broken: int) -> None:
    theirs = mcnemar([[11, fixed], [broken, 13]], exact=True).pvalue if fixed + broken else 1.0
    assert exact_test(fixed, broken) == pytest.approx(theirs)


def test_holm_corrects_as_statsmodels_does_and_keeps_the_order() -> None:
    probabilities = [0.04, 0.001, 0.6, 0.012, 0.04, 0.9]
    assert holm(probabilities) == pytest.approx(multipletests(probabilities, method="holm")[1])
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])  # by hand
    assert holm([]) == []


def test_a_detectable_effect_is_found_in_about_80_of_100_studies() -> None:
    n, changed = 400, 0.2
    size = detectable([1.0] * 40 + [-1.0] * 40 + [0.0] * 320)
    assert size is not None
    chance = np.random.default_rng(11)
    split = [(changed + size) / 2, (changed - size) / 2, 1 - changed]
    studies = chance.multinomial(n, split, size=3000)[:, :2]
    found = np.mean([exact_test(int(fixed), int(broken)) < 0.05 for fixed, broken in studies])
    assert 0.74 <= found <= 0.84  # the exact test is a little cautious
    smaller = chance.multinomial(n, [(changed + size / 2) / 2, (changed - size / 2) / 2, 1 - changed], size=1000)[:, :2]
    assert np.mean([exact_test(int(fixed), int(broken)) < 0.05 for fixed, broken in smaller]) < 0.4


def test_a_detectable_effect_is_there_without_changes_and_not_with_three_items() -> None:
    size = detectable([0.0] * 100)
    assert size is not None
    # All that changes is then fixed: sqrt(100 d) = 1.96 + 0.84 sqrt(1 - d) has the root 0.0762.
    assert size == pytest.approx(0.0762, abs=1e-3)
    larger = detectable([0.0] * 1000)
    assert larger is not None and larger < size / 8
    assert detectable([0.0] * 3) is None and detectable([]) is None


def test_entropy_counts_choices_in_bits() -> None:
    assert entropy(["a", "b", "c", "d"]) == pytest.approx(2.0)
    assert entropy(["a", "a", "a", "b"]) == pytest.approx(0.811278)
    assert entropy(["a"] * 9) == entropy([]) == 0.0
    assert effective_number(2.0) == 4.0


def test_mutual_information_by_hand() -> None:
    choices, tasks = ["a"] * 50 + ["b"] * 50, ["x"] * 50 + ["y"] * 50
    found = mutual_information(choices, tasks)
    assert found is not None and found.bits == pytest.approx(1.0)
    assert found.baseline < 0.02 and found.p == pytest.approx(1 / 2001)
    half = mutual_information(["a", "a", "b", "b"], ["x", "y", "y", "y"])
    # H(choice) 1, H(label) 0.811278, H(both) 1.5
    assert half is not None and half.bits == pytest.approx(0.311278, abs=1e-6)
    assert mutual_information([], []) is None


def test_the_baseline_of_mutual_information_is_the_bias_of_small_samples() -> None:
    chance = np.random.default_rng(5)
    choices, labels = chance.integers(5, size=60).tolist(), chance.integers(4, size=60).tolist()
    found = mutual_information(choices, labels)
    assert found is not None
    assert found.baseline == pytest.approx(4 * 3 / (2 * 60 * np.log(2)), rel=0.15)  # Miller 1955
    assert found.bits > 0.05 and found.p > 0.05


def test_seeds_of_an_item_keep_their_label_together() -> None:
    labels = ["x", "y", "x", "y", "x", "y", "x", "y"]
    choices = ["a", "b", "a", "b", "b", "a", "b", "b"]
    repeated = [value for value in choices for _ in range(20)], [value for value in labels for _ in range(20)]
    apart = mutual_information(*repeated)
    together = mutual_information(*repeated, [row // 20 for row in range(160)])
    assert apart is not None and together is not None
    assert apart.bits == pytest.approx(together.bits)
    assert apart.p < 0.01 < 0.2 < together.p
    with pytest.raises(ValueError, match="two labels"):
        mutual_information(["a", "b"], ["x", "y"], ["item", "item"])


def test_a_line_through_points_is_that_of_scipy_and_its_interval_holds_the_truth() -> None:
    chance = np.random.default_rng(2)
    x = chance.uniform(10, 40, size=300)
    y = 0.02 * x + chance.normal(scale=0.1, size=300)
    found, theirs = fit_line(x, y), stats.linregress(x, y)
    assert found is not None and found.n == 300
    assert found.slope.value == pytest.approx(theirs.slope)
    assert found.r2.value == pytest.approx(theirs.rvalue**2)
    assert found.slope.low < 0.02 < found.slope.high
    half = 1.96 * theirs.stderr
    assert (found.slope.low, found.slope.high) == pytest.approx((theirs.slope - half, theirs.slope + half), abs=5e-4)
    assert found.r2.low < found.r2.value < found.r2.high


def test_points_on_a_line_leave_no_doubt() -> None:
    found = fit_line([1, 2, 4, 7, 9, 12], [3, 5, 9, 15, 19, 25])
    assert found is not None
    assert (found.slope.low, found.slope.value, found.slope.high) == pytest.approx((2, 2, 2))
    assert (found.r2.low, found.r2.high) == pytest.approx((1, 1))


def test_repeated_points_of_an_item_make_no_line_surer() -> None:
    chance = np.random.default_rng(3)
    x, noise = chance.uniform(10, 40, size=50), chance.normal(scale=0.3, size=50)
    once = fit_line(x, 0.02 * x + noise)
    often = fit_line(np.repeat(x, 8), np.repeat(0.02 * x + noise, 8), [row // 8 for row in range(400)])
    naive = fit_line(np.repeat(x, 8), np.repeat(0.02 * x + noise, 8))
    assert once is not None and often is not None and naive is not None
    width = often.slope.high - often.slope.low
    assert width == pytest.approx(once.slope.high - once.slope.low, rel=0.05)
    assert width > 2 * (naive.slope.high - naive.slope.low)


def test_no_line_goes_through_two_points_or_one_place() -> None:
    assert fit_line([1, 2], [1, 2]) is None
    assert fit_line([5, 5, 5, 5], [1, 2, 3, 4]) is None
    assert fit_line([1, 2, 3, 4], [1, 2, 3, 4], ["a", "a", "b", "b"]) is None
    assert fit_levels([[1, 2]] * 9, [[1, 2]] * 9) is None
    flat = fit_line([1, 2, 3, 4], [7, 7, 7, 7])
    assert flat is not None and (flat.slope.value, flat.r2.value, flat.r2.high) == (0.0, 0.0, 0.0)


def test_levels_are_fitted_by_their_means() -> None:
    chance = np.random.default_rng(4)
    x = np.array([10.0, 20.0, 30.0]) + chance.normal(scale=1.0, size=(200, 3))
    y = (chance.uniform(size=(200, 3)) < [0.2, 0.4, 0.9]).astype(float)
    found = fit_levels(x, y)
    theirs = stats.linregress(x.mean(axis=0), y.mean(axis=0))
    assert found is not None and (found.n, found.slope.n) == (3, 200)
    assert found.slope.value == pytest.approx(theirs.slope)
    assert found.r2.value == pytest.approx(theirs.rvalue**2)
    assert 0.025 < found.slope.low < theirs.slope < found.slope.high < 0.045


def test_levels_fall_only_beyond_chance() -> None:
    rising = np.zeros((50, 3))
    rising[:20, 1], rising[:40, 2] = 1, 1
    assert monotone(rising).holds and monotone(rising).fall == 0
    assert not monotone(rising[:, [0, 2, 1]]).holds
    assert monotone(rising[:, [0, 2, 1]]).fall == pytest.approx(0.4)
    slight = np.zeros((50, 2))
    slight[:3, 0], slight[2:4, 1] = 1, 1
    assert monotone(slight).holds and monotone(slight).fall == pytest.approx(0.02)
    # Each step down is within chance, and the whole way down is not.
    slow = np.zeros((100, 6))
    for level in range(6):
        slow[6 * level : 50 + level, level] = 1
    steps = [monotone(slow[:, [level, level + 1]]).fall for level in range(5)]
    assert steps == pytest.approx([0.05] * 5)
    assert monotone(slow[:, :2]).holds
    assert not monotone(slow).holds


def test_one_fall_among_several_steps_must_be_surer() -> None:
    levels = np.zeros((100, 3))
    levels[:13, 0], levels[13:17, 1], levels[:, 2] = 1, 1, 1  # 13 of 17 changes down: beyond chance for one step alone
    assert not monotone(levels[:, :2]).holds
    assert monotone(levels).holds


def test_verdicts_by_hand() -> None:
    kept = [True, True, True, False, False]
    sure = [0.9, 0.8, 0.6, 0.4, 0.1]
    good = [True, False, True, True, False]
    found = judge_verdicts(kept, sure, good)
    assert found is not None and found.precision and found.recall
    assert (found.n, found.good.value) == (5, 0.6)
    assert found.precision.value == pytest.approx(2 / 3) and found.recall.value == pytest.approx(2 / 3)
    assert found.auroc == pytest.approx(4 / 6)  # of the pairs of a good and a bad one
    assert found.calibration_error == pytest.approx((0.1 + 0.8 + 0.4 + 0.6 + 0.1) / 5, abs=1e-6)
    nothing = judge_verdicts([False, False], [0.2, 0.3], [False, False])
    assert nothing is not None and nothing.precision is None and nothing.recall is None and nothing.auroc is None
    assert judge_verdicts([], [], []) is None
