"""Folders of weights: what is wrong with one is said at once and with the next command; what names one."""

import json
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from g2u.errors import BudgetError, WeightsError
from g2u.models.blip3o.checkpoint.identity import digest_folder
from g2u.models.blip3o.checkpoint.weights import BEGINNINGS, load_network, read_stored
from g2u.models.blip3o.load import load
from g2u.models.blip3o.memory import kept_bytes, run_bytes, token_bytes, weight_bytes
from g2u.models.blip3o.needs import examine
from g2u.models.blip3o.network.config import Blip3oConfig
from g2u.models.registry import examine_model
from g2u.models.tensor_files import check_memory, renamed
from tests.agent.models.blip3o.making import make_folder

SIZES = Path(__file__).parents[4] / "benchmarks" / "blip3o_sizes.py"
UNET_FILE = "diffusion-decoder/unet/diffusion_pytorch_model.bf16.safetensors"
VAE_FILE = "diffusion-decoder/vae/diffusion_pytorch_model.bf16.safetensors"
NEXT = "Download all of it with `hf download BLIP3o/BLIP3o-Model-8B --local-dir DIR`."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One whose files may be changed."""
    return make_folder(tmp_path / "weights", shards=1)


def rewrite(file: Path, **changes: object) -> None:
    content = json.loads(file.read_text("utf-8")) | changes
    kept = {name: value for name, value in content.items() if value is not None}
    file.write_text(json.dumps(kept), "utf-8")


def retensor(file: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    state = load_file(file)
    change(state)
    save_file(state, file)


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    # name of the case: what is changed, what the error says
    "an empty folder": (
        lambda at: [shutil.rmtree(at), at.mkdir()],
        "is not a whole folder of BLIP3o: it has no config.json, model.safetensors, " + UNET_FILE,
    ),
    "no decoder": (
        lambda at: shutil.rmtree(at / "diffusion-decoder"),
        f"it has no {UNET_FILE}, {VAE_FILE}, diffusion-decoder/unet/config.json, diffusion-decoder/vae/config.json, "
        "diffusion-decoder/scheduler/scheduler_config.json.",
    ),
    "no tokenizer": (lambda at: (at / "merges.txt").unlink(), "it has no merges.txt"),
    "a damaged configuration": (lambda at: (at / "config.json").write_text("{"), "config.json is damaged"),
    "another model": (
        lambda at: rewrite(at / "config.json", model_type="qwen2_5_vl"),
        "is of a 'qwen2_5_vl'; one of a 'blip3o_qwen' was expected. Name the folder that `hf download",
    ),
    "no width": (lambda at: rewrite(at / "config.json", hidden_size=None), "reader.hidden_size: Field required"),
    "sections that do not fit": (
        lambda at: rewrite(at / "config.json", rope_scaling={"type": "mrope", "mrope_section": [2, 1, 2]}),
        "the sections of the positions do not add up to half a head",
    ),
    "a reader alone": (
        lambda at: retensor(
            at / "model.safetensors", lambda state: [state.pop(key) for key in list(state) if "dit" in key]
        ),
        "draw nothing: they have no model.dit.model.patch_embedder.proj.weight. A BLIP3o was expected.",
    ),
    "another scheduler": (
        lambda at: rewrite(at / "diffusion-decoder/scheduler/scheduler_config.json", _class_name="DDIMScheduler"),
        "is 'DDIMScheduler', not 'EulerDiscreteScheduler'",
    ),
    "a decoder of other features": (
        lambda at: rewrite(at / "diffusion-decoder/unet/config.json", cross_attention_dim=1280),
        "the pixel decoder takes features of 1280 values, the transformer draws 12",
    ),
    "a truncated file": (lambda at: cut_off(at / VAE_FILE), "is truncated or no safetensors file"),
    "a damaged index": (
        lambda at: [(at / "model.safetensors").unlink(), (at / "model.safetensors.index.json").write_text("{}")],
        "model.safetensors.index.json is damaged",
    ),
}


@pytest.mark.parametrize(("change", "says"), BAD.values(), ids=BAD)
def test_a_bad_folder_is_refused_by_name(change: Callable[[Path], object], says: str, folder: Path) -> None:
    change(folder)
    with pytest.raises(WeightsError) as caught:
        load(str(folder), device="cpu", precision="float32")
    assert says in str(caught.value)
    assert caught.value.hint and ("hf download BLIP3o/BLIP3o-Model-8B" in caught.value.hint)
    if "tokenizer" not in str(caught.value):
        assert not all(check.good for check in examine("blip3o-8b", str(folder)))


def test_every_fault_of_the_keys_is_in_one_error(folder: Path) -> None:
    def change(state: dict[str, torch.Tensor]) -> None:
        del state["visual.merger.ln_q.weight"], state["model.dit.model.layers.1.gate"]
        state["model.layers.0.self_attn.lora.weight"] = torch.zeros(2)
        state["model.norm.weight"] = torch.zeros(33)
        state["lm_head.weight"] = state["lm_head.weight"].double()
        state["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(4)  # a table: not looked at

    retensor(folder / "model.safetensors", change)
    retensor(folder / UNET_FILE, lambda state: state.pop("conv_in.bias"))
    with pytest.raises(WeightsError) as caught:
        load_network(folder, "blip3o-8b")
    assert str(caught.value).startswith("6 faults")
    for part in (
        "missing visual.merger.ln_q.weight",
        "missing model.dit.model.layers.1.gate",
        "missing diffusion-decoder/unet: conv_in.bias",
        "unexpected model.layers.0.self_attn.lora.weight",
        "model.norm.weight has shape [33], not [32]",
        "lm_head.weight is F64, not BF16 or F16 or F32",
    ):
        assert part in str(caught.value)
    assert str(caught.value).endswith(NEXT)


@pytest.mark.parametrize(("key", "where"), [("blip3o-8b", "BLIP3o-Model-8B"), ("blip3o-4b", "BLIP3o-Model-4B")])
def test_no_folder(key: str, where: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        load(key=key)
    assert f"{key!r} comes without weights" in str(caught.value) and f"BLIP3o/{where}" in caught.value.hint
    with pytest.raises(WeightsError, match=r"does not exist\. Name the folder"):
        load(str(tmp_path / "nothing"), key=key)


def test_a_tokenizer_without_the_words_of_drawing(folder: Path) -> None:
    rewrite(folder / "tokenizer_config.json", added_tokens_decoder={})
    with pytest.raises(WeightsError, match=r"is not that of BLIP3o: it has 307 words, and not \[IMG\]\."):
        load(str(folder), device="cpu")
    found = {check.name: check.good for check in examine("blip3o-8b", str(folder))}
    assert (found["weights"], found["tokenizer"]) == (True, False)


def test_old_names_of_the_attention_of_the_autoencoder_are_taken(folder: Path) -> None:
    new = load_network(folder, "blip3o-8b", "float32").vae.state_dict()
    retensor(
        folder / VAE_FILE,
        lambda state: [
            state.update({key.replace(one, other): state.pop(key)})
            for key in list(state)
            for one, other in (("to_q.", "query."), ("to_k.", "key."), ("to_v.", "value."), ("to_out.0.", "proj_attn."))
            if one in key
        ],
    )
    assert any("proj_attn" in key for key in read_stored(folder, "blip3o-8b"))
    old = load_network(folder, "blip3o-8b", "float32").vae.state_dict()
    assert all(torch.equal(new[key], old[key]) for key in new)


def test_keys_of_the_reader_are_those_of_before_transformers_4_52() -> None:
    ours = ("reader.model.language_model.layers.0.mlp.up_proj.weight", "reader.model.visual.merger.ln_q.weight")
    assert list(renamed(ours, BEGINNINGS).values()) == [
        "model.layers.0.mlp.up_proj.weight",
        "visual.merger.ln_q.weight",
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda at: rewrite(at / "config.json", rope_theta=1e4),
        lambda at: rewrite(at / "tokenizer_config.json", pad_token="!"),
        lambda at: (at / "tokenizer.json").write_text("{}"),
        lambda at: (at / "added_tokens.json").write_text("{}"),
        lambda at: rewrite(at / "diffusion-decoder/scheduler/scheduler_config.json", steps_offset=0),
        lambda at: retensor(at / "model.safetensors", lambda state: state["lm_head.weight"].add_(1)),
        lambda at: retensor(at / UNET_FILE, lambda state: state["conv_in.bias"].add_(1)),
        lambda at: retensor(at / VAE_FILE, lambda state: state["decoder.conv_in.bias"].add_(1)),
    ],
)
def test_all_files_are_in_what_names_a_folder(change: Callable[[Path], object], folder: Path) -> None:
    before = digest_folder(folder, "blip3o-8b")
    assert before == digest_folder(folder, "blip3o-8b") and len(before) == 64
    change(folder)
    assert digest_folder(folder, "blip3o-8b") != before


def test_the_doctor_tells_source_licence_comparison_and_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2U_DEVICE", "cpu")
    found = {check.name: check.found for check in examine_model("blip3o-8b", str(folder))}
    assert found["source"] == "https://huggingface.co/BLIP3o/BLIP3o-Model-8B"
    assert found["licence of the weights"].startswith("Apache-2.0")
    assert "check_golden" in found["compared with the official program"]
    assert found["weights"].endswith("all of the right shape and kind")
    assert {"tokenizer", "memory for weights", "memory for one run", "device"} <= found.keys()


def test_memory_of_the_real_one_is_told_from_its_sizes() -> None:
    config = Blip3oConfig.model_validate(runpy.run_path(str(SIZES))["REAL"])
    assert config.picture_side == 1024 and config.feature_side == 8
    assert weight_bytes(config) / 2**30 == pytest.approx(22.9, abs=0.3)
    assert token_bytes(config) == 57344
    assert 2 * 2**30 < run_bytes(config) < 8 * 2**30
    assert kept_bytes(2**33, 2**33 + 5) == 5 and kept_bytes(2**33, 2**30) == 0


def test_too_little_memory() -> None:
    check_memory(5, 5)
    with pytest.raises(BudgetError, match=r"need 23\.0 GiB of GPU memory, 8\.0 GiB are free"):
        check_memory(23 * 2**30, 2**33)
