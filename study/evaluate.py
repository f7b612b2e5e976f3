"""`g2u world eval`: a study of the world, summed up by what the world knows of its items.

What a new style or a new wording costs is the difference of two evaluations of the same arms and number of items:
`g2u world eval --split held-out` and `g2u world eval --split held-out-style` (or `held-out-wording`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from g2u.errors import StudyError, UnknownNameError
from g2u.loop.admission import check_ranges
from g2u.state import Context
from g2u.world.items.tasks import check_task
from g2u.world.seeds import check_split

from . import summaries
from .grid.arms import DIRECT, Arm, Items, Study
from .grid.items import world_item
from .grid.presets import arms_of
from .running.runner import run_briefly

CLEAN = "clean"
"""The arm that shows the picture with nothing in its way; what is lost by conditions is measured against it, and it
runs beside `direct` whether or not it is asked for."""
ONE_ROUND: dict[str, str] = {"gold": "gold-1", "self": "self-1"}
"""Arms that run again with one round, so that the gain of the second round on pictures with two conditions is known."""


def known_arms() -> dict[str, Arm]:
    """The arms that can be asked for, by name; their twins with one round come by themselves."""
    return {arm.name: arm for arm in arms_of(["world"]) if arm.name not in ONE_ROUND.values()}


def evaluate(
    model: str = "mini",
    *,
    weights: str = "",
    split: str = "held-out",
    items: int = 200,
    tasks: Sequence[str] = (),
    arms: Sequence[str] = (),
    steps: int | None = None,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> dict[str, Any]:
    """Answer `items` items with each arm.

    Args:
        model: Key of a model.
        weights: Folder of its weights; empty for its own.
        split: Of the items.
        items: How many; tasks and cases in turn.
        tasks: Keys of `TASKS`; empty for all.
        arms: Names of `known_arms()`; empty for all.
        steps: Sampler steps per drawing; `None`: as many as the model takes by itself.
        on_progress: Called as `on_progress("answers", done, total)`.

    Returns:
        `tasks`, `plain`, `faults`, `two_faults`, `structure`, `summary`, `seen` and `unseen`; each is what the function
        of `summaries` of that name (`by_case`, `summarise` and `seen_and_unseen` the others) says. `failures`: how many
        answers failed; they count as wrong.

    Raises:
        UnknownNameError: No such arm, split, task or model.
        StudyError: Less than one item.
        BudgetError: A number of steps that no drawing takes.
        MissingExtraError: The extra `study` is not installed.
    """
    check_split(split)
    for task in tasks:
        check_task(task)
    if items < 1:
        raise StudyError(f"An evaluation needs at least one item, not {items}.")
    check_ranges(Context(steps=steps))
    found = run_briefly(
        Study(
            name="world",
            model=model,
            weights=weights,
            arms=_chosen(arms),
            items=Items(split=split, count=items, tasks=list(tasks)),
            steps=steps,
        ),
        lambda done, total: on_progress("answers", done, total),
    )
    asked = [world_item(name) for name in found.items]
    right = {arm.name: [line.right for line in found.by_arm[arm.name]] for arm in found.arms}
    one_round = {
        arm: [good for good, item in zip(right.pop(twin), asked, strict=True) if len(item.case) == 2]
        for arm, twin in ONE_ROUND.items()
        if twin in right
    }
    return {
        "tasks": summaries.by_case(asked, right),
        "plain": summaries.plain(asked, right),
        "faults": summaries.faults(asked, right),
        "two_faults": summaries.two_faults(asked, right, one_round),
        "structure": summaries.structure(asked, right),
        "summary": summaries.summarise(asked, right),
        **summaries.seen_and_unseen(asked, right),
        "failures": sum(bool(line.error) for line in found.lines),
    }


def _chosen(names: Sequence[str]) -> list[Arm]:
    known = known_arms()
    for name in names:
        if name not in known:
            raise UnknownNameError("arm", name, known)
    wanted = set(names or known)
    if DIRECT in wanted:
        wanted.add(CLEAN)
    wanted |= {twin for arm, twin in ONE_ROUND.items() if arm in wanted}
    return [arm for arm in arms_of(["world"]) if arm.name in wanted]
