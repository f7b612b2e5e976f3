"""Questions about the world in plain English, with the answers that are right.

A question is a kind, a phrasing and at most one word of the picture (its subject). All phrasings of all kinds are one
table, so that training can turn a whole batch into tokens without making strings.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from g2u.world.mazes import EXIT_COLOURS, Mazes
from g2u.world.scenes import COLOURS, GRID, OBJECTS, SHAPES, Scenes
from g2u.world.seeds import choose, integers, permutation

OPTIONS = 4
"""Options per question."""

DIRECTIONS: dict[str, tuple[int, int]] = {"left of": (0, -1), "right of": (0, 1), "above": (-1, 0), "below": (1, 0)}
"""Words to (row, column) step in the upright view."""


@dataclass(frozen=True)
class Phrasing:
    """One way to ask one kind of question."""

    kind: str
    """`colour`, `shape`, `beside` or `exit`."""
    text: str
    """With `{subject}` where the word of the picture goes."""
    direction: str = ""
    """For `beside`: key of `DIRECTIONS`."""


PHRASINGS: tuple[Phrasing, ...] = (
    Phrasing("colour", "What colour is the {subject}?"),
    Phrasing("colour", "Which colour does the {subject} have?"),
    Phrasing("shape", "What shape is {subject}?"),
    Phrasing("shape", "Which shape has the colour {subject}?"),
    *(Phrasing("beside", f"What is {words} the {{subject}}?", words) for words in DIRECTIONS),
    *(Phrasing("beside", f"Which shape is {words} the {{subject}}?", words) for words in DIRECTIONS),
    Phrasing("exit", "Which exit can be reached from the start?"),
    Phrasing("exit", "Where does the way from the start lead?"),
)

WORDS: tuple[str, ...] = (*COLOURS, *SHAPES)
"""Every word that can be a subject, an option or an answer; questions hold indices into it."""

_COLOUR_WORD, _SHAPE_WORD = 0, len(COLOURS)


@dataclass(frozen=True)
class Questions:
    """A batch of questions, one a picture; index tensors on the pictures' device."""

    phrasing: Tensor
    """`[batch]`, index into `PHRASINGS`."""
    subject: Tensor
    """`[batch]`, index into `WORDS`; 0 where the phrasing has no subject."""
    options: Tensor
    """`[batch, 4]`, indices into `WORDS`, in the order shown."""
    answer: Tensor
    """`[batch]`, which of the options is right."""

    def text(self, row: int) -> str:
        """The question of one row, in words."""
        return PHRASINGS[int(self.phrasing[row])].text.format(subject=WORDS[int(self.subject[row])])

    def option_words(self, row: int) -> list[str]:
        """The options of one row, in words."""
        return [WORDS[int(index)] for index in self.options[row]]


def ask_scenes(scenes: Scenes, seeds: Tensor, kinds: tuple[str, ...]) -> Questions:
    """Ask one question about each scene.

    Args:
        scenes: What is in the pictures.
        seeds: `[batch]`, int64; other seeds ask other questions about the same scenes.
        kinds: Which of `colour`, `shape` and `beside` may be asked, evenly.
    """
    batch, device = seeds.shape[0], seeds.device
    rows = torch.arange(batch, device=device)
    kind = integers(seeds, 31, 1, len(kinds))[:, 0]
    step = torch.tensor(list(DIRECTIONS.values()), device=device)
    neighbour = _neighbours(scenes.cell[:, :OBJECTS], step)
    pair = choose(seeds, 32, (neighbour >= 0).view(batch, -1))
    anchor = integers(seeds, 33, 1, OBJECTS)[:, 0]
    colours, shapes = scenes.colour + _COLOUR_WORD, scenes.shape + _SHAPE_WORD

    phrasing, subject = torch.zeros_like(kind), torch.zeros_like(kind)
    answer, pool = torch.zeros_like(kind), torch.zeros_like(colours)
    for index, name in enumerate(kinds):
        here = kind == index
        if name == "beside":
            direction = pair % len(DIRECTIONS)
            target = pair // len(DIRECTIONS)
            numbers = torch.tensor([_numbers(name, words) for words in DIRECTIONS], device=device)[direction]
            asked, found, words = shapes[rows, target], neighbour.view(batch, -1)[rows, pair], shapes
            answer_word = shapes[rows, found.clamp(min=0)]
        else:
            numbers = torch.tensor(_numbers(name), device=device).expand(batch, -1)
            asked = (shapes if name == "colour" else colours)[rows, anchor]
            words = colours if name == "colour" else shapes
            answer_word = words[rows, anchor]
        variant = integers(seeds, 34, 1, numbers.shape[1])
        phrasing = torch.where(here, numbers.gather(1, variant)[:, 0], phrasing)
        subject = torch.where(here, asked, subject)
        answer = torch.where(here, answer_word, answer)
        pool = torch.where(here[:, None], words, pool)
    options, right = _options(pool, answer, subject, seeds)
    return Questions(phrasing, subject, options, right)


def ask_mazes(mazes: Mazes, seeds: Tensor) -> Questions:
    """Ask about the exit in reach of each maze; arguments as for `ask_scenes`."""
    words = torch.tensor([WORDS.index(name) for name in EXIT_COLOURS], device=seeds.device)
    corner = words[mazes.exit_colour]
    order = permutation(seeds, 35, OPTIONS)
    numbers = torch.tensor(_numbers("exit"), device=seeds.device)
    phrasing = numbers[integers(seeds, 34, 1, len(numbers))[:, 0]]
    right = (order == mazes.reached[:, None]).int().argmax(dim=1)
    return Questions(phrasing, torch.zeros_like(phrasing), corner.gather(1, order), right)


def _numbers(kind: str, direction: str = "") -> list[int]:
    return [i for i, p in enumerate(PHRASINGS) if p.kind == kind and p.direction == direction]


def _neighbours(cell: Tensor, step: Tensor) -> Tensor:
    """Nearest object of each object in each direction, -1 for none: `[batch, objects, directions]`."""
    row, column = cell // GRID, cell % GRID
    down, right = row[:, None, :] - row[:, :, None], column[:, None, :] - column[:, :, None]
    offset = torch.stack([down, right], dim=-1)[:, :, None]
    along = (offset * step[:, None, :]).sum(-1)
    aside = (offset * (1 - step[:, None, :].abs())).sum(-1)
    distance = torch.where((aside == 0) & (along > 0), along, GRID)
    nearest = distance.argmin(dim=-1)
    return torch.where(distance.amin(dim=-1) < GRID, nearest, -1)


def _options(pool: Tensor, answer: Tensor, subject: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Four words of the scene, the answer among them, the subject not; and where the answer is."""
    # Rank the answer first and the subject last, take four, then shuffle them.
    order = permutation(seeds, 36, OBJECTS)
    shuffled = pool.gather(1, order)
    rank = torch.where(shuffled == answer[:, None], -1, torch.where(shuffled == subject[:, None], 1, 0))
    four = shuffled.gather(1, rank.argsort(dim=1, stable=True)[:, :OPTIONS])
    options = four.gather(1, permutation(seeds, 37, OPTIONS))
    return options, (options == answer[:, None]).int().argmax(dim=1)
