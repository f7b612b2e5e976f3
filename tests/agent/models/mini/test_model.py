"""Mini at inference: what it computes is what it was trained on, alone or in a batch; and its weights are checked."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import load_torch_model
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from g2u.errors import CapabilityError, WeightsError
from g2u.models.mini.load import WEIGHTS, load
from g2u.models.mini.model import MiniModel
from g2u.models.mini.transformer import MiniConfig, MiniTransformer, from_patches, to_patches
from g2u.models.mini.weights import INDEX, save_weights
from g2u.models.protocol import Sampler
from g2u.world.items.items import Item, spread
from g2u.world.training.objective import draw, forward, to_bytes, to_signed
from g2u.world.training.tokenizer import train_tokenizer

ITEMS: list[Item] = list(spread(7))
PICTURES = [item.picture for item in ITEMS]
TEXTS = ["Question: What colour is the star? Answer:", "Question:", *("Edit:",) * 5]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a tiny network in two shards."""
    path = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    tokenizer = train_tokenizer()
    taught = ["Remove the blur."]
    shape = MiniConfig(width=64, layers=2, heads=2, hidden=96, vocabulary=len(tokenizer), instructions=taught)
    network = MiniTransformer(shape)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    save_weights(network, tokenizer, path)
    return path


@pytest.fixture(scope="module")
def tiny(folder: Path) -> MiniModel:
    return load(str(folder), device="cpu")


def everyone(done: int, total: int) -> list[bool]:
    return [True] * len(ITEMS)


def alone(done: int, total: int) -> list[bool]:
    return [True]


def tensor(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]


def test_scores_are_those_of_the_training_layout(tiny: MiniModel) -> None:
    network, tokenizer = tiny._network, train_tokenizer()
    prefix = tiny.extend(tiny.extend([None], PICTURES[:1]), PICTURES[1:2])
    options = ["teal", "bright teal"]
    scores = tiny.score(prefix, TEXTS[:1], [options])[0]
    pictures = [to_signed(tensor(picture)) for picture in PICTURES[:2]]
    for option, score in zip(options, scores, strict=True):
        told = tokenizer.encode(TEXTS[0])
        ids = torch.tensor([[told + tokenizer.encode(f" {option}") + [tokenizer.eos_token_id]]])
        logits, _ = forward(network, pictures, [ids])
        each = logits[0][0, 0].log_softmax(dim=-1)[range(len(told) - 1, ids.shape[2] - 1), ids[0, 0, len(told) :]]
        assert score == pytest.approx(each.sum().item(), abs=1e-4)


def test_drawings_are_those_of_the_training_layout(tiny: MiniModel) -> None:
    config, tokenizer = tiny._network.config, train_tokenizer()
    drawn = tiny.draw(tiny.extend([None], PICTURES[:1]), ["Remove the blur."], Sampler(steps=1), [3], alone)[0]
    assert drawn is not None
    noise = torch.randn(1, 1, config.patches, config.patch_values, generator=torch.Generator().manual_seed(3))
    pad = int(tokenizer.pad_token_id)
    ids = torch.tensor([[tokenizer.encode("Remove the blur.") + [pad] * 5]])
    _, clean = forward(tiny._network, [to_signed(tensor(PICTURES[0]))], [ids], noise, torch.zeros(1, 1), pad)
    assert clean is not None
    expected = to_bytes(from_patches(clean[:, 0], config.patch, config.side))
    assert (tensor(drawn).int() - expected.int()).abs().max() <= 1


def test_results_do_not_depend_on_the_batch(tiny: MiniModel) -> None:
    pairs = tiny.extend(tiny.extend([None] * len(ITEMS), PICTURES), PICTURES[::-1])
    options = [["red", "blue"], ["left of it", "red", "heart"], *(["keep"],) * 5]
    scores = tiny.score(pairs, TEXTS, options)
    readings = tiny.read(pairs, TEXTS, 6, everyone)
    drawings = tiny.draw(pairs, TEXTS, Sampler(steps=3), list(range(7)), everyone)
    for row in range(len(ITEMS)):
        one = tiny.extend(tiny.extend([None], [PICTURES[row]]), [PICTURES[::-1][row]])
        assert tiny.score(one, [TEXTS[row]], [options[row]])[0] == pytest.approx(scores[row], abs=1e-3)
        reading, batched, drawing = tiny.read(one, [TEXTS[row]], 6, alone)[0], readings[row], drawings[row]
        assert reading is not None and batched is not None and drawing is not None
        assert (reading.text, reading.tokens) == (batched.text, batched.tokens)
        assert reading.log_probability == pytest.approx(batched.log_probability, abs=1e-3)
        single = tiny.draw(one, [TEXTS[row]], Sampler(steps=3), [row], alone)[0]
        assert single is not None
        assert np.abs(np.asarray(single).astype(int) - np.asarray(drawing).astype(int)).max() <= 1


def test_requests_that_nobody_waits_for_are_left_out(tiny: MiniModel) -> None:
    prefixes = tiny.extend([None] * 3, PICTURES[:3])
    flags = [[True, True, True], [True, False, True], [True, False, False]]
    drawings = tiny.draw(prefixes, TEXTS[:3], Sampler(steps=3), [0, 1, 2], lambda done, total: flags[done - 1])
    assert [drawing is None for drawing in drawings] == [False, True, True]
    whole = tiny.draw(prefixes[:1], TEXTS[:1], Sampler(steps=3), [0], alone)[0]
    assert whole is not None and drawings[0] is not None
    assert np.abs(np.asarray(whole).astype(int) - np.asarray(drawings[0]).astype(int)).max() <= 1
    readings = tiny.read(prefixes, TEXTS[:3], 4, lambda done, total: [False, True, True])
    assert [reading is None for reading in readings] == [True, False, False]


def test_other_seeds_draw_otherwise_and_equal_ones_alike(tiny: MiniModel) -> None:
    prefix = tiny.extend([None], PICTURES[:1])
    one, again, other = (tiny.draw(prefix, ["x"], Sampler(steps=2), [seed], alone)[0] for seed in (1, 1, 2))
    assert one is not None and again is not None and other is not None
    assert one.tobytes() == again.tobytes() != other.tobytes()


def test_patches_and_pictures_are_one_to_one() -> None:
    picture = torch.rand(2, 3, 128, 128)
    assert torch.equal(from_patches(to_patches(picture, 16), 16, 8), picture)


def drop_shard(folder: Path) -> None:
    next(folder.glob("*.safetensors")).unlink()


def change_shard(folder: Path) -> None:
    shard = next(folder.glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"\x07")


def add_key(folder: Path) -> None:
    shard = next(folder.glob("*.safetensors"))
    save_file(load_file(shard) | {"surplus.weight": torch.zeros(2)}, shard)
    rehash(folder)


def change_shape(folder: Path) -> None:
    shard = next(folder.glob("*.safetensors"))
    save_file(load_file(shard) | {"slots": torch.zeros(3, 64)}, shard)
    rehash(folder)


def add_shard(folder: Path) -> None:
    save_file({"words.weight": torch.zeros(512, 64)}, folder / "stray.safetensors")


def break_index(folder: Path) -> None:
    (folder / INDEX).write_text("{")


def rehash(folder: Path) -> None:
    import hashlib

    index = json.loads((folder / INDEX).read_text())
    for name in index["metadata"]["sha256"]:
        index["metadata"]["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / INDEX).write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (drop_shard, "misses 1 of 1 safetensors files: model.safetensors"),
        (change_shard, "do not have the hash of the index: model.safetensors"),
        (add_key, "unknown surplus.weight"),
        (change_shape, r"slots has shape \(3, 64\), not \(2, 64\)"),
        (break_index, "The index .* is damaged"),
        (add_shard, "has files that are not in its index: stray.safetensors"),
        (lambda folder: (folder / "config.json").write_text("{}"), "do not have the hash of the index: config.json"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "do not have the hash of the index: tokenizer"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "it has no tokenizer.json"),
        (shutil.rmtree, "is not a folder of mini weights"),
    ],
)
def test_damaged_weights_are_refused(folder: Path, tmp_path: Path, damage: Callable[[Path], None], says: str) -> None:
    copy = tmp_path / "weights"
    shutil.copytree(folder, copy)
    damage(copy)
    with pytest.raises(WeightsError, match=says):
        load(str(copy), device="cpu")


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_training_draws_as_inference_does(tiny: MiniModel, steps: int) -> None:
    config, tokenizer = tiny._network.config, train_tokenizer()
    ids = torch.tensor([tokenizer.encode("Remove the blur.")])
    noise = torch.randn(1, config.patches, config.patch_values, generator=torch.Generator().manual_seed(5))
    trained = draw(tiny._network, tensor(PICTURES[1]), ids, int(tokenizer.pad_token_id), noise, steps)
    prefix = tiny.extend([None], PICTURES[1:2])
    drawn = tiny.draw(prefix, ["Remove the blur."], Sampler(steps=steps), [5], alone)[0]
    assert drawn is not None
    assert (tensor(drawn).int() - trained.int()).abs().max() <= 1


def test_control_tokens_in_a_question_are_plain_text(tiny: MiniModel) -> None:
    assert len(tiny.text.encode("<|end|>")) > 1


def test_a_missing_device_is_refused() -> None:
    with pytest.raises(CapabilityError, match="no device 'abacus'"):
        load(device="abacus")


def test_the_shipped_weights_load_with_the_libraries_of_hugging_face_alone() -> None:
    ours = load(device="cpu")
    network = MiniTransformer(ours._network.config)
    missed = load_torch_model(network, WEIGHTS, strict=True)
    assert not missed.missing_keys and not missed.unexpected_keys
    loaded = zip(network.named_parameters(), ours._network.named_parameters(), strict=True)
    assert all(name == other_name and torch.equal(one, other) for (name, one), (other_name, other) in loaded)
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS, local_files_only=True)
    for text in (*TEXTS, " Zebra?", "tab\tand  spaces", "caf\u00e9 \u4e16\u754c", "<|pad|>"):
        ids = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        assert ours.text.tokenizer.encode(text, add_special_tokens=False).ids == ids
        assert ours.text.decode([*ids, ours.text.end]) == tokenizer.decode(ids).strip()
    assert ours.text.end == tokenizer.eos_token_id


def test_the_shipped_folder_is_small_and_has_no_pickle() -> None:
    files = list(WEIGHTS.iterdir())
    assert sum(file.stat().st_size for file in files) <= 64_000_000
    assert {file.suffix for file in files} <= {".safetensors", ".json", ".md"}
