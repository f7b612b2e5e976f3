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

from .grid.arms import DIRECT, Arm, Study
from .grid.presets import joined
from .running.folder import header_in
from .running.results import Results
from .running.runner import run

DEVELOPMENT = "development"
"""Split on which variants are compared."""
HELD_OUT = "held-out"
"""Folder of the study of the best one; those of the variants are beside it, by their names."""


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
    if not study.items.of_world or study.items.split == DEVELOPMENT:
        hint = "Ask items of another split of the world, such as held-out."
        raise StudyError("Variants are compared on the development split of the world, never on what is shown.", hint)
    if any(arm.name == HELD_OUT for arm in variants):
        raise StudyError(f"No variant can be called {HELD_OUT!r}, as the folder of the final study is.", "Rename it.")
    studies = {}
    for arm in variants:
        direct = Arm(name=DIRECT, policy="none", seeds="first", prompt=arm.prompt, max_tokens=arm.max_tokens)
        items = study.items.model_copy(update={"split": DEVELOPMENT, "paraphrases": False})
        studies[arm.name] = joined(study, name=f"{study.name}, {arm.name}", arms=[direct, arm], items=items)
    finals = {arm.name: _final(study, arm, len(variants)) for arm in variants}  # refused now, not after the comparison
    found: dict[str, dict[str, float]] = {}
    for name, own in studies.items():

        def show(done: int, total: int, name: str = name) -> None:
            on_progress(name, done, total)

        results = run(own, folder / name, on_progress=show)
        if reason := results.header.skipped.get(name):
            raise StudyError(f"The variant {name!r} cannot be run: {reason}", "Leave it out, or use another model.")
        found[name] = results.scores(name)
    common = set.intersection(*(set(scores) for scores in found.values()))
    if not common:
        least = min(found, key=lambda name: len(found[name]))
        message = f"There is no item that all variants answered; {least!r} answered {len(found[least])}."
        raise StudyError(message, "Ask more items, or leave that variant out.")
    scores = {name: fmean(own[item] for item in common) for name, own in found.items()}
    best = max(scores, key=scores.__getitem__)
    _refuse_another(best, finals[best], folder / HELD_OUT)
    held_out = run(finals[best], folder / HELD_OUT, on_progress=lambda done, total: on_progress(HELD_OUT, done, total))
    return Selection(scores=scores, best=best, held_out=held_out)


def _final(study: Study, best: Arm, tried: int) -> Study:
    """The study with its arms beside the best variant, all with its reader prompt."""
    others = [arm.model_copy(update={"prompt": best.prompt, "max_tokens": best.max_tokens}) for arm in study.arms]
    return joined(study, arms=[*(arm for arm in others if arm.name != best.name), best], tried=tried)


def _refuse_another(best: str, final: Study, folder: Path) -> None:
    """A folder that showed the best of one selection does not grow into that of another.

    Raises:
        StudyError: It holds other arms.
    """
    found = header_in(folder)
    if found and {arm.name for arm in found.study.arms} != {arm.name for arm in final.arms}:
        hint = "Name a new folder; nothing was changed in this one."
        raise StudyError(f"{str(folder)!r} shows other arms than {best!r}, which is the best one now.", hint)
