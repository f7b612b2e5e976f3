"""Folders of BLIP3o-NEXT-edit: whole ones, and every way in which one is not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from g2u.errors import WeightsError
from g2u.models.blip3o.next_edit.config import SEEN, NextEditConfig
from g2u.models.blip3o.next_edit.files import digest_folder
from g2u.models.blip3o.next_edit.load import KEY, load
from g2u.models.blip3o.next_edit.model import NextEditModel
from g2u.models.blip3o.next_edit.weights import load_network, weight_bytes
from g2u.models.registry import examine_model
from tests.agent.models.blip3o.next_edit.making import READER, make_folder

GET = "Download all of it with `hf download BLIP3o/BLIP3o-NEXT-edit-VAE --local-dir DIR`."
GET_SANA = '`hf download Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers --include "*/*config.json"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole one of its own, in one file."""
    return make_folder(tmp_path / "made", shards=1)


def rewrite(file: Path, **changed: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changed), "utf-8")


def retensor(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def refused(folder: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load(str(folder), "cpu", "float32")
    return caught.value.in_full


def test_shards_are_the_whole(folder: Path, edit_model: NextEditModel) -> None:
    whole = load_network(folder, KEY, "float32")
    for (name, one), (_, other) in zip(whole.named_parameters(), edit_model._network.named_parameters(), strict=True):
        assert torch.equal(one, other), name


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "vocab.json").unlink()
    said = refused(folder)
    assert "is not a whole folder of BLIP3o-NEXT-edit: it has no config.json, vocab.json" in said and GET in said


def test_without_the_sizes_of_sana_it_says_how_to_get_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    shutil.move(folder / "sana", tmp_path / "kept")
    said = refused(folder)
    assert "has no transformer/config.json, vae/config.json, scheduler/scheduler_config.json" in said
    assert GET_SANA in said
    cached = tmp_path / "hub" / "models--Efficient-Large-Model--SANA1.5_1.6B_1024px_diffusers"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0a", "utf-8")
    shutil.move(tmp_path / "kept", cached / "snapshots" / "0a")
    assert load(str(folder), "cpu", "float32").capabilities.edits == "native"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"use_und_image_vae_as_noise": False}, "reader.use_und_image_vae_as_noise: Input should be True"),
        ({"use_und_image_vae": False}, "reader.use_und_image_vae: Input should be True"),
        ({"only_use_und_image_vae_as_noise": True}, "only_use_und_image_vae_as_noise: Input should be False"),
        ({"use_tar_siglip_features": True}, "use_tar_siglip_features: Input should be False"),
        ({"image_start_token_id": 370}, "no room for all words of pictures"),
        ({"model_type": "qwen3"}, "is of a 'qwen3'; one of a 'blip3o_qwen' was expected"),
        ({"image_start_tag_id": 311}, "<im_start> is word 308, and by the configuration 311"),
    ],
)
def test_another_model_of_the_family_is_refused(folder: Path, changed: dict[str, Any], told: str) -> None:
    rewrite(folder / "config.json", **changed)
    assert told in refused(folder)


def test_a_sana_that_does_not_fit_is_refused(folder: Path) -> None:
    rewrite(folder / "sana" / "vae" / "config.json", latent_channels=8)
    assert "the autoencoder and the transformer of SANA have other channels" in refused(folder)
    (folder / "sana" / "vae" / "config.json").write_text("[", "utf-8")
    said = refused(folder)
    assert "config.json is damaged" in said and GET_SANA in said


def test_all_faults_of_tensors_are_told_at_once(folder: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        del tensors["model.norm.weight"]
        tensors["model.extra"] = torch.zeros(1)
        tensors["model.sana.proj_out.bias"] = torch.zeros(9)
        tensors[f"{SEEN}encode_task_layer.0.bias"] = torch.zeros(72, dtype=torch.int8)

    retensor(folder, change)
    said = refused(folder)
    assert said.startswith("4 faults in the weights in")
    for told in (
        "missing model.norm.weight",
        "unexpected model.extra",
        "model.sana.proj_out.bias has shape [9], not [4]",
        f"{SEEN}encode_task_layer.0.bias is I8, not BF16 or F16 or F32",
        GET,
    ):
        assert told in said


def test_weights_without_a_tokenizer_of_pictures_are_refused(folder: Path) -> None:
    retensor(folder, lambda tensors: [tensors.pop(key) for key in list(tensors) if key.startswith(SEEN)])
    assert "see no picture: they have no model.vision_tower.vision_tower.encoder.embeddings" in refused(folder)


def test_a_truncated_file_is_refused(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    said = refused(folder)
    assert "is truncated or no safetensors file" in said and GET in said


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    settings["added_tokens_decoder"] = {}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    assert "is not that of BLIP3o-NEXT-edit: it has 307 words, and not <im_start>, <S0>" in refused(folder)


def test_no_folder_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="comes without weights") as caught:
        load()
    assert "hf download BLIP3o/BLIP3o-NEXT-edit-VAE" in caught.value.in_full


def test_weights_and_sizes_make_the_identity(folder: Path) -> None:
    before = digest_folder(folder, KEY)
    assert before == digest_folder(folder, KEY)
    rewrite(folder / "sana" / "scheduler" / "scheduler_config.json", shift=3.0)
    after = digest_folder(folder, KEY)
    retensor(folder, lambda tensors: tensors["lm_head.weight"].add_(1))
    assert len({before, after, digest_folder(folder, KEY)}) == 3


def test_the_doctor_tells_what_it_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2U_DEVICE", "cpu")
    found = {check.name: check for check in examine_model(KEY, str(folder))}
    assert all(check.good for check in found.values())
    assert found["source"].found == "https://huggingface.co/BLIP3o/BLIP3o-NEXT-edit-VAE"
    assert found["compared with the official program"].found.startswith("nothing: its program was read, not run")
    assert found["weights"].found.endswith("all of the right shape and kind")
    assert {"tokenizer", "memory for weights", "memory for one run", "device"} <= found.keys()
    retensor(folder, lambda tensors: tensors.pop("model.norm.weight"))
    (fault,) = [check for check in examine_model(KEY, str(folder)) if not check.good]
    assert "missing model.norm.weight" in fault.found and GET in fault.found


def test_with_the_sizes_of_its_parts_it_has_the_size_that_its_page_tells() -> None:
    """Qwen3-1.7B with words for pictures, SigLIP 2 so400m, SANA 1.5 1.6B and its autoencoder: about five billion."""
    reader = {
        "vocab_size": 217210,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "image_start_tag_id": 151669,
        "image_start_token_id": 151674,
    }
    seen = {"width": 1152, "inner": 4304, "layers": 27, "patch": 14, "code": 1536, "words": 65536, "tokens": 729}
    sana = {"in_channels": 32, "caption_channels": 2304, "sample_size": 32, "qk_norm": "rms_norm_across_heads"}
    blocks = ["ResBlock"] * 3 + ["EfficientViTBlock"] * 3
    vae = {
        "latent_channels": 32,
        "attention_head_dim": 32,
        "encoder_block_types": blocks,
        "decoder_block_types": blocks,
        "encoder_block_out_channels": [128, 256, 512, 512, 1024, 1024],
        "scaling_factor": 0.41407,
    }
    config = NextEditConfig.model_validate(
        {"reader": READER | reader, "seen": seen, "sana": sana, "vae": vae, "scheduler": {}}
    )
    assert config.picture_side == 1024
    assert weight_bytes(config) / 2 == pytest.approx(4.8e9, rel=0.01)
