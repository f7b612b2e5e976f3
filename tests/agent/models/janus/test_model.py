"""Janus against the library's own `generate` and logits, and what its loader refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import g2u
from g2u.conformance.bench import everyone, painted
from g2u.conformance.rules import check_conformance
from g2u.engine.registry import get_engine
from g2u.errors import CapabilityError, QuestionError, WeightsError
from g2u.models.janus.load import load
from g2u.models.janus.model import JanusModel
from g2u.models.protocol import Reading
from g2u.models.registry import examine_model
from tests.agent.models.janus.tiny import change_config, make_folder

QUESTIONS = ("Which colour is the circle?", "What?", "Schöne Größe, wo ist sie?")


def read(model: JanusModel, prefixes: Sequence[Any], texts: Sequence[str], most: int, *chance: Any) -> list[Reading]:
    found = model.read(prefixes, texts, most, partial(everyone, len(texts)), *chance)
    return [reading for reading in found if reading is not None]


def seen(model: JanusModel, *pictures: Image.Image) -> Any:
    prefix: Any = None
    for picture in pictures:
        prefix = model.extend([prefix], [picture])[0]
    return prefix


def given(processor: Any, question: str, pictures: Sequence[Image.Image]) -> Any:
    """What the library's processor makes of a question and pictures."""
    content = [*({"type": "image"} for _ in pictures), {"type": "text", "text": question}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    return processor(text=text, images=list(pictures), return_tensors="pt")


def test_it_keeps_to_every_rule_that_it_declares(model: JanusModel) -> None:
    found = {finding.rule: finding.status for finding in check_conformance(model)}
    assert "failed" not in found.values()
    assert {rule for rule, status in found.items() if status == "passed"} >= {"batches", "scores", "temperature"}


@pytest.mark.parametrize("system", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_of_a_chat_have_the_tokens_of_the_whole(
    system: bool, count: int, tmp_path: Path, pictures: list[Image.Image]
) -> None:
    from transformers.models.janus.processing_janus import JanusProcessor

    folder = make_folder(tmp_path / "tiny", system=system)
    chat, processor = load(str(folder), "cpu")._chat, JanusProcessor.from_pretrained(folder)
    placeholders = [processor.tokenizer.convert_tokens_to_ids("<image_placeholder>")] * 16
    parts = [*chat.first, *placeholders, *((chat.next + placeholders) * (count - 1)), *chat.asks(QUESTIONS[2])]
    assert given(processor, QUESTIONS[2], pictures[:count])["input_ids"].tolist() == [parts]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("question", QUESTIONS)
def test_it_writes_what_the_library_writes(
    question: str, count: int, model: JanusModel, library: tuple[Any, Any], pictures: list[Image.Image]
) -> None:
    network, processor = library
    asked = given(processor, question, pictures[:count])
    made = network.generate(**asked, generation_mode="text", max_new_tokens=12, do_sample=False)
    written = made[0, asked["input_ids"].shape[1] :]
    (reading,) = read(model, [seen(model, *pictures[:count])], [question], 12)
    assert reading.tokens == len(written)
    assert reading.text == processor.tokenizer.decode(written, skip_special_tokens=True).strip()


def test_it_scores_what_the_library_gives_logits_for(
    model: JanusModel, library: tuple[Any, Any], pictures: list[Image.Image]
) -> None:
    network, processor = library
    options = ["red", "a dark one", ""]
    scores = model.score([seen(model, *pictures[:2])], [QUESTIONS[0]], [options])[0]
    for option, score in zip(options, scores, strict=True):
        asked = given(processor, QUESTIONS[0], pictures[:2])
        words = [*processor.tokenizer(f" {option}", add_special_tokens=False)["input_ids"], 257]
        assert processor.tokenizer.eos_token_id == 257 and model.count_tokens(option) == len(words)
        asked["input_ids"] = torch.cat([asked["input_ids"], torch.tensor([words])], dim=1)
        asked["attention_mask"] = torch.ones_like(asked["input_ids"])
        with torch.inference_mode():
            logits = network(**asked).logits[0, -len(words) - 1 : -1]
        wanted = logits.log_softmax(dim=-1)[torch.arange(len(words)), torch.tensor(words)].sum()
        assert score == pytest.approx(float(wanted), abs=1e-3)


def test_texts_of_all_lengths_go_on_together(model: JanusModel, pictures: list[Image.Image]) -> None:
    """The library pads on the left and numbers what it pads; here each text has its own positions."""
    prefixes = [seen(model, pictures[0]), seen(model, *pictures), seen(model, *pictures[1:])]
    together = read(model, prefixes, QUESTIONS, 12)
    for prefix, question, found in zip(prefixes, QUESTIONS, together, strict=True):
        (alone,) = read(model, [prefix], [question], 12)
        assert (found.text, found.tokens) == (alone.text, alone.tokens)
        assert found.log_probability == pytest.approx(alone.log_probability, abs=1e-3)


def test_a_seed_decides_whatever_else_is_in_the_batch(model: JanusModel, pictures: list[Image.Image]) -> None:
    prefix = seen(model, pictures[0])
    together = read(model, [prefix] * 3, QUESTIONS, 8, 1.5, [3, 4, 5])
    (alone,) = read(model, [prefix], QUESTIONS[1:2], 8, 1.5, [4])
    assert together[1].text == alone.text


@pytest.mark.parametrize("size", [(40, 3), (40, 1), (3, 40), (1, 1), (3, 3)])
def test_narrow_pictures_are_no_channels(size: tuple[int, int], model: JanusModel) -> None:
    """The library takes a picture of one or three rows for one of so many channels, unless it is told."""
    one, other = (painted(*size, seed) for seed in (1, 2))
    shown: list[Any] = []

    def pixels(**asked: Any) -> Any:
        shown.append(processor(**asked))
        return shown[-1]

    processor, model._processor = model._processor, pixels
    try:
        prefixes = [seen(model, picture) for picture in (one, other)]
    finally:
        model._processor = processor
    for picture, found in zip((one, other), shown, strict=True):
        values = (np.asarray(found["pixel_values"])[0].transpose(1, 2, 0) + 1) * 127.5
        mean = values[np.any(np.abs(values - 127) > 1, axis=-1)].mean(axis=0)
        assert found["pixel_values"].shape == (1, 3, 32, 32)
        assert mean == pytest.approx(np.asarray(picture).reshape(-1, 3).mean(axis=0), abs=25)
    first, second = (prefix.layers[0][0] for prefix in prefixes)
    assert not torch.equal(first, second)


def test_pictures_come_in_the_precision_of_the_network(folder: Path, pictures: list[Image.Image]) -> None:
    """The library gives them in single precision, and its network then takes none."""
    model = load(str(folder), "cpu")
    assert model.identity.settings == ("bfloat16",)
    prefix = seen(model, pictures[0])
    assert {part.dtype for layer in prefix.layers for part in layer} == {torch.bfloat16}
    assert len(read(model, [prefix], QUESTIONS[:1], 4)) == 1


def test_a_head_of_its_own_is_kept_where_the_configuration_ties_it(
    folder: Path, tmp_path: Path, model: JanusModel, pictures: list[Image.Image]
) -> None:
    """`tie_word_embeddings` is true in the library unless a folder says otherwise, and Janus has a head of its own."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text("utf-8"))
    del config["tie_word_embeddings"]
    (copy / "config.json").write_text(json.dumps(config))
    other = load(str(copy), "cpu", "float32")
    asked = ([QUESTIONS[0]], [["red", "blue"]])
    assert other.score([seen(other, pictures[0])], *asked) == model.score([seen(model, pictures[0])], *asked)


def test_a_text_that_is_too_long_is_refused(tmp_path: Path, pictures: list[Image.Image]) -> None:
    model = load(str(make_folder(tmp_path / "tiny", positions=512)), "cpu")
    assert model.capabilities.max_pictures == 1
    with pytest.raises(QuestionError, match=r"has \d,?\d* tokens, and Janus has 512 positions\. Ask a shorter"):
        read(model, [seen(model, pictures[0])], ["Why? " * 200], 4)


def test_it_answers_and_every_policy_that_draws_is_refused_by_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    painted(64, 48, 1).save(tmp_path / "picture.png")
    asked: Any = {"model": "janus", "weights": str(folder), "out": None}
    run = g2u.ask(tmp_path / "picture.png", "Which?", options=["red", "blue"], policy="none", **asked)
    assert run.answer in ("red", "blue") and run.rounds[0].thought is None
    assert g2u.ask(tmp_path / "picture.png", "Which?", policy="none", **asked).answer
    for policy in ("self", "fixed:deblur", "score"):
        with pytest.raises(CapabilityError, match=r"The model 'janus' cannot draw. Use the policy `none`"):
            g2u.ask(tmp_path / "picture.png", "Which?", options=["red", "blue"], policy=policy, **asked)
    get_engine("janus", str(folder)).close()


def without_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.aligner.fc1.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def pickled(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer.json"),
    "DeepSeek's layout": (
        lambda folder: change_config(folder, model_type="multi_modality"),
        "is in the layout of DeepSeek's own program, not in that of transformers",
    ),
    "another model": (lambda folder: change_config(folder, model_type="llava"), "is that of a 'llava'"),
    "no configuration": (lambda folder: (folder / "config.json").write_text("[]"), "is none of a model"),
    "a tensor less": (without_a_tensor, "lack 1 tensors, such as model.aligner.fc1.weight"),
    "weights that nothing names": (pickled, "no file named model.safetensors"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "cannot be loaded"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_folder_that_is_not_whole_is_refused(name: str, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    spoil, told = REFUSED[name]
    spoil(copy)
    with pytest.raises(WeightsError) as refused:
        load(str(copy), "cpu")
    assert told in str(refused.value) and "hf download deepseek-community/Janus-Pro-7B" in str(refused.value)


def test_without_a_folder_it_says_where_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"comes without weights.*hf download deepseek-community/Janus-Pro-7B"):
        load()
    with pytest.raises(WeightsError, match="does not exist"):
        load(str(tmp_path / "none"))


def test_the_doctor_looks_without_loading(folder: Path, tmp_path: Path) -> None:
    found = {check.name: check for check in examine_model("janus", str(folder))}
    assert found["weights"].good and "bytes of safetensors" in found["weights"].found and found["device"].good
    assert [check.good for check in examine_model("janus", str(tmp_path))] == [False]
