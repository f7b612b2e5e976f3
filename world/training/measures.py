"""Quick measures on the development split while mini trains; the real evaluation runs the graph (`g2u world eval`)."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from g2u.edits.library import NONE
from g2u.models.mini.transformer import MiniTransformer

from ..items.conditions import present
from ..items.items import after, case_name, gold_edits
from ..items.tasks import CELLS, HELD_OUT, TRAINED, Case, Pictures
from ..judging.fidelity import psnr
from ..pictures.mazes import TRACES
from ..questions.questions import Questions
from ..seeds import SPLITS, choose
from .lessons import Lessons
from .objective import draw, forward, to_signed

DOMAIN_PICTURES: Final = 8000
"""Pictures from which mini learns where those of the world lie."""


@torch.no_grad()
def measure(
    network: MiniTransformer, lessons: Lessons, device: torch.device, items: int, steps: int, tasks: list[str]
) -> dict[str, dict[str, float]]:
    """Read, decide and draw `items` development pictures of every cell of some tasks.

    Returns:
        `"task/case"` to `direct`, `gold`, `wrong` and `truth` (share of right answers from the picture alone, with the
        model's own gold edits one on the other, with its drawing of an edit that does not fit, with the true result),
        `decide` (share of right first decisions) and `psnr` (of the last own edit, dB).
    """

    def drawn_by(source: Tensor, asked: Questions, call: Tensor, number: int) -> Tensor:
        generator = torch.Generator(device).manual_seed(number)
        shape = (items, network.config.patches, network.config.patch_values)
        noise = torch.randn(shape, generator=generator, device=device)
        return draw(network, source, lessons.instructions(asked, call[:, None]).ids[:, 0], lessons.pad, noise, steps)

    names = [call.edit for call in lessons.calls]
    report = {}
    for task, case in CELLS:
        if task not in tasks:
            continue
        seeds = torch.arange(items, device=device) + SPLITS["development"].start
        pictures = Pictures.of(task, seeds)
        asked = pictures.ask(1)
        states: list[Case] = [case]
        for edit in gold_edits(case):
            states.append(after(states[-1], edit))
        flags = torch.tensor([[present(state) for state in states]], device=device).expand(items, -1, -1)
        painted = pictures.paint(flags, torch.zeros_like(seeds))
        seen, truth = painted[:, 0], painted[:, -1]
        row = {"direct": _accuracy(network, lessons, [seen], asked)}
        calls = [torch.full_like(seeds, names.index(edit)) for edit in gold_edits(case)]
        row["decide"] = _decides(network, lessons, seen, asked, calls[0])
        if case:
            drawn = seen
            for number, call in enumerate(calls):
                drawn = drawn_by(drawn, asked, call, number)
            unfit = torch.tensor([name not in (NONE, *gold_edits(case)) for name in names], device=device)
            wrong = drawn_by(seen, asked, choose(seeds, 90, unfit.expand(items, -1)), 0)
            row["wrong"] = _accuracy(network, lessons, [seen, wrong], asked)
            row["gold"] = _accuracy(network, lessons, [seen, drawn], asked)
            row["truth"] = _accuracy(network, lessons, [seen, truth], asked)
            row["psnr"] = psnr(drawn, truth).mean().item()
        report[f"{task}/{case_name(case)}"] = {name: round(value, 4) for name, value in row.items()}
    return report


def world_pictures(
    number: int, device: torch.device, split: str = "development", batch: int = 64
) -> tuple[Tensor, Tensor]:
    """About `number` pictures of a split, of all cells alike.

    Returns:
        Bytes `[pictures, 3, 128, 128]`, and `[pictures]`, int64: the place in `CELLS` of the cell of each.
    """
    each = -(-number // len(CELLS))
    style = HELD_OUT if split == "held-out-style" else TRAINED
    parts = []
    for task, case in CELLS:
        for seeds in (torch.arange(each, device=device) + SPLITS[split].start).split(batch):
            flags = torch.tensor([[present(case)]], device=device).expand(len(seeds), -1, -1)
            parts.append(Pictures.of(task, seeds, style).paint(flags, seeds % len(TRACES))[:, 0])
    return torch.cat(parts), torch.arange(len(CELLS), device=device).repeat_interleave(each)


def _accuracy(network: MiniTransformer, lessons: Lessons, pictures: list[Tensor], asked: Questions) -> float:
    texts = lessons.answers(asked)
    logits, _ = forward(network, [to_signed(p) for p in pictures], [texts.ids])
    first = texts.taught.int().argmax(dim=-1) - 1
    scores = logits[0].gather(2, first[..., None, None].expand(-1, -1, 1, logits[0].shape[-1]))[:, :, 0]
    chances = scores.gather(-1, lessons.word[asked.options.clamp(min=0)]).masked_fill(asked.options < 0, -torch.inf)
    return (chances.argmax(dim=-1) == asked.answer).float().mean().item()


def _decides(network: MiniTransformer, lessons: Lessons, seen: Tensor, asked: Questions, call: Tensor) -> float:
    texts = lessons.decisions(asked, call[:, None], torch.full_like(asked.answer, -1))
    logits, _ = forward(network, [to_signed(seen)], [texts.ids])
    right = (logits[0][:, :, :-1].argmax(dim=-1) == texts.ids[:, :, 1:]) | ~texts.taught[:, :, 1:]
    return right.all(dim=-1).float().mean().item()
