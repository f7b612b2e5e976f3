"""Tasks: which contents are painted, what is asked about them, and which conditions stand in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from g2u.edits.library import Family
from g2u.errors import UnknownNameError

from ..materials import atlas, grounds
from ..materials.layers import Layers
from ..pictures import charts, mazes, patterns, scenes, tangles, writing
from ..questions.questions import Questions
from .conditions import CONDITIONS, impose


@dataclass(frozen=True)
class Style:
    """What pictures may be made of; indices into the tables of `atlas`."""

    emoji: tuple[int, ...]
    fonts: tuple[int, ...]
    textures: tuple[int, ...]


def _all_but_last(names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(range(len(names) - 1))


TRAINED = Style(
    emoji=_all_but_last(atlas.EMOJI_STYLES), fonts=_all_but_last(atlas.FONTS), textures=_all_but_last(atlas.TEXTURES)
)
"""The style of training, and of all splits but one."""
HELD_OUT = Style(
    emoji=(len(atlas.EMOJI_STYLES) - 1,), fonts=(len(atlas.FONTS) - 1,), textures=(len(atlas.TEXTURES) - 1,)
)
"""The style that training never shows."""

Case = tuple[str, ...]
"""Conditions of a picture, innermost first; none is the plain case."""


@dataclass(frozen=True)
class Task:
    """A kind of picture with its questions."""

    family: Family
    """Of the edit that the task is there for."""
    sample: Callable[[Tensor, Style], Any]
    """Contents of seeds `[batch]`."""
    paint: Callable[[Any, Tensor, Tensor], Layers]
    """Layers of (contents, bare `[batch]`, colour of a traced way `[batch]`)."""
    ask: Callable[[Any, Tensor, int, bool], Questions]
    """Questions of (contents, seeds, count, held-out wordings)."""
    cases: tuple[Case, ...]
    """The plain one first."""
    own: str = ""
    """Condition that the painter brings about, by leaving bare what an edit of structure would draw."""
    fine: bool = False
    """Shows fine things, which weaker conditions hide."""

    @property
    def possible(self) -> frozenset[str]:
        """Every condition of any case."""
        return frozenset(name for case in self.cases for name in case)


def _cases(*cases: str) -> tuple[Case, ...]:
    order = list(CONDITIONS)
    return ((), *(tuple(sorted(case.split("+"), key=order.index)) for case in cases))


def _scene(
    family: Family,
    cases: tuple[Case, ...],
    kinds: tuple[str, ...],
    *,
    emoji: bool = True,
    use: scenes.Use = "plain",
    own: str = "",
) -> Task:
    crowd = use == "crowd"
    return Task(
        family,
        lambda seeds, style: scenes.sample_scenes(seeds, emoji, crowd, style.emoji),
        lambda contents, bare, colour: scenes.paint_scenes(contents, bare, emoji, use),
        lambda contents, seeds, count, held_out: scenes.ask_scenes(contents, seeds, count, kinds, held_out),
        cases,
        own,
        fine=emoji,
    )


_WHERE = ("beside", "spot", "row")

TASKS: dict[str, Task] = {
    "shapes": _scene(
        "enhancement",
        _cases(
            "blur",
            "noise",
            "dark",
            "bright",
            "pixelated",
            "faded",
            "bars",
            "blur+dark",
            "noise+dark",
            "faded+bright",
            "bars+dark",
            "pixelated+bright",
            "faded+noise",
        ),
        ("colour", "shape", "beside", "spot", "row", "there", "missing"),
        emoji=False,
    ),
    "objects": _scene(
        "enhancement",
        _cases(
            "blur",
            "noise",
            "dark",
            "bright",
            "pixelated",
            "faded",
            "bars",
            "cropped",
            "blur+dark",
            "noise+dark",
            "bars+bright",
            "pixelated+dark",
        ),
        (*_WHERE, "there", "missing"),
    ),
    "writing": Task(
        "enhancement",
        lambda seeds, style: writing.sample_writing(seeds, style.fonts),
        lambda contents, bare, colour: writing.paint_writing(contents),
        writing.ask_writing,
        _cases(
            "blur", "noise", "dark", "bright", "pixelated", "bars", "turned", "blur+dark", "noise+dark", "turned+bright"
        ),
        fine=True,
    ),
    "chart": Task(
        "enhancement",
        lambda seeds, style: charts.sample_charts(seeds),
        lambda contents, bare, colour: charts.paint_charts(contents),
        charts.ask_charts,
        _cases("blur", "noise", "dark", "bright", "faded", "bars", "faded+dark", "bars+bright"),
        fine=True,
    ),
    "turned": _scene("extension", _cases("turned", "turned+dark", "turned+noise"), _WHERE, emoji=False),
    "clutter": _scene(
        "extension", _cases("cluttered", "cluttered+dark", "cluttered+bright"), (*_WHERE, "there", "missing")
    ),
    "backdrop": _scene("extension", _cases("busy", "busy+dark", "busy+bright"), (*_WHERE, "there", "missing")),
    "pattern": Task(
        "extension",
        lambda seeds, style: patterns.sample_patterns(seeds, style.emoji),
        lambda contents, bare, colour: patterns.paint_patterns(contents),
        patterns.ask_patterns,
        _cases("cropped", "cropped+bright", "cropped+noise"),
        fine=True,
    ),
    "maze": Task(
        "structure",
        lambda seeds, style: mazes.sample_mazes(seeds),
        mazes.paint_mazes,
        mazes.ask_mazes,
        _cases("untraced", "untraced+dark", "untraced+noise"),
        own="untraced",
    ),
    "tangle": Task(
        "structure",
        lambda seeds, style: tangles.sample_tangles(seeds),
        lambda contents, bare, colour: tangles.paint_tangles(contents, bare),
        tangles.ask_tangles,
        _cases("tangled", "tangled+dark", "tangled+bright"),
        own="tangled",
        fine=True,
    ),
    "puzzle": _scene("structure", _cases("shuffled", "shuffled+dark", "shuffled+blur"), _WHERE),
    "crowd": _scene(
        "structure", _cases("unmarked", "unmarked+dark", "unmarked+bright"), ("count",), use="crowd", own="unmarked"
    ),
    "faint": _scene("structure", _cases("faint"), _WHERE, emoji=False, use="faint", own="faint"),
}
"""Every task, four or more for each family of edits."""


def check_task(name: str) -> None:
    """Refuse a task that there is not.

    Raises:
        UnknownNameError: With the nearest names.
    """
    if name not in TASKS:
        raise UnknownNameError("task", name, TASKS, "g2u world sample --help")


CELLS: tuple[tuple[str, Case], ...] = tuple((name, case) for name, task in TASKS.items() for case in task.cases)
"""Every pair of task and case."""

UNSEEN: dict[tuple[str, Case], str] = {
    ("shapes", ("blur",)): "colour",
    ("shapes", ("noise",)): "beside",
    ("objects", ("bars",)): "",
    ("objects", ("blur", "dark")): "",
    ("writing", ("pixelated",)): "",
    ("writing", ("noise",)): "number",
    ("chart", ("dark",)): "",
    ("pattern", ("cropped", "bright")): "",
    ("tangle", ("tangled", "dark")): "",
    ("turned", ("turned", "noise")): "",
}
"""Combinations of task, case and kind of question (empty: any) that training never decides on or reflects on."""

_BUSY_OPACITY = 0.5


@dataclass(frozen=True)
class Pictures:
    """The contents of a batch of pictures, which can be painted under any conditions."""

    task: Task
    seeds: Tensor
    """`[batch]`, int64."""
    contents: Any
    style: Style

    @staticmethod
    def of(name: str, seeds: Tensor, style: Style = TRAINED) -> Pictures:
        """The pictures of a task for absolute seeds `[batch]` (see `absolute_seed`)."""
        own = seeds * len(TASKS) + list(TASKS).index(name)
        return Pictures(TASKS[name], own, TASKS[name].sample(own, style), style)

    def paint(self, flags: Tensor, colour: Tensor) -> Tensor:
        """Paint every picture in some states.

        Args:
            flags: `[batch, states, conditions]`, bool, in the order of `CONDITIONS`.
            colour: `[batch]`, index into `mazes.TRACES`, of traced ways.

        Returns:
            `[batch, states, 3, 128, 128]`, uint8.
        """
        task, shape, names = self.task, flags.shape[:2], list(CONDITIONS)
        bare = torch.zeros_like(self.seeds, dtype=torch.bool)
        layers = task.paint(self.contents, bare, colour)
        ground = grounds.quiet(self.seeds, self.style.textures)
        pictures = layers.over(ground)[:, None].expand(*shape, -1, -1, -1)
        others = []
        if task.own:
            others.append((task.own, task.paint(self.contents, ~bare, colour).over(ground)))
        if "busy" in task.possible:
            others.append(("busy", layers.over(grounds.busy(self.seeds, self.style.textures), _BUSY_OPACITY)))
        for name, other in others:
            pictures = torch.where(flags[:, :, names.index(name), None, None, None], other[:, None], pictures)
        pictures = impose(pictures, flags, self.seeds, task.possible, task.fine)
        return (pictures * 255).round().clamp(0, 255).to(torch.uint8)

    def ask(self, count: int, held_out: bool = False) -> Questions:
        """Ask `count` questions about every picture."""
        return self.task.ask(self.contents, self.seeds, count, held_out)
