"""How well a model imagines in the world: arms x items, through the same graph and engine as everything else.

Every arm answers the same items with the same reader prompt; they differ in who picks the edit. Arms that measure an
edit (`gold`, `random`, `wrong`) draw it once and use it unjudged; `self`, `score` and `self-naive` run the whole loop.

What a new style or a new wording costs is the difference of two evaluations of the same arms and number of items:
`g2u world eval --split held-out` and `g2u world eval --split held-out-style` (or `held-out-wording`).
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from g2u import prompts
from g2u.admission import check_ranges
from g2u.edits import NONE, EditCall, EditLibrary
from g2u.engine import get_engine
from g2u.errors import UnknownNameError, WorldError
from g2u.menu import Menu
from g2u.pictures import get_store
from g2u.run import aask
from g2u.state import Context
from g2u.world import summaries
from g2u.world.items import Item, spread
from g2u.world.seeds import check_split

AT_ONCE = 16
"""Items under way at the same time; the engine batches them."""

Settings = Callable[[Item], dict[str, Any]]
Progress = Callable[[str, int, int], None]
"""Called as `on_progress(arm, done, total)`."""


def menu_of(item: Item) -> Menu:
    """The calls that the question of an item allows."""
    return Menu(library=EditLibrary.load(), options=item.options)


def misfits(item: Item) -> list[str]:
    """Edits of the menu that are none of the gold edits of an item, by name; `none` is not among them."""
    return sorted({call.edit for call in menu_of(item).calls} - {NONE, *item.gold_edits})


def call_of(item: Item, edit: str) -> EditCall:
    """The call of an edit that the question of an item allows."""
    menu = menu_of(item)
    return menu.settle(menu.library.call(edit))[0]


def _wrong(item: Item) -> dict[str, Any]:
    edit = random.Random(f"{item.split} {item.task} {item.fault} {item.seed}").choice(misfits(item))
    return {"policy": f"fixed:{edit}", "rounds": 1, "reflect": False}


ARMS: dict[str, Settings | None] = {
    "direct": None,
    "gold": lambda item: {"policy": "oracle", "rounds": len(item.gold_edits), "reflect": False},
    "self": lambda item: {"policy": "self", "rounds": 2},
    "score": lambda item: {"policy": "score", "rounds": 2},
    "self-naive": lambda item: {"policy": "self-naive", "rounds": 2},
    "random": lambda item: {"policy": "random", "rounds": 1, "reflect": False, "seed": item.seed},
    "wrong": _wrong,
    "none": lambda item: {"policy": "none"},
    "clean": None,
}
"""Arm to its settings beside the common ones; those without settings ask the engine without any graph.

`direct` is shown the picture, so that `none`, which asks through the graph, shows what the harness itself adds:
nothing. `clean` is shown the picture with nothing in its way; what is lost by conditions is measured against it, and it
runs beside `direct` whether or not it is asked for. `wrong` draws an edit of the menu that is not gold, picked by the
item's seed.
"""

SHORTENED: tuple[str, ...] = ("gold", "self")
"""Arms that also run with one round on pictures with two conditions, so that the gain of the second round is known."""


@dataclass(frozen=True)
class _Job:
    """One answer to be had."""

    arm: str
    number: int
    """Of the item."""
    settings: dict[str, Any] | None
    clean: bool = False
    """Show the picture with nothing in its way."""
    shortened: bool = False
    """One round only."""


def evaluate(
    model: str = "mini",
    *,
    weights: str = "",
    split: str = "held-out",
    items: int = 200,
    tasks: Sequence[str] = (),
    arms: Sequence[str] = tuple(ARMS),
    steps: int | None = None,
    on_progress: Progress = lambda arm, done, total: None,
) -> dict[str, Any]:
    """Answer `items` items with each arm.

    Args:
        model: Key of a model.
        weights: Folder of its weights; empty for its own.
        split: Of the items.
        items: How many; tasks and cases in turn.
        tasks: Keys of `TASKS`; empty for all.
        arms: Keys of `ARMS`.
        steps: Sampler steps per drawing; `None`: as many as the model takes by itself.
        on_progress: Called as `on_progress(arm, done, total)`; an arm's answers on clean pictures or with one round
            are counted with it.

    Returns:
        `tasks`, `plain`, `faults`, `two_faults`, `structure`, `summary`, `seen` and `unseen`; each is what the function
        of `summaries` of that name (`by_case`, `summarise` and `seen_and_unseen` the others) says.

    Raises:
        UnknownNameError: No such arm, split, task or model.
        WorldError: Less than one item, or no arm.
        BudgetError: A number of steps that no drawing takes.
    """
    for arm in arms:
        if arm not in ARMS:
            raise UnknownNameError("arm", arm, ARMS)
    if not arms:
        raise WorldError(f"An evaluation needs at least one arm of: {', '.join(ARMS)}.")
    chosen = choose_items(items, split, tasks)
    check_ranges(Context(steps=steps))
    with tempfile.TemporaryDirectory(prefix="g2u-") as folder:
        common = Context(model=model, weights=weights, steps=steps, pictures=folder)
        right, one_round = asyncio.run(_answer_all(common, chosen, [arm for arm in ARMS if arm in arms], on_progress))
    return {
        "tasks": summaries.by_case(chosen, right),
        "plain": summaries.plain(chosen, right),
        "faults": summaries.faults(chosen, right),
        "two_faults": summaries.two_faults(chosen, right, one_round),
        "structure": summaries.structure(chosen, right),
        "summary": summaries.summarise(chosen, right),
        **summaries.seen_and_unseen(chosen, right),
    }


def choose_items(items: int, split: str, tasks: Sequence[str]) -> list[Item]:
    """Items to be examined on.

    Raises:
        UnknownNameError: No such split or task.
        WorldError: Less than one item.
    """
    check_split(split)
    if items < 1:
        raise WorldError(f"An evaluation needs at least one item, not {items}.")
    return list(spread(items, split, tasks=tasks))


def _jobs(items: Sequence[Item], arm: str) -> list[_Job]:
    """All answers that an arm is asked for, and those that are had beside it."""
    settings = ARMS[arm]
    jobs = [_Job(arm, n, settings(item) if settings else None, arm == "clean") for n, item in enumerate(items)]
    if arm == "direct":
        jobs += _jobs(items, "clean")
    if settings and arm in SHORTENED:
        two = [(n, item) for n, item in enumerate(items) if len(item.case) == 2]
        jobs += [_Job(arm, n, settings(item) | {"rounds": 1}, shortened=True) for n, item in two]
    return jobs


async def _answer_all(
    common: Context, items: Sequence[Item], arms: Sequence[str], on_progress: Progress
) -> tuple[dict[str, list[bool]], dict[str, list[bool]]]:
    """Whether each arm answered each item right; and with one round, the items with two conditions alone."""
    places = asyncio.Semaphore(AT_ONCE)
    right: dict[str, list[bool]] = {}
    one_round: dict[str, list[bool]] = {}
    for arm in arms:
        if arm in right:
            continue  # `clean`, had beside `direct`
        jobs, done = _jobs(items, arm), 0

        async def one(job: _Job, total: int = len(jobs), arm: str = arm) -> bool:
            nonlocal done
            async with places:
                said = await _answer(common, items[job.number], job)
            done += 1
            on_progress(arm, done, total)
            return said == items[job.number].answer

        for job, good in zip(jobs, await asyncio.gather(*map(one, jobs)), strict=True):
            (one_round if job.shortened else right).setdefault(job.arm, []).append(good)
    return {arm: right[arm] for arm in ARMS if arm in right}, one_round


async def _answer(common: Context, item: Item, job: _Job) -> str:
    store = get_store(common.pictures)
    if job.settings is None:
        shown = item.truth(*(call_of(item, edit) for edit in item.gold_edits)) if job.clean else item.picture
        engine = get_engine(common.model, common.weights)
        model = await engine.ready()
        text = prompts.render(model.prompt_set, "answer", question=item.question, options=item.options)
        scores = await engine.score(store, [store.add_image(shown)], text, item.options)
        return item.options[scores.index(max(scores))]
    run = await aask(
        store.add_image(item.picture),
        item.question,
        options=item.options,
        gold_edits=item.gold_edits,
        context=Context(**(vars(common) | job.settings)),
        out=None,
    )
    return run.answer
