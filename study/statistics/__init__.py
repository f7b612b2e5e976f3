"""The statistics of a study: plain numbers in, small frozen records out; nothing here knows of arms or tables.

The unit of chance is the item. Answers of several seeds to one item, or several thoughts about it, are one *cluster*:
they are resampled and permuted together, since they tell less than as many items would (Miller 2024, "Adding error bars
to evals"). Everything random takes a seed, so that a report reads the same each time.
"""

from .estimates import RESAMPLES, Estimate, mean, proportion
from .fits import Fit, Monotone, fit_levels, fit_line, monotone
from .information import MutualInformation, effective_number, entropy, mutual_information
from .judgement import Judgement, judge_verdicts
from .paired import ALPHA, Difference, detectable, exact_test, holm, paired_difference, share_of_gain

__all__ = [
    "ALPHA",
    "RESAMPLES",
    "Difference",
    "Estimate",
    "Fit",
    "Judgement",
    "Monotone",
    "MutualInformation",
    "detectable",
    "effective_number",
    "entropy",
    "exact_test",
    "fit_levels",
    "fit_line",
    "holm",
    "judge_verdicts",
    "mean",
    "monotone",
    "mutual_information",
    "paired_difference",
    "proportion",
    "share_of_gain",
]
