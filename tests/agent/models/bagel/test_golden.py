"""BAGEL against outputs of the official program on a tiny checkpoint."""

import json
from pathlib import Path

import pytest
import torch

from g2u.models.bagel.check_golden import KINDS, check_golden, compare, main

DATA = Path(__file__).parents[3] / "data" / "bagel"
UNDERSTOOD = ("k_last_layer", "v_last_layer", "kv_len", "kv_len_after_images", "rope", "step_logits", "decoded_ids")
DRAWN = ("x_t", "t", "v", "latent", "image_uint8")
QUANTITIES = {
    "t2i/image_uint8",
    *(f"{name}/{quantity}" for name in ("und_one", "und_two") for quantity in UNDERSTOOD),
    *(
        f"edit_{mode}/{quantity}"
        for mode in ("text_channel", "channel", "global_interval", "paper")
        for quantity in DRAWN
    ),
}


@pytest.mark.parametrize("execution", ["plain", "fast"])
@pytest.mark.parametrize("kind", KINDS)
def test_computes_what_the_official_program_computes(golden: Path, kind: str, execution: str) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    results = {result.name: result for result in check_golden(golden, [kind], device, execution)}
    assert {name.removeprefix(f"{kind}/") for name in results if not name.startswith("resize/")} == QUANTITIES
    assert sum(name.startswith("resize/") for name in results) == 10
    assert [result for result in results.values() if not result.passed] == []


def test_the_command_says_whether_all_is_within_the_bars(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(golden), "--json", "--kind", "fp32"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["passed"]
    assert {"name", "error", "bar", "passed"} == set(said["quantities"][0])


def test_a_folder_without_an_autoencoder_is_completed_from_its_seed(
    golden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(DATA), "--json", "--kind", "fp32"]) == 0
    said = capsys.readouterr()
    assert "has no ae.safetensors: its weights were drawn from the seed 11 in meta.json" in said.err
    whole = json.loads(said.out)
    assert whole["autoencoder_drawn_from"] == 11
    assert main([str(golden), "--json", "--kind", "fp32"]) == 0
    said = capsys.readouterr()
    assert not said.err and json.loads(said.out) == whole | {"autoencoder_drawn_from": None}
    for file in DATA.iterdir():
        (tmp_path / file.name).symlink_to(file)
    meta = json.loads((DATA / "meta.json").read_text("utf-8"))
    (tmp_path / "meta.json").unlink()
    (tmp_path / "meta.json").write_text(json.dumps({key: meta[key] for key in meta if key != "seed"}), "utf-8")
    assert main([str(tmp_path), "--kind", "fp32"]) == 2
    assert "no ae.safetensors, and its meta.json has no seed" in capsys.readouterr().err


def test_the_command_fails_on_other_sizes(golden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in golden.iterdir():
        (tmp_path / file.name).symlink_to(file)
    meta = json.loads((golden / "meta.json").read_text("utf-8"))
    meta["resize_table"][0]["vae"] = [512, 512]
    (tmp_path / "meta.json").unlink()
    (tmp_path / "meta.json").write_text(json.dumps(meta), "utf-8")
    assert main([str(tmp_path), "--kind", "fp32"]) == 1
    assert "resize/1024x1024" in next(line for line in capsys.readouterr().out.splitlines() if "OVER THE BAR" in line)


def test_the_command_refuses_another_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "not a folder of golden outputs" in capsys.readouterr().err


def test_errors_are_those_of_the_kind_of_number() -> None:
    floats, levels = torch.tensor([3.0, 4.0]), torch.tensor([0, 1, 255], dtype=torch.uint8)
    golden = {
        "fp32/floats": floats,
        "fp32/levels": levels,
        "fp32/words": torch.tensor([1, 2]),
        "bf16_autocast/floats": floats,
        "fp32_autocast/floats": 1.01 * floats,
    }
    assert compare("fp32/floats", 1.001 * floats, golden).error == pytest.approx(1e-3, rel=1e-3)
    assert compare("fp32/levels", levels + torch.tensor([1, 2, 0], dtype=torch.uint8), golden).error == pytest.approx(
        1 / 3
    )
    assert not compare("fp32/words", torch.tensor([1, 3]), golden).passed
    assert not compare("fp32/words", torch.tensor([1]), golden).passed
    assert compare("bf16_autocast/floats", 1.014 * floats, golden).passed
    assert not compare("bf16_autocast/floats", 1.016 * floats, golden).passed
