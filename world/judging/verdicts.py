"""How well a model judges visual thoughts: good ones and bad ones of every kind, through the prompt of `reflect`.

A thought is *good* when it helps, being of the next gold edit of its picture, and is faithful, being near the true
result of that edit. A good one should be kept, any other drawn anew; where a picture needs nothing, thoughts are to be
discarded.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from PIL import Image

from g2u.edits.library import NONE, EditCall, EditLibrary
from g2u.engine.registry import get_engine
from g2u.errors import WorldError
from g2u.loop.admission import check_ranges
from g2u.loop.rounds import draw_seed
from g2u.loop.verdicts import ACTIONS, judge
from g2u.models.protocol import Sampler
from g2u.pictures.store import get_store
from g2u.state import Action, Context

from ..items.items import Item, case_name, from_image, in_turn, sample, to_image, to_world_size
from ..items.menus import call_of, misfits
from ..seeds import absolute_seed, check_split
from .fidelity import faithful
from .metrics import auroc, calibration_error, reliability, torchmetrics
from .thoughts import corrupted

BATCH = 32
"""Thoughts that are drawn or judged at the same time."""

KINDS: dict[str, str] = {
    "true": "the true result of the next gold edit",
    "drawn": "the model's own drawing of it",
    "misfit": "the model's own drawing of an edit that is none of the gold ones",
    "corrupted": "the true result, mixed with another picture, with a quarter from another, or coarse",
    "foreign": "the true result of the same edit, of another picture of the task",
    "needless": "the model's own drawing of an edit, of a picture that needs nothing",
}
"""Kinds of thought, each as often as the others."""

_OWN = ("drawn", "misfit", "needless")


@dataclass(frozen=True)
class Thought:
    """One visual thought to be judged."""

    kind: str
    """Key of `KINDS`."""
    item: Item
    call: EditCall
    picture: Image.Image | None
    """`None` until the model has drawn it."""


@dataclass(frozen=True)
class Judged:
    """What became of a thought."""

    kind: str
    good: bool
    """It helps and is faithful."""
    right: Action
    """What should become of it."""
    probabilities: dict[Action, float]

    @property
    def action(self) -> Action:
        """What the model would do."""
        return max(ACTIONS, key=self.probabilities.__getitem__)


def examine_verdicts(
    model: str = "mini",
    *,
    weights: str = "",
    split: str = "held-out",
    items: int = 300,
    tasks: Sequence[str] = (),
    steps: int | None = None,
    on_progress: Callable[[str, int, int], None] = lambda kind, done, total: None,
) -> dict[str, Any]:
    """Let a model judge one thought about each of `items` pictures.

    Args:
        model: Key of a model.
        weights: Folder of its weights; empty for its own.
        split: Of the pictures.
        items: How many; kinds of thought, tasks and cases in turn.
        tasks: Keys of `TASKS`; empty for all.
        steps: Sampler steps per drawing; `None`: as many as the model takes by itself.
        on_progress: Called as `on_progress("reflect", done, total)`.

    Returns:
        What `report` says.

    Raises:
        UnknownNameError: No such split, task or model.
        WorldError: Less than one picture.
        BudgetError: A number of steps that no drawing takes.
        MissingExtraError: The extra `study` is not installed.
    """
    torchmetrics()  # refuses before anything is drawn
    thoughts = make_thoughts(items, split, tasks)
    check_ranges(Context(steps=steps))
    with tempfile.TemporaryDirectory(prefix="g2u-") as folder:
        common = Context(model=model, weights=weights, steps=steps, store=folder)
        return report(asyncio.run(_judge_all(common, thoughts, on_progress)))


def make_thoughts(items: int, split: str = "held-out", tasks: Sequence[str] = ()) -> list[Thought]:
    """One thought about each of `items` pictures; those that the model draws itself are still without a picture.

    Raises:
        UnknownNameError: No such split or task.
        WorldError: Less than one picture.
    """
    check_split(split)
    if items < 1:
        raise WorldError(f"An evaluation needs at least one picture, not {items}.")
    cells = in_turn(tasks)
    plain, faulty = [cell for cell in cells if not cell[1]], [cell for cell in cells if cell[1]]
    about_faulty = list(KINDS)[:-1]
    thoughts = []
    for seed in range(items):
        before, place = divmod(seed, len(KINDS))
        number = seed - before
        lap, cell = divmod(number, len(faulty))
        kind, (task, case) = about_faulty[(cell + lap) % len(about_faulty)], faulty[cell]
        if place == len(KINDS) - 1:
            kind, (task, case) = "needless", plain[before % len(plain)]
        item = sample(task, seed, split, case_name(case))
        other = sample(task, seed + items, split, case_name(case))
        thoughts.append(_thought(kind, item, other))
    return thoughts


def is_good(item: Item, call: EditCall, picture: Image.Image) -> bool:
    """Whether a thought helps and is faithful."""
    fits = call.edit == item.gold_edits[0] != NONE
    own, truth = from_image(to_world_size(picture)), from_image(item.truth(call))
    return fits and bool(faithful(own[None], truth[None]))


def right_action(item: Item, good: bool) -> Action:
    """What should become of a thought."""
    return "keep" if good else "retry" if item.case else "discard"


def report(judged: Sequence[Judged]) -> dict[str, Any]:
    """What the verdicts are worth.

    Returns:
        `n`; `kinds`, for each kind of thought `n`, share of `good` ones, mean `confidence` (the probability of keep)
        and `accuracy` of the likeliest action; `accuracy` of all; `auroc` of the probability of keep, `None` where all
        thoughts are good or none is; `calibration_error` and the `reliability` table behind it.
    """
    kinds = {}
    for kind in KINDS:
        rows = [one for one in judged if one.kind == kind]
        if rows:
            kinds[kind] = {
                "n": len(rows),
                "good": fmean(one.good for one in rows),
                "confidence": fmean(one.probabilities["keep"] for one in rows),
                "accuracy": fmean(one.action == one.right for one in rows),
            }
    confidence, good = [one.probabilities["keep"] for one in judged], [one.good for one in judged]
    return {
        "n": len(judged),
        "kinds": kinds,
        "accuracy": fmean(one.action == one.right for one in judged),
        "auroc": auroc(confidence, good),
        "calibration_error": calibration_error(confidence, good),
        "reliability": reliability(confidence, good),
    }


def _thought(kind: str, item: Item, other: Item) -> Thought:
    fits = kind not in ("misfit", "needless")
    chance = random.Random(f"{item.split} {item.task} {item.fault} {item.seed}")
    call = call_of(item, item.gold_edits[0] if fits else chance.choice(misfits(item)))
    if kind in _OWN:
        return Thought(kind, item, call, None)
    picture, elsewhere = item.truth(call), other.truth(call)
    if kind == "corrupted":
        number = torch.tensor([absolute_seed(item.split, item.seed)])
        picture = to_image(corrupted(from_image(picture)[None], from_image(elsewhere)[None], number)[0])
    return Thought(kind, item, call, elsewhere if kind == "foreign" else picture)


async def _judge_all(
    common: Context, thoughts: Sequence[Thought], on_progress: Callable[[str, int, int], None]
) -> list[Judged]:
    engine, store, library = get_engine(common.model, common.weights), get_store(common.store), EditLibrary.load()
    places, done = asyncio.Semaphore(BATCH), 0

    async def one(thought: Thought) -> Judged:
        nonlocal done
        item, call, picture = thought.item, thought.call, thought.picture
        async with places:
            source = store.add_image(item.picture)
            if picture is None:
                instruction, seed = library.instruction(call, item.question), draw_seed(item.seed, 1)
                picture = await engine.draw(store, [source], instruction, Sampler(steps=common.steps), seed)
            sure = await judge(engine, store, source, store.add_image(picture), item.question, call)
        good = is_good(item, call, picture)
        done += 1
        on_progress("reflect", done, len(thoughts))
        return Judged(thought.kind, good, right_action(item, good), sure)

    return list(await asyncio.gather(*map(one, thoughts)))
