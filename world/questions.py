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
from g2u.world.seeds import choose, constant, integers, permutation

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
    """Questions about a batch of pictures; index tensors on the pictures' device."""

    phrasing: Tensor
    """`[batch, questions]`, index into `PHRASINGS`."""
    subject: Tensor
    """`[batch, questions]`, index into `WORDS`; 0 where the phrasing has no subject."""
    options: Tensor
    """`[batch, questions, 4]`, indices into `WORDS`, in the order shown."""
    answer: Tensor
    """`[batch, questions]`, which of the options is right."""

    def __getitem__(self, index: tuple[int | slice, ...]) -> Questions:
        """The questions at `index`, which indexes the leading axes."""
        return Questions(*(tensor[index] for tensor in vars(self).values()))

    def text(self) -> str:
        """In words; for a single question, whose tensors have no leading axes."""
        return PHRASINGS[int(self.phrasing)].text.format(subject=WORDS[int(self.subject)])

    def option_words(self) -> list[str]:
        """The options in words; for a single question."""
        return [WORDS[int(index)] for index in self.options]


def ask_scenes(scenes: Scenes, seeds: Tensor, count: int, kinds: tuple[str, ...]) -> Questions:
    """Ask questions about each scene.

    Args:
        scenes: What is in the pictures.
        seeds: `[batch]`, int64.
        count: Questions per scene.
        kinds: Which of `colour`, `shape` and `beside` may be asked, evenly.
    """
    device = seeds.device
    seeds = _one_each(seeds, count)
    batch = seeds.shape[0]
    scene_shape, scene_colour, cell = (
        tensor.repeat_interleave(count, dim=0) for tensor in (scenes.shape, scenes.colour, scenes.cell)
    )
    rows = torch.arange(batch, device=device)
    kind = integers(seeds, 31, 1, len(kinds))[:, 0]
    step = constant(tuple(DIRECTIONS.values()), device)
    neighbour = _neighbours(cell[:, :OBJECTS], step)
    pair = choose(seeds, 32, (neighbour >= 0).view(batch, -1))
    anchor = integers(seeds, 33, 1, OBJECTS)[:, 0]
    colours, shapes = scene_colour + _COLOUR_WORD, scene_shape + _SHAPE_WORD

    phrasing, subject = torch.zeros_like(kind), torch.zeros_like(kind)
    answer, pool = torch.zeros_like(kind), torch.zeros_like(colours)
    for index, name in enumerate(kinds):
        here = kind == index
        if name == "beside":
            direction = pair % len(DIRECTIONS)
            target = pair // len(DIRECTIONS)
            numbers = constant(tuple(_numbers(name, words) for words in DIRECTIONS), device)[direction]
            asked, found, words = shapes[rows, target], neighbour.view(batch, -1)[rows, pair], shapes
            answer_word = shapes[rows, found.clamp(min=0)]
        else:
            numbers = constant(_numbers(name), device).expand(batch, -1)
            asked = (shapes if name == "colour" else colours)[rows, anchor]
            words = colours if name == "colour" else shapes
            answer_word = words[rows, anchor]
        variant = integers(seeds, 34, 1, numbers.shape[1])
        phrasing = torch.where(here, numbers.gather(1, variant)[:, 0], phrasing)
        subject = torch.where(here, asked, subject)
        answer = torch.where(here, answer_word, answer)
        pool = torch.where(here[:, None], words, pool)
    options, right = _options(pool, answer, subject, seeds)
    return _by_picture(Questions(phrasing, subject, options, right), count)


def ask_mazes(mazes: Mazes, seeds: Tensor, count: int) -> Questions:
    """Ask about the exit in reach of each maze; arguments as for `ask_scenes`."""
    seeds = _one_each(seeds, count)
    words = constant(tuple(WORDS.index(name) for name in EXIT_COLOURS), seeds.device)
    corner = words[mazes.exit_colour].repeat_interleave(count, dim=0)
    order = permutation(seeds, 35, OPTIONS)
    numbers = constant(_numbers("exit"), seeds.device)
    phrasing = numbers[integers(seeds, 34, 1, len(numbers))[:, 0]]
    right = (order == mazes.reached.repeat_interleave(count)[:, None]).int().argmax(dim=1)
    return _by_picture(Questions(phrasing, torch.zeros_like(phrasing), corner.gather(1, order), right), count)


def _one_each(seeds: Tensor, count: int) -> Tensor:
    return (seeds[:, None] * count + torch.arange(count, device=seeds.device)).flatten()


def _by_picture(questions: Questions, count: int) -> Questions:
    return Questions(*(tensor.unflatten(0, (-1, count)) for tensor in vars(questions).values()))


def _numbers(kind: str, direction: str = "") -> tuple[int, ...]:
    return tuple(i for i, p in enumerate(PHRASINGS) if p.kind == kind and p.direction == direction)


def _neighbours(cell: Tensor, step: Tensor) -> Tensor:
    """Nearest object of each object in each direction, -1 for none: `[batch, objects, directions]`."""
    row, column = cell // GRID, cell % GRID
    down, right = row[:, None, :] - row[:, :, None], column[:, None, :] - column[:, :, None]
    offset = torch.stack([down, right], dim=-1)[:, :, None]
    along = (offset * step[:, None, :]).sum(-1)
    aside = (offset * (1 - step[:, None, :].abs())).sum(-1)
    distance = along.masked_fill((aside != 0) | (along <= 0), GRID)
    nearest = distance.argmin(dim=-1)
    return nearest.masked_fill(distance.amin(dim=-1) == GRID, -1)


def _options(pool: Tensor, answer: Tensor, subject: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Four words of the scene, the answer among them, the subject not; and where the answer is."""
    # Rank the answer first and the subject last, take four, then shuffle them.
    order = permutation(seeds, 36, OBJECTS)
    shuffled = pool.gather(1, order)
    rank = (shuffled == subject[:, None]).int() - (shuffled == answer[:, None]).int()
    four = shuffled.gather(1, rank.argsort(dim=1, stable=True)[:, :OPTIONS])
    options = four.gather(1, permutation(seeds, 37, OPTIONS))
    return options, (options == answer[:, None]).int().argmax(dim=1)
