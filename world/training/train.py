"""Train mini: `python -m g2u.world.training.train --out DIR`.

No data on disk: every picture and text is made as it is needed. The run is cut into steps; the state is saved as it
goes, state and weights at the end of every piece (`--stop-after`), and the same command goes on from there. Weights are
sharded safetensors with config and tokenizer; the state, which only this program reads, is a torch file of tensors.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import TextIO, get_args

import torch

from g2u.errors import G2UError, UnknownNameError
from g2u.models.mini.domain import measure_domain
from g2u.models.mini.transformer import MiniConfig
from g2u.models.mini.weights import save_weights

from ..items.tasks import TASKS
from .curriculum import Ablation
from .measures import DOMAIN_PICTURES, measure, world_pictures
from .run import Plan, Training

MINUTES = 17.2
"""Time of the shipped run."""
LOG_EVERY = 50
"""Steps between lines of the log."""
SAVE_EVERY = 120.0
"""Seconds between savings of the state."""
STATE = "state.pt"
"""File of the state, in the folder of the run."""


def main() -> None:
    """Parse the command line and train."""
    style = argparse.ArgumentDefaultsHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m g2u.world.training.train", description=__doc__, formatter_class=style
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the state, the log and the weights")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="time of the whole run")
    parser.add_argument("--stop-after", type=float, default=math.inf, help="end this piece after so many seconds")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--scale", type=float, default=0.5, help="rows per step, as a share of the full number")
    parser.add_argument("--tasks", default=",".join(TASKS), help="which to train on, comma-separated")
    parser.add_argument("--ablation", choices=get_args(Ablation), default="nothing", help="what to change on purpose")
    parser.add_argument("--kinds", type=float, nargs=3, default=[1.0, 1.0, 1.0], help="shares of read, pair, draw rows")
    parser.add_argument("--start", default="", help="folder of weights to start from")
    parser.add_argument("--width", type=int, default=MiniConfig().width, help="of the network, a multiple of 64")
    parser.add_argument("--layers", type=int, default=MiniConfig().layers, help="of the network")
    parser.add_argument("--every", type=int, default=1000, help="steps between measures, a multiple of 50")
    parser.add_argument("--items", type=int, default=64, help="pictures per task and case in a measure")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where to train")
    arguments = parser.parse_args()

    tasks = arguments.tasks.split(",")
    if arguments.minutes <= 0:
        parser.error("--minutes is a positive number")
    if unknown := [task for task in tasks if task not in TASKS]:
        parser.error(str(UnknownNameError("task", unknown[0], TASKS)))
    device = torch.device(arguments.device)
    torch.set_float32_matmul_precision("high")
    config = MiniConfig(
        width=arguments.width, layers=arguments.layers, heads=arguments.width // 64, hidden=2 * arguments.width
    )
    plan = Plan(
        seconds=60 * arguments.minutes,
        rate=arguments.rate,
        scale=arguments.scale,
        tasks=tasks,
        ablation=arguments.ablation,
        kinds=arguments.kinds,
        start=arguments.start,
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        training = Training(config, plan, device)
        if (arguments.out / STATE).exists():
            training.load(arguments.out / STATE)
    except G2UError as error:
        parser.error(str(error))
    if device.type == "cuda":
        training.compile()
    train(training, arguments.out, arguments.stop_after, arguments.every, arguments.items)


def train(training: Training, out: Path, stop_after: float, every: int, items: int) -> None:
    """Train until the time of the run or of this piece is over; state, log and weights go to `out`."""
    began, saved = training.spent, time.perf_counter()

    def report(log: TextIO, line: dict[str, object], measured: bool) -> None:
        line = {"step": training.done, "seconds": round(training.spent, 1), **line}
        if measured:
            line["measures"] = measure(
                training.averaged(), training.lessons, training.device, items, 1, list(training.plan.tasks)
            )
        for stream in (log, sys.stdout):
            print(json.dumps(line), file=stream, flush=True)

    with (out / "log.jsonl").open("a") as log:
        while training.share < 1.0 and training.spent - began < stop_after:
            step_began = time.perf_counter()
            losses = training.step()
            if training.done % LOG_EVERY == 0:
                report(log, {name: round(loss.item(), 5) for name, loss in losses.items()}, training.done % every == 0)
            if time.perf_counter() - saved > SAVE_EVERY:
                training.save(out / STATE)
                saved = time.perf_counter()
            training.spent += time.perf_counter() - step_began
        report(log, {}, measured=True)
    training.save(out / STATE)
    network = training.averaged()
    domain = measure_domain(network, *world_pictures(DOMAIN_PICTURES, training.device))
    save_weights(network, training.tokenizer, out / "weights", domain)


if __name__ == "__main__":
    main()
