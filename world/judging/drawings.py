"""How well a model draws: each edit of the library against its true result, by the number of sampler steps."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch

from g2u.edits.library import NONE, EditCall, EditLibrary
from g2u.engine.registry import get_engine
from g2u.errors import WorldError
from g2u.loop.admission import check_ranges
from g2u.loop.rounds import draw_seed
from g2u.models.protocol import Sampler
from g2u.pictures.store import get_store
from g2u.state import Context

from ..items.items import Item, case_name, from_image, gold_edits, in_turn, sample, to_world_size
from ..items.menus import call_of, menu_of
from ..seeds import check_split
from .fidelity import psnr
from .metrics import ssim, torchmetrics

BATCH = 32
"""Drawings under way at the same time."""

STEPS: tuple[int, ...] = (1, 2, 4, 8, 20)
"""Numbers of sampler steps that are compared."""


@dataclass(frozen=True)
class Job:
    """A picture and an edit of it that is to be drawn."""

    item: Item
    call: EditCall
    fits: bool
    """The edit is the next gold one; otherwise it is none of them and the picture should stay as it is."""


@dataclass(frozen=True)
class Drawn:
    """How near a drawing came to the true result."""

    edit: str
    fits: bool
    steps: int
    psnr: float
    """dB, at most 60."""
    ssim: float


def examine_drawings(
    model: str = "mini",
    *,
    weights: str = "",
    split: str = "held-out",
    items: int = 8,
    tasks: Sequence[str] = (),
    steps: Sequence[int] = STEPS,
    on_progress: Callable[[str, int, int], None] = lambda steps, done, total: None,
) -> dict[str, Any]:
    """Let a model draw every edit of pictures that it fits and of pictures that it does not fit.

    Args:
        model: Key of a model.
        weights: Folder of its weights; empty for its own.
        split: Of the pictures.
        items: Pictures per edit that it fits, and as many that it does not fit; tasks and cases in turn.
        tasks: Keys of `TASKS`; empty for all. Edits that fit none of their pictures are left out.
        steps: Numbers of sampler steps to compare.
        on_progress: Called as `on_progress("4 steps", done, total)`.

    Returns:
        What `report` says.

    Raises:
        UnknownNameError: No such split, task or model.
        WorldError: Less than one picture, or no number of steps.
        BudgetError: A number of steps that no drawing takes.
        CapabilityError: The model does not edit pictures.
        MissingExtraError: The extra `study` is not installed.
    """
    torchmetrics()  # refuses before anything is drawn
    if not steps:
        raise WorldError("Drawings need at least one number of steps, such as 2.")
    for number in steps:
        check_ranges(Context(steps=number))
    jobs = make_jobs(items, split, tasks)
    with tempfile.TemporaryDirectory(prefix="g2u-") as folder:
        common = Context(model=model, weights=weights, store=folder)
        return report(asyncio.run(_draw_all(common, jobs, sorted(set(steps)), on_progress)))


def make_jobs(items: int, split: str = "held-out", tasks: Sequence[str] = ()) -> list[Job]:
    """`items` pictures that each edit fits as the next one, and as many that it does not fit.

    Of the latter those are left out whose question has every call of the edit give an option away.

    Raises:
        UnknownNameError: No such split or task.
        WorldError: Less than one picture.
    """
    check_split(split)
    if items < 1:
        raise WorldError(f"Drawings need at least one picture per edit, not {items}.")
    cells, jobs = in_turn(tasks), []
    for number, edit in enumerate(edit.name for edit in EditLibrary.load() if edit.name != NONE):
        fitting = [cell for cell in cells if gold_edits(cell[1])[0] == edit]
        others = [cell for cell in cells if edit not in gold_edits(cell[1])]
        for turn in range(items if fitting else 0):
            places = (fitting[turn % len(fitting)], others[(turn + number * items) % len(others)])
            for fits, (task, case) in zip((True, False), places, strict=True):
                item = sample(task, 2 * turn + (not fits), split, case_name(case))
                if fits or any(call.edit == edit for call in menu_of(item).calls):
                    jobs.append(Job(item, call_of(item, edit), fits))
    return jobs


def report(drawings: Sequence[Drawn]) -> dict[str, Any]:
    """Means over the pictures.

    Returns:
        `edits`, a row for each edit, and `overall`, one for all drawings. A row has `n`, pictures that the edit fits;
        `steps`, for each number of steps `psnr` and `ssim` against the true result and `unfit_psnr` on pictures that
        the edit does not fit, `None` where there are none; and `one_step_gap`, by how many dB the best number of steps
        is better than one, `None` where one step was not among them.
    """
    edits = dict.fromkeys(drawing.edit for drawing in drawings)
    return {
        "edits": {edit: _row([drawing for drawing in drawings if drawing.edit == edit]) for edit in edits},
        "overall": _row(drawings),
    }


def _row(drawings: Sequence[Drawn]) -> dict[str, Any]:
    steps: dict[str, dict[str, float | None]] = {}
    near: dict[int, float] = {}
    n = 0
    for number in dict.fromkeys(drawing.steps for drawing in drawings):
        fit = [drawing for drawing in drawings if drawing.steps == number and drawing.fits]
        unfit = [drawing.psnr for drawing in drawings if drawing.steps == number and not drawing.fits]
        n, near[number] = len(fit), fmean(drawing.psnr for drawing in fit)
        steps[str(number)] = {
            "psnr": near[number],
            "ssim": fmean(drawing.ssim for drawing in fit),
            "unfit_psnr": fmean(unfit) if unfit else None,
        }
    return {"n": n, "steps": steps, "one_step_gap": max(near.values()) - near[1] if 1 in near else None}


async def _draw_all(
    common: Context, jobs: Sequence[Job], steps: Sequence[int], on_progress: Callable[[str, int, int], None]
) -> list[Drawn]:
    engine, store, library = get_engine(common.model, common.weights), get_store(common.store), EditLibrary.load()
    drawings = []
    for number in steps:
        for start in range(0, len(jobs), BATCH):
            batch = jobs[start : start + BATCH]
            pictures = await asyncio.gather(
                *(
                    engine.draw(
                        store,
                        [store.add_image(job.item.picture)],
                        library.instruction(job.call, job.item.question),
                        Sampler(steps=number),
                        draw_seed(job.item.seed, 1),
                    )
                    for job in batch
                )
            )
            own = torch.stack([from_image(to_world_size(picture)) for picture in pictures])
            truth = torch.stack([from_image(job.item.truth(job.call)) for job in batch])
            near = zip(batch, psnr(own, truth).tolist(), ssim(own, truth).tolist(), strict=True)
            drawings += [Drawn(job.call.edit, job.fits, number, decibels, alike) for job, decibels, alike in near]
            on_progress(f"{number} step{'s' * (number > 1)}", start + len(batch), len(jobs))
    return drawings
