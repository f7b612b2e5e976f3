"""What arms chose to imagine, and what came of it: reading lines for the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from g2u.edits.library import NONE
from g2u.loop.rounds import is_kept
from g2u.state import Decision, Round

from ..grid.arms import Arm
from ..grid.records import ItemRecord, Line
from ..running.results import Results

MEASURES: Mapping[str, str] = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "vif": "visual information fidelity",
    "followed": "followed, of 10",
    "kept": "kept, of 10",
}
"""Measures of fidelity, as in `Line.fidelity`."""
MODEL = "model"
"""Drawer of arms whose own model draws."""
WRITERS = ("own-words", "writer")
"""Policies that write an instruction instead of picking an edit."""
REFERENCES = ("random", "wrong", "oracle")
"""Policies that pick without looking: what choices are to be compared with."""
GAVE_UP = "made no call that can be made"
"""In the reason of a decision for `none` that is made when the last attempt cannot be parsed either."""


def choosing_arms(results: Results) -> list[Arm]:
    """Arms that pick an edit of the library for each item and draw it with the model, and references for them.

    References are the first arm of each of the policies that pick without looking.
    """
    drawing = [arm for arm in results.arms if arm.drawer == MODEL]
    firsts = [next((arm for arm in drawing if head(arm) == policy), None) for policy in REFERENCES]
    return [arm for arm in drawing if arm in firsts or (arm.chooses and head(arm) not in WRITERS)]


def gold_arm(results: Results) -> Arm | None:
    """The arm that draws the edits known to help: the first of them, where there are several."""
    return next((arm for arm in results.arms if head(arm) == "oracle" and arm.drawer == MODEL), None)


def head(arm: Arm) -> str:
    """The policy of an arm without what follows the colon."""
    return arm.policy.partition(":")[0]


def sweep(results: Results) -> dict[str, str]:
    """Edit to the arm `edit:NAME` that makes it on every item."""
    found: dict[str, str] = {}
    for arm in results.arms:
        if arm.name.startswith("edit:") and head(arm) == "fixed":
            found.setdefault(arm.policy.partition(":")[2].partition("(")[0], arm.name)
    return found


def first_decision(line: Line) -> Decision | None:
    """What was decided first; `None` where the line failed or the time was over before."""
    return line.rounds[0].decision if line.rounds and not line.error else None


def edits_made(line: Line) -> list[str]:
    """The edits of all rounds in order, without `none`."""
    return [turn.decision.edit for turn in line.rounds if turn.decision.edit != NONE]


def gave_up(decision: Decision) -> bool:
    """Whether no attempt of the model could be parsed."""
    return decision.edit == NONE and GAVE_UP in decision.reason


def shown_drawing(line: Line) -> Round | None:
    """The round of the last drawing that was kept; where none was, that of the last one drawn."""
    drawn = [turn for turn in line.rounds if turn.thought is not None]
    return next((turn for turn in reversed(drawn) if is_kept(turn)), drawn[-1] if drawn else None)


def next_gold(item: ItemRecord, rounds: Sequence[Round]) -> str | None:
    """The gold edit to make after some rounds: the first one of which no drawing was kept; `None` after the last."""
    made = {turn.decision.edit for turn in rounds if is_kept(turn)}
    return next((edit for edit in item.gold_edits or [] if edit not in made), None)


def group_names(results: Results) -> list[str]:
    """Groups that tell items apart: those with more than one value."""
    values: dict[str, set[str]] = {}
    for item in own_items(results):
        for name, value in item.groups.items():
            values.setdefault(name, set()).add(value)
    return [name for name, found in values.items() if len(found) > 1]


def items_of(results: Results, name: str) -> dict[str, set[str]]:
    """Value of a group to the ids of its items, values in the order of the items."""
    found: dict[str, set[str]] = {}
    for item in own_items(results):
        if name in item.groups:
            found.setdefault(item.groups[name], set()).add(item.id)
    return found


def own_items(results: Results) -> list[ItemRecord]:
    """Items that are no paraphrase of another."""
    return [item for item in results.items.values() if not item.paraphrase_of]


def twin(results: Results, arm: Arm, **changes: object) -> Arm | None:
    """The arm that differs from another in these settings alone, by whatever name; `None` where there is none."""
    changed = {"name", "about", "set", "seeds"}
    wanted = arm.model_dump(exclude=changed) | changes
    return next((other for other in results.arms if other.model_dump(exclude=changed) == wanted), None)
