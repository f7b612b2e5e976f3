"""Items: a picture, a question about it, and everything that is true of both.

Two layers. `sample_batch` makes many items of one task as tensors, on any device; training lives on it. `sample` makes
one `Item` in words and PIL pictures; people and evaluations live on that. Both are pure functions of seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from g2u.edits import EditCall, EditLibrary
from g2u.errors import UnknownNameError, WorldError
from g2u.world.faults import FAULTS, apply_faults
from g2u.world.mazes import TRACES, render_mazes, sample_mazes
from g2u.world.questions import Questions, ask_mazes, ask_scenes
from g2u.world.scenes import render_scenes, sample_scenes
from g2u.world.seeds import absolute_seed, integers

TASKS: dict[str, tuple[str, ...]] = {
    "scene": ("none", "blur", "noise", "dark", "pixelated"),
    "maze": ("none",),
    "rotated": ("none",),
}
"""Task to the faults it can have."""

CELLS: tuple[tuple[str, str], ...] = tuple((task, fault) for task, faults in TASKS.items() for fault in faults)
"""Every pair of task and fault."""

FITTING: dict[tuple[str, str], str] = {
    ("scene", "blur"): "deblur",
    ("scene", "noise"): "denoise",
    ("scene", "dark"): "expose",
    ("scene", "pixelated"): "sharpen",
    ("rotated", "none"): "upright",
    ("maze", "none"): "trace_path",
}
"""The edit that helps; every other edit leaves the picture of that task and fault as it is."""

_TASK_STREAM = {task: index for index, task in enumerate(TASKS)}


@dataclass(frozen=True)
class Batch:
    """Items of one task."""

    seen: Tensor
    """`[batch, 3, 128, 128]`, uint8: the pictures as given."""
    fixed: Tensor
    """Same shape: the result of the fitting edit (a traced way is red); equals `seen` where none fits."""
    questions: Questions
    """Tensors of `[batch, questions]`."""
    traced: Tensor | None = None
    """Mazes only: `[batch, 3, 3, 128, 128]`, the way drawn in each colour of `TRACES`."""


@dataclass(frozen=True)
class Item:
    """One picture with one question."""

    task: str
    fault: str
    split: str
    seed: int
    """Within the split."""
    picture: Image.Image
    question: str
    options: list[str]
    answer: str
    gold_edits: list[str]
    """Names of the edits that help, best first; `["none"]` when nothing needs to be imagined."""
    truths: dict[str, Image.Image]
    """True result of every call of the edit library, `none` among them, by `EditCall.text`."""


def sample_batch(task: str, fault: Sequence[int], seeds: Tensor, questions: int = 1) -> Batch:
    """Make the items of some seeds.

    Args:
        task: Key of `TASKS`.
        fault: Index into `FAULTS` for each item; only scenes have faults.
        seeds: `[batch]`, int64, absolute (see `absolute_seed`).
        questions: Questions per picture.
    """
    own = seeds * len(TASKS) + _TASK_STREAM[task]
    if task == "maze":
        mazes = sample_mazes(own)
        colours = torch.arange(len(TRACES), device=seeds.device)
        traced = torch.stack([_to_bytes(render_mazes(mazes, c.expand(len(own)))) for c in colours], dim=1)
        return Batch(_to_bytes(render_mazes(mazes)), traced[:, 0], ask_mazes(mazes, own, questions), traced)
    scenes = sample_scenes(own)
    clean = render_scenes(scenes)
    if task == "rotated":
        kinds: tuple[str, ...] = ("beside",)
        turns = 1 + integers(own, 41, 1, 3)[:, 0]
        seen = clean
        for turn in (1, 2, 3):
            seen = torch.where((turns == turn)[:, None, None, None], torch.rot90(clean, turn, (2, 3)), seen)
    else:
        kinds = ("colour", "shape", "beside")
        seen = apply_faults(clean, fault, own)
    return Batch(_to_bytes(seen), _to_bytes(clean), ask_scenes(scenes, own, questions, kinds))


def sample(task: str, seed: int, split: str = "held-out", fault: str | None = None) -> Item:
    """Make one item.

    Args:
        task: Key of `TASKS`.
        seed: Within the split, from 0.
        split: `train`, `development` or `held-out`.
        fault: One that the task has; `None` takes them in turn by seed.

    Raises:
        UnknownNameError: No such task, split or fault.
        WorldError: The task does not have that fault, or the split has no such seed.
    """
    if task not in TASKS:
        raise UnknownNameError("task", task, TASKS)
    if fault is None:
        fault = TASKS[task][seed % len(TASKS[task])]
    if fault not in FAULTS:
        raise UnknownNameError("fault", fault, FAULTS)
    if fault not in TASKS[task]:
        raise WorldError(
            f"Pictures of the task {task!r} do not have the fault {fault!r}, only: {', '.join(TASKS[task])}."
        )
    number = torch.tensor([absolute_seed(split, seed)])
    batch = sample_batch(task, [list(FAULTS).index(fault)], number)
    seen, question = _to_image(batch.seen[0]), batch.questions[0, 0]
    fitting = FITTING.get((task, fault), "none")
    options = question.option_words()
    return Item(
        task=task,
        fault=fault,
        split=split,
        seed=seed,
        picture=seen,
        question=question.text(),
        options=options,
        answer=options[int(question.answer)],
        gold_edits=[fitting],
        truths={
            call.text: _truth(batch, call) if call.edit == fitting else seen for call in EditLibrary.load().calls()
        },
    )


def spread(items: int, split: str = "held-out", first: int = 0) -> Iterator[Item]:
    """Make `items` items, taking all pairs of task and fault in turn, each with a seed of its own from `first` on."""
    for index in range(items):
        task, fault = CELLS[index % len(CELLS)]
        yield sample(task, first + index, split, fault)


def _truth(batch: Batch, call: EditCall) -> Image.Image:
    """Result of a fitting call on the first item of a batch."""
    if batch.traced is None:
        return _to_image(batch.fixed[0])
    return _to_image(batch.traced[0, list(TRACES).index(call.arguments["colour"])])


def _to_bytes(picture: Tensor) -> Tensor:
    return (picture * 255).round().clamp(0, 255).to(torch.uint8)


def _to_image(picture: Tensor) -> Image.Image:
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().cpu().numpy())
