"""Train mini: `python -m g2u.world.train --out DIR`.

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
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO, get_args

import torch
from torch import Tensor

from g2u.edits import NONE, EditLibrary
from g2u.errors import G2UError, UnknownNameError, WorldError
from g2u.models.mini.domain import measure_domain
from g2u.models.mini.transformer import MiniConfig, MiniTransformer
from g2u.models.mini.weights import load_weights, save_weights
from g2u.world.curriculum import Ablation, Curriculum
from g2u.world.lessons import Lessons
from g2u.world.measures import DOMAIN_PICTURES, measure, world_pictures
from g2u.world.muon import BatchedMuon
from g2u.world.objective import OWN_DRAWINGS, draw_loss, pair_loss, read_loss, with_own_drawings
from g2u.world.rows import Step, copied
from g2u.world.seeds import SPLITS
from g2u.world.tasks import TASKS
from g2u.world.tokenizer import known_words, train_tokenizer

DRAW_WEIGHT, CHOICE_WEIGHT = 2.0, 0.5
"""Weights of the drawing loss and of the decide and reflect losses, beside the answers' of 1."""

MINUTES = 17.2
"""Time of the shipped run."""
WARM_UP, WARM_UP_AGAIN = 100, 20
"""Steps in which the learning rate rises, from nothing and from weights that are there."""
DECAY = 0.4
"""Share of the run, at its end, in which the learning rate falls to nothing."""
EASY = 0.2
"""Share of the run in which faulty pictures are drawn under fitting edits alone."""
OWN_FROM = 0.25
"""Share of the run after which the model draws some of the thoughts that it judges."""
LOG_EVERY = 50
"""Steps between lines of the log."""
SAVE_EVERY = 120.0
"""Seconds between savings of the state."""
STATE = "state.pt"
"""File of the state, in the folder of the run."""
AVERAGE = 0.08
"""Share of the steps so far over which the weights are averaged."""


@dataclass(frozen=True)
class _Ahead:
    """Rows under way on a stream of their own."""

    sort: tuple[int, bool]
    """Number of the step, and whether it is an easy one."""
    stream: torch.cuda.Stream
    rows: Step


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run of training is; a run that goes on must have the same."""

    seconds: float
    """Time that the whole run may take; learning rate and curriculum follow the share of it that is spent."""
    rate: float
    """Peak learning rate."""
    scale: float
    """Rows per step, as a share of the full number."""
    tasks: Sequence[str]
    ablation: Ablation = "nothing"
    kinds: Sequence[float] = (1.0, 1.0, 1.0)
    """Rows of each kind, see `Curriculum`."""
    start: str = ""
    """Folder of the weights to start from; empty for none. A run that has some begins with the whole curriculum."""


class Training:
    """A run of training that can stop and go on.

    Args:
        config: Shape of the network.
        plan: What to do.
        device: Where to train.
    """

    def __init__(self, config: MiniConfig, plan: Plan, device: torch.device) -> None:
        """Make the network, its average, the optimizers and the curriculum."""
        torch.manual_seed(0)
        self.device = device
        self.plan = plan
        self.spent = 0.0
        self.done = 0
        self.tokenizer = train_tokenizer(config.vocabulary)
        config.vocabulary = len(self.tokenizer)
        self.lessons = Lessons(self.tokenizer, device)
        self.curriculum = Curriculum(self.lessons, device, plan.scale, plan.tasks, plan.ablation, plan.kinds)
        library = EditLibrary.load()
        config.instructions = [library.instruction(call) for call in self.lessons.calls if call.edit != NONE]
        config.known_words = known_words()
        with device:
            self.network = MiniTransformer(config)
        if plan.start:
            start = load_weights(Path(plan.start), device, with_domain=False)
            self.network.load_state_dict(start.network.state_dict())
        self.average = [p.detach().clone() for p in self.network.parameters()]
        self.optimizers = _optimizers(self.network, plan.rate)
        self._drawings = max(2, round(OWN_DRAWINGS * plan.scale))
        self._first = torch.zeros((), dtype=torch.int64, device=device)
        self._recorded: dict[bool, tuple[torch.cuda.CUDAGraph, Step]] = {}
        self._ahead: _Ahead | None = None

    @property
    def share(self) -> float:
        """How much of the run is behind, in [0, 1]."""
        return min(1.0, self.spent / self.plan.seconds)

    def compile(self) -> None:
        """Fuse each layer; worth it on a GPU alone."""
        for layer in self.network.layers:
            layer.compile(dynamic=False)

    def step(self) -> dict[str, Tensor]:
        """Train on the rows of one step; returns the losses."""
        generator = torch.Generator(self.device).manual_seed(self.done)
        rate = min(1.0, (self.done + 1) / (WARM_UP_AGAIN if self.plan.start else WARM_UP), (1.0 - self.share) / DECAY)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
        rows = self._make_rows(self.done, self.share < EASY and not self.plan.start)
        with torch.autocast(self.device.type, torch.bfloat16):
            if self.share > OWN_FROM or self.plan.start:
                rows = self._draw_own(rows, generator)
            read = read_loss(self.network, rows.read)
            answer, verdict = pair_loss(self.network, rows.pair)
            decision, drawing = draw_loss(self.network, rows.draw, self.lessons.pad, generator)
            loss = read + answer + CHOICE_WEIGHT * (verdict + decision) + DRAW_WEIGHT * drawing
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.done += 1
        keep = 1.0 - 1.0 / (1.0 + AVERAGE * self.done)
        with torch.no_grad():
            torch._foreach_lerp_(self.average, list(self.network.parameters()), 1.0 - keep)
        return {"read": read, "answer": answer, "verdict": verdict, "decision": decision, "drawing": drawing}

    def _make_rows(self, number: int, easy: bool) -> Step:
        """The rows of a step; on a GPU they are made beside the training of the step before."""
        if self.device.type != "cuda":
            return self.curriculum.step(self._seed(number), easy)
        if self._ahead is None or self._ahead.sort != (number, easy):
            self._make_ahead(number, easy)
        assert self._ahead is not None
        main = torch.cuda.current_stream()
        main.wait_stream(self._ahead.stream)
        rows = copied(self._ahead.rows)
        self._make_ahead(number + 1, easy)
        return rows

    def _make_ahead(self, number: int, easy: bool) -> None:
        """Start making rows on a stream of their own; their thousands of small kernels are recorded and replayed."""
        stream = torch.cuda.Stream() if self._ahead is None else self._ahead.stream
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            first = self._seed(number)
            if easy not in self._recorded:
                self.curriculum.step(first, easy)  # once before recording, so that all constants are in place
                stream.synchronize()
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph, stream=stream):
                    rows = self.curriculum.step(first, easy)
                self._recorded[easy] = graph, rows
            graph, rows = self._recorded[easy]
            graph.replay()
        self._ahead = _Ahead((number, easy), stream, rows)

    def _seed(self, number: int) -> Tensor:
        return self._first.fill_(SPLITS["train"].start + number * self.curriculum.seeds_per_step())

    def _draw_own(self, rows: Step, generator: torch.Generator) -> Step:
        shape = (self._drawings, self.network.config.patches, self.network.config.patch_values)
        noise = torch.randn(shape, generator=generator, device=self.device)
        return with_own_drawings(self.network, rows, self.lessons.pad, noise)

    def averaged(self) -> MiniTransformer:
        """A network with the averaged weights, the ones that are measured and shipped."""
        with self.device, torch.no_grad():
            network = MiniTransformer(self.network.config)
            for own, average in zip(network.parameters(), self.average, strict=True):
                own.copy_(average)
        return network

    def _settings(self) -> dict[str, object]:
        config = self.network.config
        plan = asdict(self.plan) | {"tasks": list(self.plan.tasks), "kinds": list(self.plan.kinds)}
        return {**plan, "width": config.width, "layers": config.layers}

    def save(self, file: Path) -> None:
        """Write everything that `load` needs to go on, atomically."""
        state = {
            "settings": self._settings(),
            "done": self.done,
            "spent": self.spent,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        torch.save(state, file.with_suffix(".new"))
        file.with_suffix(".new").replace(file)

    def load(self, file: Path) -> None:
        """Go on from a saved state.

        Raises:
            WorldError: It was saved by a run with other settings.
        """
        state = torch.load(file, map_location=self.device, weights_only=True)
        if state["settings"] != self._settings():
            hint = "Give the same settings to go on with it, or another folder."
            raise WorldError(f"{file} is of a run with {state['settings']}, not {self._settings()}.", hint)
        self.done, self.spent = state["done"], state["spent"]
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


def _optimizers(network: MiniTransformer, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for embeddings, heads, norms and biases."""
    matrices = [p for p in network.layers.parameters() if p.ndim == 2]
    in_layers = {id(p) for p in matrices}
    decayed = [p for p in network.parameters() if p.ndim == 2 and id(p) not in in_layers]
    rest = [p for p in network.parameters() if p.ndim != 2]
    adamw = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}],
        lr=rate,
        betas=(0.9, 0.95),
        fused=matrices[0].is_cuda,
    )
    muon = BatchedMuon(matrices, lr=rate)
    for group in (*adamw.param_groups, *muon.param_groups):
        group["peak"] = rate
    return [adamw, muon]


def main() -> None:
    """Parse the command line and train."""
    style = argparse.ArgumentDefaultsHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m g2u.world.train", description=__doc__, formatter_class=style)
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
