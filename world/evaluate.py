"""How well a model imagines in the world: arms x items, through the same graph and engine as everything else.

Every arm answers the same items with the same reader prompt; they differ in who picks the edit. Arms that measure an
edit (`gold`, `random`, `wrong`) draw it once and use it unjudged; `self` and `score` run the whole loop.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from statistics import NormalDist, fmean, pstdev
from typing import Any

from g2u import prompts
from g2u.edits import NONE, EditLibrary
from g2u.engine import get_engine
from g2u.errors import UnknownNameError, WorldError
from g2u.menu import Menu
from g2u.pictures import get_store
from g2u.run import aask
from g2u.state import Context
from g2u.world.items import Item, spread
from g2u.world.seeds import SPLITS

AT_ONCE = 16
"""Items under way at the same time; the engine batches them."""

Settings = Callable[[Item], dict[str, Any]]


def _wrong(item: Item) -> dict[str, Any]:
    calls = Menu(library=EditLibrary.load(), options=item.options).calls
    others = sorted({call.edit for call in calls} - {NONE, *item.gold_edits})
    edit = random.Random(f"{item.split} {item.task} {item.fault} {item.seed}").choice(others)
    return {"policy": f"fixed:{edit}", "rounds": 1, "reflect": False}


ARMS: dict[str, Settings | None] = {
    "direct": None,
    "gold": lambda item: {"policy": "oracle", "rounds": 1, "reflect": False},
    "self": lambda item: {"policy": "self"},
    "score": lambda item: {"policy": "score"},
    "random": lambda item: {"policy": "random", "rounds": 1, "reflect": False, "seed": item.seed},
    "wrong": _wrong,
    "none": lambda item: {"policy": "none"},
}
"""Arm to its settings beside the common ones.

`direct` asks the engine without any graph, so that `none`, which asks through it, shows what the harness itself adds:
nothing. `wrong` draws an edit of the library that is not gold, picked by the item's seed.
"""


def evaluate(
    model: str = "mini",
    *,
    weights: str = "",
    split: str = "held-out",
    items: int = 200,
    arms: Sequence[str] = tuple(ARMS),
    steps: int = Context().steps,
    on_progress: Callable[[str, int, int], None] = lambda arm, done, total: None,
) -> dict[str, Any]:
    """Answer `items` items with each arm.

    Args:
        model: Key of a model.
        weights: Folder of its weights; empty for its own.
        split: Of the items.
        items: How many; tasks and faults in turn.
        arms: Keys of `ARMS`.
        steps: Sampler steps per drawing.
        on_progress: Called as `on_progress(arm, done, total)`.

    Returns:
        `{task: {fault: {arm: {accuracy, low, high, n}}}, "summary": {arm: {...}}}`; see `summarise` for the summary.

    Raises:
        UnknownNameError: No such arm, split or model.
        WorldError: Less than one item.
    """
    for arm in arms:
        if arm not in ARMS:
            raise UnknownNameError("arm", arm, ARMS)
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    if items < 1:
        raise WorldError(f"An evaluation needs at least one item, not {items}.")
    chosen = list(spread(items, split))
    with tempfile.TemporaryDirectory(prefix="g2u-") as folder:
        common = Context(model=model, weights=weights, steps=steps, pictures=folder)
        right = asyncio.run(_answer_all(common, chosen, arms, on_progress))
    report: dict[str, Any] = {}
    for task, fault in dict.fromkeys((item.task, item.fault) for item in chosen):
        rows = [n for n, item in enumerate(chosen) if (item.task, item.fault) == (task, fault)]
        cell = {arm: proportion([right[arm][n] for n in rows]) for arm in arms}
        report.setdefault(task, {})[fault] = cell
    report["summary"] = summarise(chosen, right)
    return report


async def _answer_all(
    common: Context, items: Sequence[Item], arms: Sequence[str], on_progress: Callable[[str, int, int], None]
) -> dict[str, list[bool]]:
    """Whether each arm answered each item right."""
    places = asyncio.Semaphore(AT_ONCE)
    right = {}
    for arm in arms:
        done = 0

        async def one(item: Item, settings: Settings | None, arm: str = arm) -> bool:
            nonlocal done
            async with places:
                said = await _answer(common, item, settings)
            done += 1
            on_progress(arm, done, len(items))
            return said == item.answer

        right[arm] = list(await asyncio.gather(*(one(item, ARMS[arm]) for item in items)))
    return right


async def _answer(common: Context, item: Item, settings: Settings | None) -> str:
    store = get_store(common.pictures)
    picture = store.add_image(item.picture)
    if settings is None:
        engine = get_engine(common.model, common.weights)
        model = await engine.ready()
        text = prompts.render(model.prompt_set, "answer", question=item.question, options=item.options)
        scores = await engine.score(store, [picture], text, item.options)
        return item.options[scores.index(max(scores))]
    context = Context(**(vars(common) | settings(item)))
    run = await aask(
        picture, item.question, options=item.options, gold_edits=item.gold_edits, context=context, out=None
    )
    return run.answer


def proportion(right: Sequence[bool]) -> dict[str, float]:
    """Accuracy and its 95 % interval (Wilson 1927): `accuracy`, `low`, `high`, `n`."""
    n, k, z = len(right), sum(right), NormalDist().inv_cdf(0.975)
    middle, spread_ = (k + z * z / 2) / (n + z * z), z * sqrt(k * (n - k) / n + z * z / 4) / (n + z * z)
    return {"accuracy": k / n, "low": max(0.0, middle - spread_), "high": min(1.0, middle + spread_), "n": n}


def summarise(items: Sequence[Item], right: Mapping[str, Sequence[bool]]) -> dict[str, dict[str, Any]]:
    """Each arm over all items, and against `direct` where that ran.

    Returns:
        Per arm its `proportion`; `gain`, accuracy minus direct's over the items that have an edit that helps, with the
        95 % interval of the paired difference (`gain_low`, `gain_high`); `share_of_gold`, its gain over that of `gold`;
        and `clean_cost`, direct's accuracy minus its own over the items that need nothing.
    """
    faulty = [n for n, item in enumerate(items) if item.gold_edits != ["none"]]
    clean = [n for n, item in enumerate(items) if item.gold_edits == ["none"]]
    summary: dict[str, dict[str, Any]] = {arm: proportion(answers) for arm, answers in right.items()}
    if "direct" not in right:
        return summary
    for arm, answers in right.items():
        if faulty:
            differences = [answers[n] - right["direct"][n] for n in faulty]
            gain = fmean(differences)
            margin = NormalDist().inv_cdf(0.975) * pstdev(differences) / sqrt(len(differences))
            summary[arm] |= {"gain": gain, "gain_low": max(-1.0, gain - margin), "gain_high": min(1.0, gain + margin)}
        if clean:
            summary[arm]["clean_cost"] = fmean(right["direct"][n] - answers[n] for n in clean)
    if faulty and summary.get("gold", {}).get("gain", 0) > 0:
        for arm in right:
            summary[arm]["share_of_gold"] = summary[arm]["gain"] / summary["gold"]["gain"]
    return summary
