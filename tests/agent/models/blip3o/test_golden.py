"""BLIP3o against outputs of the official program on a tiny checkpoint."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from g2u.models.blip3o.check_golden import FLOAT_BAR, GOLDEN, compare, main, read_golden
from g2u.models.blip3o.checkpoint.weights import load_network
from g2u.models.blip3o.golden.golden import recompute
from g2u.models.blip3o.inference.sampler import flow
from g2u.models.blip3o.network.flow import rotate, rotation

DATA = Path(__file__).parents[3] / "data" / "blip3o"
EXPECTED = {
    *(f"reader/{case}/{name}" for case in ("one", "two", "text") for name in ("logits", "greedy_ids", "greedy_logits")),
    *(f"reader/{case}/image_embeds" for case in ("one", "two")),
    *(f"draw/{name}/{what}" for name in ("text", "negative", "reconstruct") for what in ("query_hidden", "features")),
    *(f"draw/{name}/{what}" for name in ("text", "reconstruct") for what in ("v_cond", "v_uncond", "timesteps_long")),
    *(f"draw/{name}/final_latent" for name in ("text_steps5_cfg1.5", "text_steps12_cfg1")),
    *(f"dit_internal/{what}" for what in ("rope_cos_sin", "time_freq", "block2_out", "velocity")),
    *(
        f"decode/{name}/{what}"
        for name in ("text", "reconstruct")
        for what in ("unet_input", "eps_cond", "eps_uncond", "final_latents", "image_uint8")
    ),
}


def test_computes_what_the_official_program_computes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(DATA), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = {row["name"]: row for row in said["quantities"]}
    assert found.keys() >= EXPECTED
    assert sum(name.startswith("resize/") for name in found) == 11
    assert all(row["passed"] for row in found.values()) and said["passed"]
    assert max(row["error"] for name, row in found.items() if row["bar"] == FLOAT_BAR) < FLOAT_BAR
    assert said["not_compared"] == [f"dit_internal/block0_{part}" for part in ("cross_attn", "norm1", "self_attn")]


def test_a_mistake_in_the_transformer_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and columns of places are swapped."""
    network = load_network(DATA / "model", "blip3o-8b", "float32")
    meta, golden = read_golden(DATA)
    right = rotation(8, 16, torch.device("cpu"))
    swapped = right.unflatten(0, (8, 8)).transpose(0, 1).flatten(0, 1)
    monkeypatch.setattr("g2u.models.blip3o.network.flow.rotate", lambda x, turns: rotate(x, swapped))
    wrong = {}
    for name, ours in recompute(network, DATA, golden, meta):
        if name in golden and not compare(name, ours, golden[name]).passed:
            wrong[name] = compare(name, ours, golden[name]).error
        if name == "draw/text/features":
            break
    assert wrong["draw/text/features"] == pytest.approx(0.23, abs=0.06)
    assert not any(name.startswith("reader/") for name in wrong)


def test_the_worst_step_of_a_sampler_counts() -> None:
    theirs = torch.ones(4, 3)
    ours = theirs.clone()
    ours[2] += 1e-3
    assert compare("draw/text/v_cond", ours, theirs).error == pytest.approx(1e-3, rel=1e-3)
    assert compare("draw/text/features", ours, theirs).error == pytest.approx(5e-4, rel=1e-3)


def test_bytes_and_whole_numbers_have_errors_of_their_own() -> None:
    levels = torch.tensor([0, 1, 255, 7], dtype=torch.uint8)
    far = compare("decode/text/image_uint8", levels + torch.tensor([1, 2, 0, 0], dtype=torch.uint8), levels)
    assert (far.error, far.passed) == (0.25, False)
    assert not compare("reader/one/greedy_ids", torch.tensor([1, 3]), torch.tensor([1, 2])).passed
    assert not compare("reader/one/greedy_ids", torch.tensor([1]), torch.tensor([1, 2])).passed


def test_the_command_fails_on_other_outputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(DATA, tmp_path / "golden")
    golden = load_file(folder / GOLDEN)
    golden["reader/text/logits"][0, 0] += 0.01
    save_file(golden, folder / GOLDEN)
    assert main([str(folder)]) == 1
    (over,) = [line for line in capsys.readouterr().out.splitlines() if "OVER THE BAR" in line]
    assert over.startswith("reader/text/logits")


def test_the_command_refuses_what_is_no_such_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "not a folder of golden outputs: it has no meta.json, golden_fp32.safetensors, model/" in (
        capsys.readouterr().err
    )
    folder = shutil.copytree(DATA, tmp_path / "golden")
    (folder / "r.png").unlink()
    assert main([str(folder)]) == 2
    assert "it has no r.png. Name a folder with model/" in capsys.readouterr().err
    (folder / "meta.json").write_text("{}", "utf-8")
    assert main([str(folder)]) == 2
    assert "are damaged" in capsys.readouterr().err


def test_drawings_whose_steps_are_taken_by_turns_do_not_meet() -> None:
    """All drawings of a size share what a pass is recorded in."""
    network = load_network(DATA / "model", "blip3o-8b", "float32")
    golden = read_golden(DATA)[1]
    given = [
        (golden[f"draw/{name}/query_hidden"], golden[f"draw/{name}/noise"].flatten(2).transpose(1, 2), 3, 3.0)
        for name in ("text", "reconstruct")
    ]
    with torch.inference_mode():
        alone = [list(flow(network, *one)) for one in given]
        by_turns = list(zip(*(flow(network, *one) for one in given), strict=True))
    for number, steps in enumerate(by_turns):
        assert all(torch.equal(step.result, alone[row][number].result) for row, step in enumerate(steps))
