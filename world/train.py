"""Train mini: `python -m g2u.world.train --out DIR`.

One process, one accelerator, no data on disk: every picture and text is made as it is needed. The run is cut into steps,
its state is saved at the end of every piece (`--seconds`), and the same command goes on from there; the last piece writes
the weights as sharded safetensors with config and tokenizer.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import torch
from torch import Tensor

from g2u.models.mini.transformer import MiniConfig, MiniTransformer
from g2u.models.mini.weights import save_weights
from g2u.world.curriculum import Curriculum, Step
from g2u.world.lessons import Lessons
from g2u.world.measures import measure
from g2u.world.objective import OWN_DRAWINGS, draw_loss, pair_loss, read_loss, with_own_drawings
from g2u.world.tokenizer import train_tokenizer

DRAW_WEIGHT, CHOICE_WEIGHT = 2.0, 0.3
"""Weights of the drawing loss and of the decide and reflect losses, beside the answers' of 1."""

EMA = 0.999


class Training:
    """A run of training that can stop and go on.

    Args:
        config: Shape of the network.
        steps: Steps of the whole run; the learning rate follows their share done.
        rate: Peak learning rate.
        optimizer: `adamw`, or `muon` for the matrices of the layers and AdamW for the rest.
        scale: Rows per step, as a share of the full number.
        device: Where to train.
    """

    def __init__(
        self, config: MiniConfig, steps: int, rate: float, optimizer: str, scale: float, device: torch.device
    ) -> None:
        """Make the network, its average, the optimizers and the curriculum."""
        torch.manual_seed(0)
        self.device = device
        self.steps = steps
        self.rate = rate
        self.done = 0
        self.tokenizer = train_tokenizer(config.vocabulary)
        self.lessons = Lessons(self.tokenizer, device)
        self.curriculum = Curriculum(self.lessons, device, easy=steps // 5, scale=scale)
        self.network = MiniTransformer(config).to(device)
        self.average = [p.detach().clone() for p in self.network.parameters()]
        self.optimizers = _optimizers(self.network, optimizer, rate)
        self._drawings = max(2, round(OWN_DRAWINGS * scale))

    def compile(self) -> None:
        """Fuse each layer; worth it on a GPU alone."""
        for layer in self.network.layers:
            layer.compile(dynamic=False)

    def step(self) -> dict[str, Tensor]:
        """Train on the rows of one step; returns the losses."""
        generator = torch.Generator(self.device).manual_seed(self.done)
        share = self.done / self.steps
        rate = min(1.0, (self.done + 1) / 200, max(0.0, (1.0 - share) / 0.4))
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
        rows = self.curriculum.step(self.done)
        with torch.autocast(self.device.type, torch.bfloat16):
            if share > 0.25:
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
        keep = min(EMA, self.done / (self.done + 10))
        torch._foreach_lerp_(self.average, list(self.network.parameters()), 1.0 - keep)
        return {"read": read, "answer": answer, "verdict": verdict, "decision": decision, "drawing": drawing}

    def _draw_own(self, rows: Step, generator: torch.Generator) -> Step:
        shape = (self._drawings, self.network.config.patches, self.network.config.patch_values)
        noise = torch.randn(shape, generator=generator, device=self.device)
        return with_own_drawings(
            self.network, rows, self.lessons.instructions(rows.pair.call), self.lessons.pad, noise
        )

    def averaged(self) -> MiniTransformer:
        """A network with the averaged weights, the ones that are measured and shipped."""
        network = MiniTransformer(self.network.config).to(self.device).eval()
        with torch.no_grad():
            for own, average in zip(network.parameters(), self.average, strict=True):
                own.copy_(average)
        return network

    def save(self, file: Path) -> None:
        """Write everything that `load` needs to go on, atomically."""
        state = {
            "done": self.done,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        torch.save(state, file.with_suffix(".new"))
        file.with_suffix(".new").replace(file)

    def load(self, file: Path) -> None:
        """Go on from a saved state."""
        state = torch.load(file, map_location=self.device, weights_only=True)
        self.done = state["done"]
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


def _optimizers(network: MiniTransformer, name: str, rate: float) -> list[torch.optim.Optimizer]:
    fused = next(network.parameters()).is_cuda
    matrices = [p for p in network.layers.parameters() if p.ndim == 2]
    in_layers = {id(p) for p in matrices}
    decayed = [p for p in network.parameters() if p.ndim == 2 and id(p) not in in_layers]
    rest = [p for p in network.parameters() if p.ndim != 2]
    options = {"betas": (0.9, 0.95), "fused": fused}
    groups = [
        {"params": decayed, "weight_decay": 0.05, "peak": rate},
        {"params": rest, "weight_decay": 0.0, "peak": rate},
    ]
    if name == "adamw":
        groups.append({"params": matrices, "weight_decay": 0.05, "peak": rate})
        return [torch.optim.AdamW(groups, **options)]
    muon = torch.optim.Muon(matrices, lr=rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
    muon.param_groups[0]["peak"] = rate
    return [torch.optim.AdamW(groups, **options), muon]


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m g2u.world.train", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the state, the log and the weights")
    parser.add_argument("--steps", type=int, default=5000, help="steps of the whole run")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop this piece after so many seconds")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="peak learning rate")
    parser.add_argument("--optimizer", choices=["adamw", "muon"], default="adamw")
    parser.add_argument("--scale", type=float, default=1.0, help="rows per step, as a share of the full number")
    parser.add_argument("--width", type=int, default=MiniConfig().width)
    parser.add_argument("--layers", type=int, default=MiniConfig().layers)
    parser.add_argument("--every", type=int, default=500, help="steps between measures")
    parser.add_argument("--items", type=int, default=256, help="pictures per task and fault in a measure")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()

    began = time.perf_counter()
    arguments.out.mkdir(parents=True, exist_ok=True)
    device = torch.device(arguments.device)
    torch.set_float32_matmul_precision("high")
    config = MiniConfig(
        width=arguments.width, layers=arguments.layers, heads=arguments.width // 64, hidden=2 * arguments.width
    )
    training = Training(config, arguments.steps, arguments.rate, arguments.optimizer, arguments.scale, device)
    state = arguments.out / "state.pt"
    if state.exists():
        training.load(state)
    if device.type == "cuda":
        training.compile()
    with (arguments.out / "log.jsonl").open("a") as log:
        while training.done < training.steps and time.perf_counter() - began < arguments.seconds:
            losses = training.step()
            if training.done % 50 == 0 or training.done == training.steps:
                line: dict[str, object] = {"step": training.done, "seconds": round(time.perf_counter() - began, 1)}
                line |= {name: round(loss.item(), 5) for name, loss in losses.items()}
                if training.done % arguments.every == 0 or training.done == training.steps:
                    line["measures"] = measure(training.averaged(), training.lessons, device, arguments.items, steps=2)
                print(json.dumps(line), file=log, flush=True)
                print(json.dumps(line), flush=True)
    training.save(state)
    if training.done == training.steps:
        save_weights(training.averaged(), training.tokenizer, arguments.out / "weights")


if __name__ == "__main__":
    main()
