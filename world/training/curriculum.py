"""The curriculum: what mini sees in one step of training, and what is asked of it.

Three kinds of rows. A *read* row is a picture that shows what is asked: nothing stands in the way, and where an edit of
structure would help, it is made. Like any reader of the field, mini is not taught to read what is not plain to see. A
*pair* row is a picture beside a thought about it, with questions and one verdict. A *draw* row is a picture with
decisions to take and edits to draw; every picture meets every edit, so that the instruction decides what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from g2u.edits.library import NONE

from ..items.conditions import CONDITIONS, present
from ..items.items import gold_edits
from ..items.tasks import TASKS, UNSEEN, Case, Pictures
from ..judging.fidelity import faithful
from ..judging.thoughts import corrupted
from ..pictures.mazes import TRACES
from ..questions.phrasings import PHRASINGS
from ..questions.questions import Questions
from ..seeds import choose, constant, integers, uniform
from .lessons import Lessons, Texts
from .rows import DrawRows, PairRows, ReadRows, Step, joined
from .tokenizer import VERDICTS

ROWS: dict[str, tuple[int, int, int]] = {
    "shapes": (32, 56, 112),
    "objects": (56, 64, 128),
    "writing": (32, 48, 128),
    "chart": (32, 40, 80),
    "turned": (8, 24, 48),
    "clutter": (8, 24, 48),
    "backdrop": (8, 24, 48),
    "pattern": (16, 24, 48),
    "maze": (24, 32, 72),
    "tangle": (16, 32, 128),
    "puzzle": (8, 24, 48),
    "crowd": (24, 32, 96),
    "faint": (16, 24, 48),
}
"""Read, pair and draw rows per step at full scale, by task."""

QUESTIONS, PAIR_QUESTIONS, DECISIONS, DRAWINGS = 8, 4, 2, 2
"""Texts and drawings per row; many texts on one picture are what makes reading learn fast."""

Ablation = Literal["nothing", "degraded-reading", "one-instruction", "no-decide"]
"""What is changed on purpose: read rows show conditions too; all edits share one instruction; decide is not taught."""

_KEEP, _RETRY, _DISCARD = (VERDICTS.index(name) for name in ("keep", "retry", "discard"))


@dataclass(frozen=True)
class _Part:
    """Pictures of one task for one kind of row."""

    pictures: Pictures
    seeds: Tensor
    """`[rows]`."""
    questions: Questions
    """`[rows, 8]`."""
    flags: Tensor
    """`[rows, conditions]`, bool."""
    first: Tensor
    """`[rows]`, call of the first gold edit; `none` where nothing stands in the way."""
    last: Tensor
    """`[rows]`, call of the last one."""
    colour: Tensor
    """`[rows]`, of traced ways."""
    unseen: Tensor
    """`[rows, 8]`, bool: decisions and verdicts on this question are not taught."""


class Curriculum:
    """Makes the rows of every step; a pure function of the step's first seed.

    Args:
        lessons: Tables of texts.
        device: Where pictures are made.
        scale: Rows per step, as a share of the full number.
        tasks: Which tasks there are; `None` for all.
        ablation: See `Ablation`.
        kinds: Rows of each kind, as shares of their numbers in `ROWS`.
    """

    def __init__(
        self,
        lessons: Lessons,
        device: torch.device,
        scale: float = 1.0,
        tasks: Sequence[str] | None = None,
        ablation: Ablation = "nothing",
        kinds: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> None:
        """Look up once what every call takes away."""
        self._lessons = lessons
        self._device = device
        self._ablation = ablation
        self._rows = {
            task: tuple(max(1, round(scale * share * rows)) for share, rows in zip(kinds, ROWS[task], strict=True))
            for task in (tasks or TASKS)
        }
        self._names = [call.edit for call in lessons.calls]
        self._none = self._names.index(NONE)
        self._trace = self._names.index("trace_path")
        self._clears = torch.tensor(
            [[edit == name for edit in CONDITIONS.values()] for name in self._names], dtype=torch.bool, device=device
        )
        self._drawable = torch.tensor([name != NONE for name in self._names], device=device)

    def seeds_per_step(self) -> int:
        """Pictures in a step."""
        return sum(sum(rows) for rows in self._rows.values())

    def step(self, first: Tensor, easy: bool) -> Step:
        """The rows of one step.

        Args:
            first: Seed of its first picture, int64 without axes; the others follow.
            easy: Every drawing is a fitting one where something fits, so that fitting edits are learnt first.
        """
        read, pair, draw = [], [], []
        for task, rows in self._rows.items():
            parts = []
            for kind, count in enumerate(rows):
                seeds = first + torch.arange(count, device=self._device)
                first = first + count
                plain = kind == 0 and self._ablation != "degraded-reading"
                parts.append(self._part(task, seeds, plain))
            read.append(self._read(parts[0]))
            pair.append(self._pair(parts[1]))
            draw.append(self._draw(parts[2], easy))
        return Step(joined(read), joined(pair), joined(draw))

    def _part(self, task: str, seeds: Tensor, plain: bool) -> _Part:
        pictures = Pictures.of(task, seeds)
        questions = pictures.ask(QUESTIONS)
        # Seeds follow each other, so that the cases of a task take turns.
        cases = ((),) if plain else TASKS[task].cases
        case = seeds % len(cases)
        golds = [gold_edits(case) for case in cases]
        first, last = (
            constant(tuple(self._names.index(gold[end]) for gold in golds), self._device)[case] for end in (0, -1)
        )
        unseen = constant(tuple(_unseen(task, case) for case in cases), self._device)[case]
        return _Part(
            pictures=pictures,
            seeds=pictures.seeds,
            questions=questions,
            flags=constant(tuple(present(case) for case in cases), self._device)[case],
            first=first,
            last=last,
            colour=integers(pictures.seeds, 57, 1, len(TRACES))[:, 0],
            unseen=unseen.gather(1, questions.phrasing),
        )

    def _read(self, part: _Part) -> ReadRows:
        picture = part.pictures.paint(part.flags[:, None], part.colour)[:, 0]
        return ReadRows(picture, self._lessons.answers(part.questions))

    def _pair(self, part: _Part) -> PairRows:
        seeds, flags = part.seeds, part.flags
        partly = flags & ~self._clears[part.first]
        states = part.pictures.paint(torch.stack([flags, partly, torch.zeros_like(flags)], dim=1), part.colour)
        seen, better, clean = states.unbind(1)
        chained = partly.any(dim=1)
        plain = ~flags.any(dim=1)
        # With two conditions a row is of one of two sorts: the first edit is judged, or answers are given after both.
        to_end = (uniform(seeds, 50, 1)[:, 0] < 0.5) | ~chained
        lot = uniform(seeds, 53, 1)[:, 0]
        drawn = (lot >= 0.22) & (lot < 0.45) & ~plain
        foreign, corrupt = (lot >= 0.63) & (lot < 0.82), lot >= 0.82
        unfit = plain | ((lot >= 0.45) & (lot < 0.63))
        useless = self._drawable & ~(self._clears[:, None] & flags).any(dim=2).T
        call = torch.where(to_end, part.last, part.first)
        call = self._coloured(part, torch.where(unfit, choose(seeds, 54, useless), call))
        truth = torch.where(_wide(to_end), clean, better)
        elsewhere = torch.where(_wide(uniform(seeds, 55, 1)[:, 0] < 0.5), clean, seen).roll(1, dims=0)
        thought = torch.where(_wide(unfit), seen, truth)
        thought = torch.where(_wide(foreign), elsewhere, thought)
        thought = torch.where(_wide(corrupt), corrupted(thought, elsewhere, seeds), thought)
        good = (lot < 0.22) | drawn
        questions = part.questions[:, :PAIR_QUESTIONS]
        kinds = torch.arange(len(VERDICTS), device=self._device).expand(len(seeds), -1)
        asked = part.questions[:, :1]
        keep = good | (corrupt & faithful(thought, truth) & ~(to_end & chained))
        verdict = torch.full_like(call, _RETRY).masked_fill(keep, _KEEP).masked_fill(plain, _DISCARD)
        return PairRows(
            picture=seen,
            thought=thought,
            source=torch.where(_wide(to_end & chained), better, seen),
            truth=truth,
            instructions=self._instructions(asked, call[:, None])[:, 0],
            drawn=drawn,
            answered=(good & to_end) | (plain & ~foreign & ~corrupt),
            judged=~(chained & to_end & good) & ~part.unseen[:, 0],
            texts=self._lessons.answers(questions),
            verdicts=self._lessons.verdicts(asked, call[:, None], kinds),
            verdict=verdict,
        )

    def _draw(self, part: _Part, easy: bool) -> DrawRows:
        seeds = part.seeds
        lot = uniform(seeds, 56, 1)[:, 0]
        anything = choose(seeds, 58, self._drawable.expand(len(seeds), -1))
        # The first drawing fits wherever something does; of the second ones somewhat less than half.
        plain = ~part.flags.any(dim=1)
        calls = torch.stack([part.first, torch.where((lot < 0.4) | easy, part.last, anything)], dim=1)
        calls = torch.where(plain[:, None], torch.stack([anything, anything.roll(1)], dim=1), calls)
        calls = torch.stack([self._coloured(part, calls[:, index]) for index in range(DRAWINGS)], dim=1)
        left = part.flags[:, None] & ~self._clears[calls]
        states = part.pictures.paint(torch.cat([part.flags[:, None], left], dim=1), part.colour)
        asked = part.questions[:, :DECISIONS]
        tried = integers(seeds, 59, DECISIONS, self._none).masked_fill(uniform(seeds, 73, DECISIONS) >= 0.3, -1)
        decisions = self._lessons.decisions(asked, part.first[:, None].expand(-1, DECISIONS), tried)
        taught = ~part.unseen[:, :DECISIONS] & (self._ablation != "no-decide")
        return DrawRows(
            picture=states[:, 0],
            decisions=decisions.only(taught),
            instructions=self._instructions(part.questions[:, :1], calls),
            target=states[:, 1:],
        )

    def _coloured(self, part: _Part, call: Tensor) -> Tensor:
        """The same calls, a traced way in the colour of the row."""
        tracing = (call >= self._trace) & (call < self._trace + len(TRACES))
        return torch.where(tracing, self._trace + part.colour, call)

    def _instructions(self, questions: Questions, calls: Tensor) -> Texts:
        if self._ablation == "one-instruction":
            calls = calls * 0
        return self._lessons.instructions(questions, calls)


def _unseen(task: str, case: Case) -> tuple[bool, ...]:
    """Whether each phrasing is kept from decide and reflect for pictures of that task and case."""
    kind = UNSEEN.get((task, case))
    return tuple(kind == "" or phrasing.kind == kind for phrasing in PHRASINGS)


def _wide(flags: Tensor) -> Tensor:
    return flags[:, None, None, None]
