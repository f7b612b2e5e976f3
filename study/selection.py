"""Picking the best of several arms, such as wordings of a prompt, where it can be done honestly: on other items.

Variants are compared on the development split alone, and only the best one meets the held-out items. The study of the
held-out items says how many were tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from g2u.errors import StudyError
from g2u.study.arms import DIRECT, Arm, Study
from g2u.study.results import Results
from g2u.study.runner import run

DEVELOPMENT = "development"
"""Split on which variants are compared."""


@dataclass(frozen=True)
class Selection:
    """What came of a comparison of variants."""

    scores: dict[str, float]
    """Share of right answers of each variant on the development items; a failure counts as wrong."""
    best: str
    """Name of the best variant; the first of those that are as good."""
    held_out: Results
    """Of the best one on the items of the study."""


def select(
    study: Study,
    variants: Sequence[Arm],
    folder: Path,
    *,
    on_progress: Callable[[str, int, int], None] = lambda part, done, total: None,
) -> Selection:
    """Compare variants on the development split, then run the study with the best of them.

    Args:
        study: What the best one is to be shown on; its own arms, such as `direct`, run beside it.
        variants: The arms to pick from; they may differ in whatever arms can differ in, reader prompt included, as
            each is compared with its own direct answers.
        folder: New, or of the same selection; a folder for each variant and `held-out` are made in it.
        on_progress: Called as `on_progress(part, done, total)`.

    Raises:
        StudyError: The study asks the development items themselves, items of a file, or there are not two variants.
    """
    if len({arm.name for arm in variants}) < 2:
        raise StudyError("A selection needs at least two variants of different names.")
    if study.items.source != "world" or study.items.split == DEVELOPMENT:
        hint = "Ask items of another split of the world, such as held-out."
        raise StudyError("Variants are compared on the development split of the world, never on what is shown.", hint)
    scores: dict[str, float] = {}
    for arm in variants:
        direct = Arm(name=DIRECT, policy="none", seeds="first", prompt=arm.prompt, max_tokens=arm.max_tokens)
        own = study.model_copy(
            update={
                "name": f"{study.name}, {arm.name}",
                "arms": [direct, arm],
                "items": study.items.model_copy(update={"split": DEVELOPMENT, "paraphrases": False}),
            }
        )

        def show(done: int, total: int, name: str = arm.name) -> None:
            on_progress(name, done, total)

        found = run(own, folder / arm.name, on_progress=show)
        scores[arm.name] = fmean(line.right for line in found.by_arm[arm.name])
    best = max(variants, key=lambda arm: scores[arm.name])
    others = [arm.model_copy(update={"prompt": best.prompt, "max_tokens": best.max_tokens}) for arm in study.arms]
    final = study.model_copy(
        update={"arms": [*(arm for arm in others if arm.name != best.name), best], "tried": len(variants)}
    )
    held_out = run(final, folder / "held-out", on_progress=lambda done, total: on_progress("held-out", done, total))
    return Selection(scores=scores, best=best.name, held_out=held_out)
