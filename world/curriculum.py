"""The curriculum: what mini sees in one step of training, and what is asked of it.

Three kinds of rows. A *read* row is a picture that shows what is asked: a clean upright scene, a maze whose way is
drawn. Like any reader of the field, mini is not taught to read what is not plain to see. A *pair* row is a picture
beside a thought about it, with questions and one verdict. A *draw* row is a picture with decisions to take and edits to
draw; every picture meets every edit, so it is the instruction that decides what is drawn.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from g2u.world.faults import FAULTS
from g2u.world.items import FITTING, TASKS, Batch, sample_batch
from g2u.world.lessons import Lessons, Texts
from g2u.world.mazes import TRACES
from g2u.world.questions import Questions
from g2u.world.seeds import choose, constant, integers, uniform
from g2u.world.tokenizer import VERDICTS

READ_ROWS = {"scene": 192, "maze": 64}
PAIR_ROWS = {"scene": 240, "rotated": 72, "maze": 72}
DRAW_ROWS = {"scene": 464, "rotated": 160, "maze": 144}
"""Rows per step, by task."""

READ_QUESTIONS, PAIR_QUESTIONS, DECISIONS, DRAWINGS = 8, 6, 2, 2
"""Texts and drawings per row; many texts on one picture are what makes reading learn fast."""

CLEAN_EVERY = 9
"""Every so many scenes in pair and draw rows one has no fault."""

Record = TypeVar("Record")

_KEEP, _RETRY, _DISCARD = (VERDICTS.index(name) for name in ("keep", "retry", "discard"))


@dataclass(frozen=True)
class ReadRows:
    """Pictures that show what is asked, and questions."""

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


@dataclass(frozen=True)
class Part:
    """Items of one task for one kind of row."""

    seeds: Tensor
    fit: Tensor
    """`[rows]`, index of the call that helps, `none` where nothing does."""
    batch: Batch


class Curriculum:
    """Makes the rows of every step; a pure function of the step's number.

    Args:
        lessons: Tables of texts.
        device: Where pictures are made.
        scale: Rows per step, as a share of the full number.
    """

    def __init__(self, lessons: Lessons, device: torch.device, scale: float = 1.0) -> None:
        """Look the fitting calls up once."""
        self._lessons = lessons
        self._device = device
        self._rows = {
            task: tuple(
                max(2, round(scale * kind[task])) if task in kind else 0 for kind in (READ_ROWS, PAIR_ROWS, DRAW_ROWS)
            )
            for task in TASKS
        }
        names = [call.edit for call in lessons.calls]
        self._none = names.index("none")
        self._first_trace = names.index("trace_path")
        self._fits = {task: [names.index(FITTING.get((task, fault), "none")) for fault in FAULTS] for task in TASKS}
        # Which calls leave a picture alone: all but `none` and those of the fitting edit's name.
        self._other = torch.tensor(
            [[b != "none" and a != b for b in names] for a in names], dtype=torch.bool, device=device
        )

    def seeds_per_step(self) -> int:
        """Pictures in a step."""
        return sum(sum(rows) for rows in self._rows.values())

    def step(self, first: Tensor, easy: bool) -> Step:
        """The rows of one step.

        Args:
            first: Seed of its first picture, int64 without axes; the others follow.
            easy: Every drawing of a picture with a fault is a fitting one, so that fitting edits are learnt first.
        """
        parts: list[list[Part]] = [[], [], []]
        for task, rows in self._rows.items():
            seeds = first + torch.arange(sum(rows), device=self._device)
            first = first + sum(rows)
            fault = _faults(task, rows)
            batch = sample_batch(task, fault, seeds, READ_QUESTIONS)
            fit = constant(tuple(self._fits[task][index] for index in fault), self._device)
            for kind, part in zip(parts, _split(Part(seeds, fit, batch), rows), strict=True):
                if len(part.seeds):
                    kind.append(part)
        read, pair, draw = parts
        return Step(
            read=_join([self._read(part) for part in read]),
            pair=_join([self._pair(part) for part in pair]),
            draw=_join([self._draw(part, easy) for part in draw]),
        )

    def _read(self, part: Part) -> ReadRows:
        _, shown = self._fitting(part.batch, part.fit, part.seeds)
        return ReadRows(shown, self._answers(part.batch.questions, part.seeds))

    def _pair(self, part: Part) -> PairRows:
        seeds, fit, batch = part.seeds, part.fit, part.batch
        call, target = self._fitting(batch, fit, seeds)
        clean = fit == self._none
        lot = uniform(seeds, 53, 1)[:, 0]
        faithful, drawn = lot < 0.45, (lot >= 0.45) & (lot < 0.7) & ~clean
        foreign = lot >= 0.85
        unfit = ~(faithful | drawn | foreign) | clean
        call = torch.where(unfit, choose(seeds, 54, self._other[fit]), call)
        thought = torch.where(_wide(unfit), batch.seen, target)
        elsewhere = torch.where(_wide(uniform(seeds, 55, 1)[:, 0] < 0.5), batch.fixed, batch.seen).roll(1, dims=0)
        asked = batch.questions[:, :1]
        kinds = torch.arange(len(VERDICTS), device=self._device).expand(len(seeds), -1)
        return PairRows(
            picture=batch.seen,
            thought=torch.where(_wide(foreign), elsewhere, thought),
            truth=torch.where(_wide(clean), batch.seen, target),
            call=call,
            drawn=drawn,
            taught=faithful | drawn | (clean & ~foreign),
            texts=self._answers(batch.questions[:, :PAIR_QUESTIONS], seeds),
            verdicts=self._lessons.verdicts(asked, call[:, None], kinds),
            verdict=torch.full_like(call, _RETRY).masked_fill(faithful | drawn, _KEEP).masked_fill(clean, _DISCARD),
        )

    def _draw(self, part: Part, easy: bool) -> DrawRows:
        seeds, fit, batch = part.seeds, part.fit, part.batch
        call, target = self._fitting(batch, fit, seeds)
        seen = batch.seen
        if batch.traced is not None:
            # A maze whose way is drawn needs nothing more.
            done = uniform(seeds, 56, 1)[:, 0] < 0.15
            seen = torch.where(_wide(done), target, seen)
            fit = fit.masked_fill(done, self._none)
        # The first drawing fits wherever something does; of the second ones half.
        leave = uniform(seeds, 62, DRAWINGS) < constant((0.0, 0.0 if easy else 0.5), self._device)
        leave |= (fit == self._none)[:, None]
        others = torch.stack([choose(seeds, 60 + index, self._other[fit]) for index in range(DRAWINGS)], dim=1)
        first = uniform(seeds, 64, DECISIONS) >= 0.3
        tried = integers(seeds, 66, DECISIONS, self._none).masked_fill(first, -1)
        return DrawRows(
            picture=seen,
            decisions=self._lessons.decisions(batch.questions[:, :DECISIONS], fit[:, None], tried),
            instructions=self._lessons.instructions(torch.where(leave, others, call[:, None])),
            target=torch.where(leave[:, :, None, None, None], seen[:, None], target[:, None]),
        )

    def _fitting(self, batch: Batch, fit: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """The call to draw and its true result; a way is drawn in any of its colours."""
        if batch.traced is None:
            return fit, batch.fixed
        colour = integers(seeds, 57, 1, len(TRACES))[:, 0]
        rows = torch.arange(len(seeds), device=self._device)
        return self._first_trace + colour, batch.traced[rows, colour]

    def _answers(self, questions: Questions, seeds: Tensor) -> Texts:
        shown = uniform(seeds, 58, questions.answer.shape[1]) < 0.6
        return self._lessons.answers(questions, shown.long())


@functools.cache
def _faults(task: str, rows: tuple[int, ...]) -> tuple[int, ...]:
    """Faults by place in the step, so that their number is the same in every step: read rows have none."""
    if task != "scene":
        return (0,) * sum(rows)
    read, *others = rows
    return (0,) * read + tuple(
        0 if place % CLEAN_EVERY == 0 else 1 + place % (len(FAULTS) - 1) for place in range(sum(others))
    )


def _wide(flags: Tensor) -> Tensor:
    return flags[:, None, None, None]


def _join(parts: Sequence[Record]) -> Record:
    """Join records along their rows, field by field."""
    first: Any = parts[0]
    if isinstance(first, Tensor):
        return cast(Record, torch.cat(cast(list[Tensor], parts)))
    return cast(Record, type(first)(**{name: _join([vars(part)[name] for part in parts]) for name in vars(first)}))


def _split(record: Any, rows: Sequence[int]) -> list[Any]:
    """Cut a record along its rows, field by field; `None` stays `None`."""
    if record is None:
        return [None] * len(rows)
    if isinstance(record, Tensor):
        return list(record.split(list(rows)))
    fields = {name: _split(value, rows) for name, value in vars(record).items()}
    return [type(record)(**{name: values[part] for name, values in fields.items()}) for part in range(len(rows))]
