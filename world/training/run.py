"""A run of training: network, optimizers and curriculum, one step after the other, from a saved state on or anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from g2u.edits.library import NONE, EditLibrary
from g2u.errors import WorldError
from g2u.models.mini.transformer import MiniConfig, MiniTransformer
from g2u.models.mini.weights import load_weights

from ..materials.words import ANSWERS
from ..seeds import SPLITS
from .curriculum import Ablation, Curriculum
from .lessons import Lessons
from .muon import BatchedMuon
from .objective import OWN_DRAWINGS, draw_loss, pair_loss, read_loss, with_own_drawings
from .rows import Step, copied
from .tokenizer import known_words, train_tokenizer

DRAW_WEIGHT, CHOICE_WEIGHT = 2.0, 0.5
"""Weights of the drawing loss and of the decide and reflect losses, beside the answers' of 1."""

WARM_UP, WARM_UP_AGAIN = 100, 20
"""Steps in which the learning rate rises, from nothing and from weights that are there."""
DECAY = 0.4
"""Share of the run, at its end, in which the learning rate falls to nothing."""
EASY = 0.2
"""Share of the run in which faulty pictures are drawn under fitting edits alone."""
OWN_FROM = 0.25
"""Share of the run after which the model draws some of the thoughts that it judges."""
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
        config.answers = sorted(ANSWERS)
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
