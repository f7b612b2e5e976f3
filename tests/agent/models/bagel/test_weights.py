"""Folders of weights: what is wrong with one is said at once, before anything is computed."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from g2u.errors import BudgetError, WeightsError
from g2u.models.bagel.checkpoint.files import INDEX, MODEL, NAMES, find_model
from g2u.models.bagel.checkpoint.weights import load_network, stored_as
from g2u.models.bagel.network.config import read_config
from g2u.models.bagel.network.network import BagelNetwork
from g2u.models.tensor_files import check_memory

WORDS = "language_model.model.embed_tokens.weight"
LATENT_TABLE = "latent_pos_embed.pos_embed"


@pytest.fixture
def folder(golden: Path, tmp_path: Path) -> Path:
    """A copy whose model file may be changed."""
    for name in ("meta.json", MODEL):
        shutil.copy(golden / name, tmp_path)
    (tmp_path / "ae.safetensors").symlink_to(golden / "ae.safetensors")
    return tmp_path


def refused(folder: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load_network(folder)
    return str(caught.value)


def test_every_fault_of_the_keys_is_in_one_error(folder: Path) -> None:
    state = load_file(folder / MODEL)
    del state["connector.fc1.bias"]
    del state["language_model.model.layers.1.mlp_moe_gen.up_proj.weight"]
    state["lora.a"] = torch.zeros(2)
    state["llm2vae.weight"] = state["llm2vae.weight"][:, 1:].contiguous()
    state["vae2llm.bias"] = state["vae2llm.bias"].double()
    save_file(state, folder / MODEL)
    message = refused(folder)
    assert message.startswith("5 faults")
    for part in (
        "missing connector.fc1.bias",
        "missing language_model.model.layers.1.mlp_moe_gen.up_proj.weight",
        "unexpected lora.a",
        "llm2vae.weight has shape [64, 127], not [64, 128]",
        "vae2llm.bias is F64, not BF16, F16 or F32",
    ):
        assert part in message


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    assert "is not a folder of BAGEL: it has no llm_config.json, vit_config.json." in refused(tmp_path)


def test_a_missing_file(folder: Path) -> None:
    (folder / "ae.safetensors").unlink()
    assert "misses ae.safetensors" in refused(folder)


def test_a_truncated_file(folder: Path) -> None:
    content = (folder / MODEL).read_bytes()
    (folder / MODEL).write_bytes(content[:-1000])
    assert f"{MODEL} is truncated" in refused(folder)


def test_a_table_of_another_latent_size(folder: Path) -> None:
    save_file(load_file(folder / MODEL) | {LATENT_TABLE: torch.zeros(32**2, 128)}, folder / MODEL)
    message = refused(folder)
    assert f"{LATENT_TABLE} has shape [1024, 128], not [4096, 128]" in message
    assert "trained with max_latent_size 32, this configuration has 64" in message


def test_a_latent_size_below_that_of_the_pictures(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text("utf-8")) | {"max_latent_size": 4}
    (folder / "meta.json").write_text(json.dumps(meta), "utf-8")
    assert "max_latent_size is 4, but pictures have up to 8 latents a side" in refused(folder)


def test_damaged_configuration(folder: Path) -> None:
    (folder / "meta.json").write_text('{"llm": {"hidden_size": "wide"}}', "utf-8")
    message = refused(folder)
    assert "llm.hidden_size" in message
    assert "vit" in message


def test_tables_of_the_file_are_taken(folder: Path) -> None:
    table = torch.randn(64**2, 128, generator=torch.Generator().manual_seed(0)).bfloat16()
    save_file(load_file(folder / MODEL) | {LATENT_TABLE: table}, folder / MODEL)
    assert torch.equal(load_network(folder).latent_places, table)


def test_shards_are_the_whole(folder: Path, tiny: BagelNetwork) -> None:
    state = load_file(folder / MODEL)
    keys = sorted(state)
    shards = {f"ema-{i}-of-2.safetensors": keys[i::2] for i in range(2)}
    for name, part in shards.items():
        save_file({key: state[key] for key in part}, folder / name)
    (folder / MODEL).unlink()
    index = {"weight_map": {key: name for name, part in shards.items() for key in part}}
    (folder / f"{MODEL}{INDEX}").write_text(json.dumps(index), "utf-8")
    network = load_network(folder, "float32")
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), tiny.parameters(), strict=True))
    (folder / "ema-1-of-2.safetensors").unlink()
    assert "misses ema-1-of-2.safetensors" in refused(folder)


@pytest.mark.parametrize(
    ("precision", "linear", "other"),
    [
        ("float32", torch.float32, torch.float32),
        ("bfloat16", torch.bfloat16, torch.bfloat16),
        ("mixed", torch.bfloat16, torch.float32),
    ],
)
def test_precisions(golden: Path, precision: str, linear: torch.dtype, other: torch.dtype) -> None:
    network = load_network(golden, precision)  # type: ignore[arg-type]
    assert network.latent_in.weight.dtype == linear
    assert network.dtype == network.patch_places.dtype == other
    assert network.autoencoder.dtype == torch.float32


def test_too_little_memory(tiny: BagelNetwork) -> None:
    check_memory(tiny.nbytes, tiny.nbytes)
    with pytest.raises(BudgetError, match=r"need 27\.5 GiB of GPU memory, 8\.0 GiB are free"):
        check_memory(int(27.5 * 2**30), 2**33)


def test_official_files_are_corrected(tmp_path: Path) -> None:
    llm = {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "rope_theta": 1000000.0,
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": 32768,
        "tie_word_embeddings": True,
    }
    vit = {
        "hidden_size": 1152,
        "image_size": 980,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "patch_size": 14,
    }
    for name, content in (
        ("llm_config.json", llm),
        ("vit_config.json", vit),
        ("config.json", {"max_latent_size": 32}),
    ):
        (tmp_path / name).write_text(json.dumps(content), "utf-8")
    config = read_config(tmp_path)
    assert config.vit.num_hidden_layers == 26
    assert config.vit.num_patches_per_side == 70
    assert config.max_latent_size == 64
    assert config.llm.head_size == 128
    with torch.device("meta"):
        network = BagelNetwork(config)
    billions = sum(p.numel() for p in network.transformer.parameters()) / 1e9
    assert billions == pytest.approx(14.14, abs=0.01)
    assert sum(p.numel() for p in network.reader.parameters()) / 1e9 == pytest.approx(0.43, abs=0.02)
    assert sum(p.numel() for p in network.autoencoder.parameters()) / 1e6 == pytest.approx(83.8, abs=0.2)
    assert network.transformer.head.weight is not network.transformer.words.weight


def same(one: BagelNetwork, other: BagelNetwork) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_the_prefix_of_a_trainer_and_frequencies_of_rotation_are_taken(folder: Path, tiny: BagelNetwork) -> None:
    state = {f"bagel.{key}": value for key, value in load_file(folder / MODEL).items()}
    state["bagel.language_model.model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(8)
    state["language_model.model.rotary_emb.inv_freq"] = torch.zeros(8)
    save_file(state, folder / MODEL)
    assert same(load_network(folder, "float32"), tiny)


def test_a_key_with_the_prefix_and_without_is_refused(folder: Path) -> None:
    state = load_file(folder / MODEL)
    save_file({**state, "bagel.llm2vae.bias": state["llm2vae.bias"] + 1}, folder / MODEL)
    assert "twice llm2vae.bias" in refused(folder)


def test_weights_in_float16_are_rounded_to_the_precision(folder: Path, golden: Path) -> None:
    state = {key: value.float() * 1.0005 for key, value in load_file(folder / MODEL).items()}
    save_file({key: value.half() for key, value in state.items()}, folder / MODEL)
    assert stored_as(folder) == ["F16"] and stored_as(golden) == ["BF16"]
    bias = load_network(folder).latent_out.bias
    assert bias.dtype == torch.bfloat16 and torch.equal(bias, state["llm2vae.bias"].half().bfloat16())
    assert torch.equal(load_network(folder, "float32").latent_out.bias, state["llm2vae.bias"].half().float())


@pytest.mark.parametrize("name", [*NAMES, "model-00001.safetensors"])
def test_a_model_under_any_of_its_names_or_named_itself(name: str, folder: Path, tiny: BagelNetwork) -> None:
    (folder / MODEL).rename(folder / name)
    assert same(load_network(folder if name in NAMES else folder / name, "float32"), tiny)


def test_thinkmorph_looks_for_its_own_name_first(folder: Path) -> None:
    shutil.copy(folder / MODEL, folder / "model.safetensors")
    assert find_model(folder).name == MODEL
    assert find_model(folder, "thinkmorph").name == "model.safetensors"
    assert find_model(folder / MODEL, "thinkmorph").name == MODEL
    (folder / MODEL).unlink()
    assert find_model(folder).name == "model.safetensors"
