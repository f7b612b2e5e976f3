"""Training: it learns, it resumes where it stopped, and what it writes can be loaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from g2u.errors import WorldError
from g2u.models.mini import load
from g2u.models.mini.transformer import MiniConfig
from g2u.world.curriculum import Curriculum
from g2u.world.lessons import Lessons
from g2u.world.mazes import TRACES
from g2u.world.tokenizer import VERDICTS, train_tokenizer
from g2u.world.train import Training

TINY = MiniConfig(width=64, layers=1, heads=1, hidden=128)


def training() -> Training:
    run = Training(TINY, seconds=100.0, rate=1.5e-3, scale=0.02, device=torch.device("cpu"))
    run.spent = 30.0  # past the share after which it draws thoughts of its own
    return run


def test_losses_fall() -> None:
    run = training()
    losses = [sum(loss.item() for loss in run.step().values()) for _ in range(60)]
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_a_resumed_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole, first, second = training(), training(), training()
    for _ in range(4):
        whole.step()
    for _ in range(2):
        first.step()
    first.save(tmp_path / "state.pt")
    second.load(tmp_path / "state.pt")
    for _ in range(2):
        second.step()
    for one, other in zip(whole.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert all(torch.equal(one, other) for one, other in zip(whole.average, second.average, strict=True))


def test_a_state_of_other_settings_is_refused(tmp_path: Path) -> None:
    training().save(tmp_path / "state.pt")
    other = Training(TINY, seconds=100.0, rate=1e-3, scale=0.02, device=torch.device("cpu"))
    with pytest.raises(WorldError, match=r"'rate': 0\.0015"):
        other.load(tmp_path / "state.pt")


def test_rows_hold_every_lesson() -> None:
    lessons = Lessons(train_tokenizer(), torch.device("cpu"))
    step = Curriculum(lessons, torch.device("cpu"), scale=0.2).step(torch.tensor(0), easy=False)
    assert set(step.pair.verdict.tolist()) == set(range(len(VERDICTS)))
    drawn = step.draw.target != step.draw.picture[:, None]
    changed = drawn.flatten(2).any(dim=2)
    assert 0.5 < changed[:, 0].float().mean() < 1 and 0.2 < changed[:, 1].float().mean() < 0.7
    instructions = {tuple(line) for line in step.draw.instructions.ids.flatten(0, 1).tolist()}
    assert len(instructions) == len(lessons.calls) - 1 == 5 + len(TRACES)
    keeps = step.pair.verdict == VERDICTS.index("keep")
    assert torch.equal(step.pair.thought[keeps], step.pair.truth[keeps])


def test_easy_steps_draw_fitting_edits_alone() -> None:
    curriculum = Curriculum(Lessons(train_tokenizer(), torch.device("cpu")), torch.device("cpu"), scale=0.05)
    rows = curriculum.step(torch.tensor(0), easy=True).draw
    changed = (rows.target != rows.picture[:, None]).flatten(2).any(dim=2)
    assert torch.equal(changed[:, 0], changed[:, 1])


def test_the_command_writes_weights_that_load(tmp_path: Path) -> None:
    options = ["--minutes", "0.05", "--scale", "0.01", "--width", "64", "--layers", "1", "--items", "2"]
    command = [sys.executable, "-m", "g2u.world.train", "--out", str(tmp_path), "--device", "cpu", *options]
    subprocess.run([*command, "--stop-after", "0.5"], check=True, capture_output=True)
    subprocess.run(command, check=True, capture_output=True)
    first, last = (json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines() if "measures" in line)
    assert 0 < first["share"] < 1.0 == last["share"] and first["step"] < last["step"]
    assert "gold" in last["measures"]["maze/none"]
    model = load(str(tmp_path / "weights"), device="cpu")
    assert model.capabilities.instructions is not None and "Remove the blur." in model.capabilities.instructions
