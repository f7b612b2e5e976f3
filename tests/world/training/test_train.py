"""Training: it learns, it resumes where it stopped, and what it writes can be loaded."""

import json
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from g2u.errors import WorldError
from g2u.models.mini.load import load
from g2u.models.mini.transformer import MiniConfig
from g2u.models.mini.weights import load_weights, save_weights
from g2u.world.materials.words import ANSWERS
from g2u.world.training import train as module
from g2u.world.training.run import Plan, Training
from g2u.world.training.train import main

CPU = torch.device("cpu")
TASKS = ("maze", "crowd")


def training(spent: float = 30.0, **changes: Any) -> Training:
    """A tiny run, past the share after which it draws thoughts of its own."""
    config = MiniConfig(width=64, layers=2, heads=1, hidden=128)
    plan: dict[str, Any] = {"seconds": 100.0, "rate": 2e-3, "scale": 0.04, "tasks": TASKS}
    run = Training(config, Plan(**(plan | changes)), CPU)
    run.spent = spent
    return run


def equal(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def weights(run: Training) -> list[torch.Tensor]:
    return [*run.network.parameters(), *run.average]


def test_losses_fall() -> None:
    run = training(rate=1e-2)
    losses = [{name: loss.item() for name, loss in run.step().items()} for _ in range(14)]
    assert list(losses[0]) == ["read", "answer", "verdict", "decision", "drawing"]
    for name in ("read", "verdict", "decision"):
        assert sum(step[name] for step in losses[-3:]) < 0.95 * sum(step[name] for step in losses[:3])
    assert all(0 < step["drawing"] < 2 for step in losses)
    assert run.done == 14


def test_a_resumed_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole, first, second = training(), training(), training(spent=0.0)
    whole.step(), whole.step()
    first.step()
    first.save(tmp_path / "state.pt")
    second.load(tmp_path / "state.pt")
    assert (second.done, second.spent) == (1, 30.0)
    assert not equal(weights(first), weights(whole))
    second.step()
    assert equal(weights(second), weights(whole))
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rate": 1e-3}, r"'rate': 0\.002"),
        ({"ablation": "no-decide"}, "'ablation': 'nothing'"),
    ],
)
def test_a_state_of_other_settings_is_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    training().save(tmp_path / "state.pt")
    with pytest.raises(WorldError, match=says):
        training(**changes).load(tmp_path / "state.pt")


def test_a_run_can_start_from_weights_and_then_begins_with_the_whole_curriculum(tmp_path: Path) -> None:
    taught = training()
    taught.step()
    save_weights(taught.averaged(), taught.tokenizer, tmp_path / "weights")
    begun = training(spent=0.0, start=str(tmp_path / "weights"))
    saved = [*load_weights(tmp_path / "weights", CPU).network.parameters()]
    assert equal([*begun.network.parameters()], saved) and equal(begun.average, saved)
    assert not equal([*training().network.parameters()], saved)
    early = training(spent=0.0)
    begun.step(), early.step()
    rates = [run.optimizers[0].param_groups[0]["lr"] for run in (begun, early)]
    assert rates[0] > rates[1] > 0, "weights that are there need no long warm-up"


def test_the_average_follows_the_weights() -> None:
    run = training()
    before = [parameter.detach().clone() for parameter in run.network.parameters()]
    run.step()
    for start, now, average in zip(before, run.network.parameters(), run.average, strict=True):
        low, high = torch.minimum(start, now) - 1e-6, torch.maximum(start, now) + 1e-6
        assert ((average >= low) & (average <= high)).all()
    assert not equal(run.average, before) and not equal(run.average, [*run.network.parameters()])
    assert equal([*run.averaged().parameters()], run.average)


def test_the_command_writes_weights_that_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "DOMAIN_PICTURES", 300)  # thousands take minutes
    # Whoever looks at the clock finds that a quarter of a second has passed, so steps take as long on any machine.
    monkeypatch.setattr(time, "perf_counter", count(0.0, 0.25).__next__)
    options = ["--minutes", "0.05", "--scale", "0.02", "--width", "64", "--layers", "1", "--items", "2"]
    command = ["train", "--out", str(tmp_path), *options, "--device", "cpu", "--tasks", "maze"]
    monkeypatch.setattr(sys, "argv", [*command, "--stop-after", "0.5"])
    main()
    first = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()][-1]
    assert first["seconds"] == 0.5
    monkeypatch.setattr(sys, "argv", command)
    main()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["seconds"] == 3.0 and lines[-1]["step"] > first["step"]
    assert lines == [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    measures = lines[-1]["measures"]
    assert {cell.split("/")[0] for cell in measures} == {"maze"}
    assert set(measures["maze/untraced"]) == {"direct", "decide", "wrong", "gold", "truth", "psnr"}
    assert set(measures["maze/none"]) == {"direct", "decide"}
    model = load(str(tmp_path / "weights"), device="cpu")
    assert model.capabilities.instructions is not None and "Remove the blur." in model.capabilities.instructions
    assert model.unknown_words("Which exit can be reached from the zzz?") == ["zzz"]
    assert model._network.config.answers == sorted(ANSWERS) and model.capabilities.answers == ANSWERS


def test_the_command_refuses_other_tasks_and_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["train", "--out", str(tmp_path), "--tasks", "maze,shape"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "Did you mean shapes" in capsys.readouterr().err
    training().save(tmp_path / "state.pt")
    options = ["--out", str(tmp_path), "--width", "64", "--layers", "1", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["train", *options])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "is of a run with" in capsys.readouterr().err
