"""Quick measures on the development split while mini trains; the real evaluation runs the graph (`g2u world eval`)."""

from __future__ import annotations

import torch
from torch import Tensor

from g2u.models.mini.transformer import MiniTransformer
from g2u.world.faults import FAULTS
from g2u.world.items import CELLS, FITTING, sample_batch
from g2u.world.lessons import Lessons
from g2u.world.objective import draw, forward, psnr, to_signed
from g2u.world.questions import Questions
from g2u.world.seeds import SPLITS


@torch.no_grad()
def measure(
    network: MiniTransformer, lessons: Lessons, device: torch.device, items: int, steps: int
) -> dict[str, dict[str, float]]:
    """Read, decide and draw `items` development pictures of every task and fault.

    Returns:
        `"task/fault"` to `direct`, `gold` and `truth` (share of right answers from the picture alone, with the model's
        own fitting edit, with the true result), `decide` (share of right decisions) and `psnr` (of the own edit, dB).
    """
    names = [call.edit for call in lessons.calls]
    report = {}
    for task, fault in CELLS:
        seeds = torch.arange(items, device=device) + SPLITS["development"].start
        batch = sample_batch(task, [list(FAULTS).index(fault)] * items, seeds)
        asked, seen = batch.questions, batch.seen
        row = {"direct": _accuracy(network, lessons, [seen], asked)}
        fitting = FITTING.get((task, fault), "none")
        call = torch.full_like(seeds, names.index(fitting))
        row["decide"] = _decides(network, lessons, seen, asked, call)
        if fitting != "none":
            generator = torch.Generator(device).manual_seed(0)
            shape = (items, network.config.patches, network.config.patch_values)
            noise = torch.randn(shape, generator=generator, device=device)
            drawn = draw(network, seen, lessons.instructions(call).ids, lessons.pad, noise, steps)
            row["gold"] = _accuracy(network, lessons, [seen, drawn], asked)
            row["truth"] = _accuracy(network, lessons, [seen, batch.fixed], asked)
            row["psnr"] = psnr(drawn, batch.fixed).mean().item()
        report[f"{task}/{fault}"] = {name: round(value, 4) for name, value in row.items()}
    return report


def _accuracy(network: MiniTransformer, lessons: Lessons, pictures: list[Tensor], asked: Questions) -> float:
    texts = lessons.answers(asked, torch.ones_like(asked.answer))
    logits, _ = forward(network, [to_signed(p) for p in pictures], [texts.ids])
    first = texts.taught.int().argmax(dim=-1) - 1
    scores = logits[0].gather(2, first[..., None, None].expand(-1, -1, 1, logits[0].shape[-1]))[:, :, 0]
    return (scores.gather(-1, lessons.word[asked.options]).argmax(dim=-1) == asked.answer).float().mean().item()


def _decides(network: MiniTransformer, lessons: Lessons, seen: Tensor, asked: Questions, call: Tensor) -> float:
    texts = lessons.decisions(asked, call[:, None], torch.full_like(asked.answer, -1))
    logits, _ = forward(network, [to_signed(seen)], [texts.ids])
    right = (logits[0][:, :, :-1].argmax(dim=-1) == texts.ids[:, :, 1:]) | ~texts.taught[:, :, 1:]
    return right.all(dim=-1).float().mean().item()
