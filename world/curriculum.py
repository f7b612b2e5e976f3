"""The curriculum: what mini sees in one step of training, and what is asked of it.

Three kinds of rows. A *read* row is a clean picture with questions: like any reader of the field, mini is not taught to
read faulty pictures. A *pair* row is a picture beside a thought about it, with questions and one verdict. A *draw* row
is a picture with decisions to take and edits to draw; every picture meets every edit, so it is the instruction that
decides what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from g2u.world.faults import FAULTS
from g2u.world.items import FITTING, TASKS, Batch, sample_batch
from g2u.world.lessons import Lessons, Texts
from g2u.world.mazes import TRACES
from g2u.world.seeds import SPLITS, choose, integers, uniform
from g2u.world.tokenizer import VERDICTS

READ_ROWS = {"scene": 192, "maze": 64}
PAIR_ROWS = {"scene": 240, "rotated": 72, "maze": 72}
DRAW_ROWS = {"scene": 464, "rotated": 160, "maze": 144}
"""Rows per step, by task."""

READ_QUESTIONS, PAIR_QUESTIONS, DECISIONS, DRAWINGS = 8, 6, 2, 2
"""Texts and drawings per row; many texts on one picture are what makes reading learn fast."""

CLEAN_SHARE = 0.12
"""Of scenes in pair and draw rows that have no fault."""

Record = TypeVar("Record")

_KEEP, _RETRY, _DISCARD = (VERDICTS.index(name) for name in ("keep", "retry", "discard"))


@dataclass(frozen=True)
class ReadRows:
    """Clean pictures and questions."""

    picture: Tensor
    """`[rows, 3, 128, 128]`, uint8."""
    texts: Texts
    """`[rows, texts, words]`."""


@dataclass(frozen=True)
class PairRows:
    """Pictures, thoughts about them, questions and verdicts."""

    picture: Tensor
    thought: Tensor
    """`[rows, 3, 128, 128]`, uint8; overwritten where `drawn`."""
    truth: Tensor
    """The faithful thought, against which a drawn one is measured."""
    call: Tensor
    """`[rows]`, the edit that the thought comes from."""
    drawn: Tensor
    """`[rows]`, bool: the thought is to be drawn by the model itself."""
    taught: Tensor
    """`[rows]`, bool: whether answers are taught, that is whether the pair shows what is asked."""
    texts: Texts
    """`[rows, texts, words]`, the answers."""
    verdicts: Texts
    """`[rows, verdicts, words]`, the same text with each verdict."""
    verdict: Tensor
    """`[rows]`, the right one; for drawn thoughts that of a faithful one."""


@dataclass(frozen=True)
class DrawRows:
    """Pictures, decisions and drawings."""

    picture: Tensor
    decisions: Texts
    """`[rows, decisions, words]`."""
    instructions: Texts
    """`[rows, drawings, words]`."""
    target: Tensor
    """`[rows, drawings, 3, 128, 128]`, uint8."""


@dataclass(frozen=True)
class Step:
    """All rows of one step."""

    read: ReadRows
    pair: PairRows
    draw: DrawRows


class Curriculum:
    """Makes the rows of every step; a pure function of the step's number.

    Args:
        lessons: Tables of texts.
        device: Where pictures are made.
        easy: Steps in which every second drawing is a fitting one too, so that fitting edits are learnt first.
        scale: Rows per step, as a share of the full number.
    """

    def __init__(self, lessons: Lessons, device: torch.device, easy: int, scale: float = 1.0) -> None:
        """Look the fitting calls up once."""
        self._rows = [
            {task: max(2, round(scale * rows)) for task, rows in kind.items()} for kind in (READ_ROWS, PAIR_ROWS, DRAW_ROWS)
        ]
        self._lessons = lessons
        self._device = device
        self._easy = easy
        names = [call.edit for call in lessons.calls]
        self._none = names.index("none")
        self._first_trace = names.index("trace_path")
        self._fits = {
            task: torch.tensor([names.index(FITTING.get((task, fault), "none")) for fault in FAULTS], device=device)
            for task in TASKS
        }
        # Which calls leave a picture alone: all but `none` and those of the fitting edit's name.
        self._other = torch.tensor(
            [[b != "none" and a != b for b in names] for a in names], dtype=torch.bool, device=device
        )

    def step(self, number: int) -> Step:
        """The rows of step `number`; the train split has enough seeds for any number of steps."""
        counts = [sum(rows.values()) for rows in self._rows]
        first = SPLITS["train"].start + number * sum(counts)
        seeds = torch.arange(first, first + sum(counts), device=self._device)
        read, pair, draw = map(_by_task, seeds.split(counts), self._rows)
        return Step(
            read=_stack([self._read(task, part) for task, part in read]),
            pair=_stack([self._pair(task, part) for task, part in pair]),
            draw=_stack([self._draw(task, part, number < self._easy) for task, part in draw]),
        )

    def _read(self, task: str, seeds: Tensor) -> ReadRows:
        batch = sample_batch(task, torch.zeros_like(seeds), seeds, READ_QUESTIONS)
        return ReadRows(batch.seen, self._answers(batch, seeds))

    def _pair(self, task: str, seeds: Tensor) -> PairRows:
        fault = _faults(task, seeds)
        batch = sample_batch(task, fault, seeds, PAIR_QUESTIONS)
        fit, call, target = self._fitting(task, batch, fault, seeds)
        clean = fit == self._none
        lot = uniform(seeds, 53, 1)[:, 0]
        faithful, drawn = lot < 0.45, (lot >= 0.45) & (lot < 0.7) & ~clean
        foreign = lot >= 0.85
        unfit = ~(faithful | drawn | foreign) | clean
        call = torch.where(unfit, choose(seeds, 54, self._other[fit]), call)
        thought = torch.where(_wide(unfit), batch.seen, target)
        elsewhere = torch.where(_wide(uniform(seeds, 55, 1)[:, 0] < 0.5), batch.fixed, batch.seen).roll(1, dims=0)
        thought = torch.where(_wide(foreign), elsewhere, thought)
        verdict = torch.where(clean, _DISCARD, torch.where(faithful | drawn, _KEEP, _RETRY))
        asked = batch.questions[0]
        return PairRows(
            picture=batch.seen,
            thought=thought,
            truth=torch.where(_wide(clean), batch.seen, target),
            call=call,
            drawn=drawn,
            taught=faithful | drawn | (clean & ~foreign),
            texts=self._answers(batch, seeds),
            verdicts=_stack(
                [self._lessons.verdicts(asked, call, torch.full_like(call, v)) for v in range(len(VERDICTS))], new=True, dim=1
            ),
            verdict=verdict,
        )

    def _draw(self, task: str, seeds: Tensor, easy: bool) -> DrawRows:
        fault = _faults(task, seeds)
        batch = sample_batch(task, fault, seeds, DECISIONS)
        fit, call, target = self._fitting(task, batch, fault, seeds)
        seen = batch.seen
        if batch.traced is not None:
            # A maze whose way is drawn needs nothing more.
            done = uniform(seeds, 56, 1)[:, 0] < 0.15
            seen = torch.where(_wide(done), target, seen)
            fit = torch.where(done, self._none, fit)
        clean = fit == self._none
        instructions, targets = [], []
        for index in range(DRAWINGS):
            other = choose(seeds, 60 + index, self._other[fit])
            second = torch.zeros_like(clean) if index == 0 or easy else uniform(seeds, 62, 1)[:, 0] < 0.5
            leave = clean | second
            instructions.append(self._lessons.instructions(torch.where(leave, other, call)))
            targets.append(torch.where(_wide(leave), seen, target))
        decisions = []
        for index, asked in enumerate(batch.questions):
            again = uniform(seeds, 64 + index, 1)[:, 0] < 0.3
            tried = torch.where(again, integers(seeds, 66 + index, 1, self._none)[:, 0], -1)
            decisions.append(self._lessons.decisions(asked, fit, tried))
        return DrawRows(
            picture=seen,
            decisions=_stack(decisions, new=True, dim=1),
            instructions=_stack(instructions, new=True, dim=1),
            target=torch.stack(targets, dim=1),
        )

    def _fitting(self, task: str, batch: Batch, fault: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The call to decide on, the call to draw (a way in any colour) and its true result."""
        fit = self._fits[task][fault]
        if batch.traced is None:
            return fit, fit, batch.fixed
        colour = integers(seeds, 57, 1, len(TRACES))[:, 0]
        rows = torch.arange(len(seeds), device=self._device)
        return fit, self._first_trace + colour, batch.traced[rows, colour]

    def _answers(self, batch: Batch, seeds: Tensor) -> Texts:
        shown = uniform(seeds, 58, len(batch.questions)) < 0.6
        lines = [self._lessons.answers(asked, shown[:, i].long()) for i, asked in enumerate(batch.questions)]
        return _stack(lines, new=True, dim=1)


def _faults(task: str, seeds: Tensor) -> Tensor:
    if task != "scene":
        return torch.zeros_like(seeds)
    faulty = 1 + integers(seeds, 51, 1, len(FAULTS) - 1)[:, 0]
    return torch.where(uniform(seeds, 52, 1)[:, 0] < CLEAN_SHARE, 0, faulty)


def _by_task(seeds: Tensor, rows: dict[str, int]) -> list[tuple[str, Tensor]]:
    return list(zip(rows, seeds.split(list(rows.values())), strict=True))


def _wide(flags: Tensor) -> Tensor:
    return flags[:, None, None, None]


def _stack(parts: Sequence[Record], new: bool = False, dim: int = 0) -> Record:
    """Join records field by field, along the rows or along a new axis."""
    first = parts[0]
    if isinstance(first, Tensor):
        join = torch.stack if new else torch.cat
        return join(list(parts), dim=dim)  # type: ignore[arg-type, return-value]
    fields = vars(first)
    return type(first)(**{name: _stack([vars(part)[name] for part in parts], new, dim) for name in fields})
