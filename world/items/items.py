"""Items: a picture, a question about it, and everything that is true of both.

`sample` makes one `Item` in words and PIL pictures, for people and evaluations; training works on `tasks.Pictures`.
Both are pure functions of seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from g2u.edits.library import EditCall
from g2u.errors import UnknownNameError, WorldError

from ..materials.layers import SIZE
from ..pictures.mazes import TRACES
from ..questions.phrasings import PHRASINGS
from ..seeds import absolute_seed
from .conditions import CONDITIONS, present
from .tasks import HELD_OUT, TASKS, TRAINED, UNSEEN, Case, Pictures, check_task


@dataclass(frozen=True)
class Item:
    """One picture with one question."""

    task: str
    case: Case
    """Conditions of the picture, innermost first."""
    split: str
    seed: int
    """Within the split."""
    picture: Image.Image
    question: str
    kind: str
    """Of question; see `questions.PHRASINGS`."""
    paraphrase: str
    """The same question in other words: the next wording of its kind, of those that training has or of those that it
    has not, as the question itself; empty where there is no other."""
    options: list[str]
    answer: str
    contents: Pictures = field(repr=False)
    """What the picture is painted from."""
    _truths: dict[tuple[Case, int], Image.Image] = field(default_factory=dict, repr=False, compare=False)
    """Painted before: most edits leave a picture as it is, and are measured against that again and again."""

    @property
    def fault(self) -> str:
        """The case in one word: `none`, or the conditions joined by `+`."""
        return case_name(self.case)

    @property
    def gold_edits(self) -> list[str]:
        """Names of the edits that help, in the order to make them; `["none"]` when nothing needs to be imagined."""
        return gold_edits(self.case)

    @property
    def unseen(self) -> bool:
        """Whether training never decides on or reflects on this combination of task, case and kind of question."""
        return UNSEEN.get((self.task, self.case)) in ("", self.kind)

    def truth(self, *calls: EditCall) -> Image.Image:
        """The true result of some calls in a row, in any order; without one, the picture itself."""
        left = self.case
        colour = 0
        for call in calls:
            if call.edit == "trace_path" and "untraced" in left:
                colour = list(TRACES).index(call.arguments["colour"])
            left = after(left, call.edit)
        if (left, colour) not in self._truths:
            self._truths[left, colour] = _paint(self.contents, left, colour)
        return self._truths[left, colour].copy()


def case_name(case: Case) -> str:
    """A case in one word."""
    return "+".join(case) or "none"


def gold_edits(case: Case) -> list[str]:
    """The edits that take all conditions of a case away, the outermost first."""
    return [CONDITIONS[name] for name in reversed(case)] or ["none"]


def after(case: Case, edit: str) -> Case:
    """What is left of a case after an edit."""
    return tuple(name for name in case if CONDITIONS[name] != edit)


def sample(task: str, seed: int, split: str = "held-out", fault: str | None = None) -> Item:
    """Make one item.

    Args:
        task: Key of `TASKS`.
        seed: Within the split, from 0.
        split: Key of `SPLITS`.
        fault: A case of the task, its conditions joined by `+` in any order, or `none`; `None` takes them in turn by
            seed.

    Raises:
        UnknownNameError: No such task, split or condition.
        WorldError: The task does not have that case, or the split has no such seed.
    """
    check_task(task)
    cases = TASKS[task].cases
    case = cases[seed % len(cases)] if fault is None else _case(task, fault)
    number = torch.tensor([absolute_seed(split, seed)])
    contents = Pictures.of(task, number, HELD_OUT if split == "held-out-style" else TRAINED)
    question = contents.ask(1, held_out=split == "held-out-wording")[0, 0]
    options = question.option_words()
    return Item(
        task=task,
        case=case,
        split=split,
        seed=seed,
        picture=_paint(contents, case, 0),
        question=question.text(),
        kind=PHRASINGS[int(question.phrasing)].kind,
        paraphrase=question.paraphrase(),
        options=options,
        answer=options[int(question.answer)],
        contents=contents,
    )


def in_turn(tasks: Sequence[str] = ()) -> list[tuple[str, Case]]:
    """Every pair of task and case, mixed so that any first few of them are of as many tasks as can be.

    Round by round each task gives one case, until it has none left; the tasks begin at different places of their
    lists of cases, so that a round has plain pictures as well as pictures with one and with two conditions.

    Args:
        tasks: Keys of `TASKS`; empty for all.

    Raises:
        UnknownNameError: No such task.
    """
    for task in tasks:
        check_task(task)
    cases = {task: TASKS[task].cases for task in TASKS if not tasks or task in tasks}
    return [
        (task, own[(number + start) % len(own)])
        for number in range(max(map(len, cases.values())))
        for start, (task, own) in enumerate(cases.items())
        if number < len(own)
    ]


def spread(items: int, split: str = "held-out", first: int = 0, tasks: Sequence[str] = ()) -> Iterator[Item]:
    """Make `items` items, taking all pairs of task and case in turn, each with a seed of its own from `first` on.

    Args:
        items: How many; fewer than there are pairs are still spread over the tasks.
        split: Key of `SPLITS`.
        first: Seed of the first one.
        tasks: Keys of `TASKS`; empty for all.

    Raises:
        UnknownNameError: No such task or split.
    """
    cells = in_turn(tasks)
    for index in range(items):
        task, case = cells[index % len(cells)]
        yield sample(task, first + index, split, case_name(case))


def _case(task: str, fault: str) -> Case:
    names = [] if fault == "none" else fault.split("+")
    for name in names:
        if name not in CONDITIONS:
            listed = [*CONDITIONS, "none"] if len(names) == 1 else list(CONDITIONS)
            raise UnknownNameError("condition", name, listed, "g2u world sample --help")
    case = tuple(name for name in CONDITIONS if name in names)
    if case not in TASKS[task].cases:
        known = ", ".join(map(case_name, TASKS[task].cases))
        raise WorldError(f"Pictures of the task {task!r} do not have the fault {fault!r}, only: {known}.")
    return case


def _paint(contents: Pictures, case: Case, colour: int) -> Image.Image:
    flags = torch.tensor([[present(case)]])
    return to_image(contents.paint(flags, torch.tensor([colour]))[0, 0])


def to_image(picture: Tensor) -> Image.Image:
    """A picture of bytes, `[3, height, width]`."""
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().cpu().numpy())


def to_world_size(drawing: Image.Image) -> Image.Image:
    """A drawing in the size of pictures of the world, for models that draw in another."""
    return drawing.resize((SIZE, SIZE))


def from_image(picture: Image.Image) -> Tensor:
    """The bytes of a picture, `[3, height, width]`."""
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
