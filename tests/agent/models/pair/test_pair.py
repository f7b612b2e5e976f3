"""The model `pair` with tiny checkpoints of the libraries' own classes."""

import inspect
import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from g2u.asking import ask
from g2u.cli import app
from g2u.conformance.bench import nearly_same, painted, same_bits
from g2u.conformance.rules import check_conformance
from g2u.errors import CapabilityError, G2UError, MissingExtraError, PictureError, WeightsError
from g2u.models.pair.drawing import fitted_size
from g2u.models.pair.model import PairModel
from g2u.models.pair.pipelines import PIPELINES
from g2u.models.protocol import Reading, Sampler, complete_sampler
from g2u.models.registry import examine_model, load_model
from g2u.traces.trace import read_trace
from tests.agent.models.pair import tiny

QUESTION = "Which colour is the circle?"
PICTURE = painted(96, 64, 1)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Calls are tiny: more threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All tiny checkpoints, and a file for each pair."""
    root = tmp_path_factory.mktemp("pairs")
    tiny.save_reader(root / "reader")
    tiny.save_pix2pix(root / "pix2pix")
    tiny.save_kontext(root / "kontext")
    tiny.save_flux2(root / "flux2")
    tiny.save_text_to_image(root / "text")
    for editor in ("pix2pix", "kontext", "flux2", "text"):
        drawn = f"editor: {{folder: {editor}, dtype: float32, pixels: 4096}}\n"
        (root / f"{editor}.yaml").write_text(f"reader: {{folder: reader, dtype: float32}}\n{drawn}")
    (root / "shared.yaml").write_text("editor: {folder: flux2, dtype: float32, pixels: 4096}\n")
    (root / "reads.yaml").write_text("reader: {folder: reader, dtype: float32}\n")
    return root


def loaded(folder: Path, name: str) -> PairModel:
    model = load_model("pair", str(folder / f"{name}.yaml"))
    assert isinstance(model, PairModel)
    return model


@pytest.fixture(scope="module")
def pix2pix(folder: Path) -> PairModel:
    return loaded(folder, "pix2pix")


@pytest.fixture(scope="module")
def shared(folder: Path) -> PairModel:
    return loaded(folder, "shared")


def everyone(done: int, total: int) -> Sequence[bool]:
    return [True] * 8


def read(model: PairModel, *segments: Image.Image | str, max_tokens: int = 8, **chance: Any) -> Reading:
    prefix = None
    for segment in segments:
        (prefix,) = model.extend([prefix], [segment])
    assert prefix is not None
    (found,) = model.read([prefix], [QUESTION], max_tokens, lambda done, total: [True], **chance)
    assert found is not None
    return found


def drawing(model: PairModel, seed: int = 1, steps: int = 2, **values: Any) -> Image.Image:
    sampler = complete_sampler(model.capabilities, Sampler(steps=steps, values=values), "pair")
    (drawn,) = model.draw(
        model.extend([None], [PICTURE]), ["Make it red."], sampler, [seed], lambda done, total: [True]
    )
    assert drawn is not None
    return drawn


def test_the_command_checks_a_pair(folder: Path) -> None:
    done = CliRunner().invoke(app, ["models", "check", "pair", "--weights", str(folder / "pix2pix.yaml")])
    assert done.exit_code == 0, done.output
    assert "pair keeps to all" in done.stderr


def test_a_reader_alone_keeps_to_the_protocol(folder: Path) -> None:
    model = loaded(folder, "reads")
    assert model.capabilities.edits == "none"
    assert [one for one in check_conformance(model) if one.status == "failed"] == []


def test_a_whole_run_draws_and_its_trace_says_by_what(folder: Path, tmp_path: Path) -> None:
    PICTURE.save(tmp_path / "picture.png")
    run = ask(
        tmp_path / "picture.png",
        QUESTION,
        options=["red", "blue"],
        model="pair",
        weights=str(folder / "pix2pix.yaml"),
        policy="fixed:deblur",
        steps=2,
        out=tmp_path / "runs",
    )
    assert run.answer in ("red", "blue") and run.trace is not None
    assert read_trace(run.trace).rounds[0].thought is not None
    written = (run.trace / "trace.jsonl").read_text("utf-8")
    assert "editor StableDiffusionInstructPix2PixPipeline" in written and "LlavaForConditionalGeneration" in written


def test_the_reader_of_a_pipeline_serves_both(shared: PairModel) -> None:
    assert shared.capabilities.same_weights
    assert "reader and conditioner are the same weights" in shared.identity.settings
    one, other = (read(shared, painted(96, 64, seed)) for seed in (1, 2))
    assert one != other
    assert not same_bits(drawing(shared, 1), drawing(shared, 2))
    # What it read is what it read before it drew: the weights are one, their states are not.
    assert read(shared, painted(96, 64, 1)) == one


def test_two_sets_of_weights_say_so(pix2pix: PairModel, folder: Path) -> None:
    assert not pix2pix.capabilities.same_weights
    digests = {
        pix2pix.identity.weights,
        loaded(folder, "kontext").identity.weights,
        loaded(folder, "reads").identity.weights,
    }
    assert len(digests) == 3


@pytest.mark.parametrize("name", ["pix2pix", "kontext", "flux2"])
def test_a_seed_makes_a_drawing_and_the_picture_decides_it(name: str, folder: Path) -> None:
    model = loaded(folder, name)
    one = drawing(model, 1)
    assert same_bits(one, drawing(model, 1))
    assert not same_bits(one, drawing(model, 2))
    assert one.size == (96, 64)
    sampler = complete_sampler(model.capabilities, Sampler(steps=2), "pair")
    (other,) = model.draw(
        model.extend([None], [painted(96, 64, 2)]), ["Make it red."], sampler, [1], lambda done, total: [True]
    )
    assert other is not None and not same_bits(one, other)


def test_guidance_changes_a_drawing(pix2pix: PairModel) -> None:
    plain = drawing(pix2pix)
    assert not same_bits(plain, drawing(pix2pix, guidance_scale=2.0))
    assert not same_bits(plain, drawing(pix2pix, image_guidance_scale=3.0))


def test_drawings_of_a_call_are_those_alone(pix2pix: PairModel) -> None:
    pictures = [painted(96, 64, 1), painted(40, 90, 2)]
    sampler = complete_sampler(pix2pix.capabilities, Sampler(steps=2), "pair")
    told: list[tuple[int, int]] = []

    def on_step(done: int, total: int) -> list[bool]:
        told.append((done, total))
        return [True, True]

    together = pix2pix.draw(pix2pix.extend([None] * 2, pictures), ["Red."] * 2, sampler, [3, 4], on_step)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for picture, seed, made in zip(pictures, (3, 4), together, strict=True):
        (alone,) = pix2pix.draw(pix2pix.extend([None], [picture]), ["Red."], sampler, [seed], lambda *_: [True])
        assert alone is not None and made is not None and nearly_same(alone, made)


@pytest.mark.parametrize("name", ["pix2pix", "shared"])
def test_who_goes_ends_a_drawing_at_its_next_step(name: str, folder: Path) -> None:
    model, told = loaded(folder, name), []

    def on_step(done: int, total: int) -> list[bool]:
        told.append(done)
        return [done < 2]

    sampler = complete_sampler(model.capabilities, Sampler(steps=9), "pair")
    assert model.draw(model.extend([None], [PICTURE]), ["Red."], sampler, [1], on_step) == [None]
    assert told == [1, 2]
    assert drawing(model).size[0] > 0  # and the pipeline is good for the next


def test_the_likeliest_word_is_taken_whatever_a_checkpoint_has_against_repetition(folder: Path) -> None:
    plain = loaded(folder, "reads")
    shy = loaded(folder, "reads")
    shy._reader._model.generation_config.repetition_penalty = 8.0
    prefixes = plain.extend([None], [PICTURE])
    one, other = (model.read(prefixes, [QUESTION], 24, lambda done, total: [True])[0] for model in (plain, shy))
    assert one == other


def test_rows_end_one_by_one(pix2pix: PairModel) -> None:
    told: list[int] = []

    def on_step(done: int, total: int) -> list[bool]:
        told.append(done)
        return [done < 2, True, True]

    pictures = [painted(96, 64, seed) for seed in range(3)]
    texts = [QUESTION, "What is to be seen? Is it red?", "Where is the star?"]
    prefixes = pix2pix.extend([None] * 3, pictures)
    found = pix2pix.read(prefixes, texts, 6, on_step)
    assert found[0] is None and told == list(range(1, len(told) + 1))
    for row in (1, 2):
        (alone,) = pix2pix.read(prefixes[row : row + 1], texts[row : row + 1], 6, lambda done, total: [True])
        one = found[row]
        assert one is not None and alone is not None
        assert (one.text, one.tokens) == (alone.text, alone.tokens)
        assert one.log_probability is not None and alone.log_probability is not None
        assert math.isclose(one.log_probability, alone.log_probability, abs_tol=1e-3)


def test_scores_are_those_of_what_is_written(pix2pix: PairModel) -> None:
    (prefix,) = pix2pix.extend([None], [PICTURE])
    (row,) = pix2pix.score([prefix], [QUESTION], [["red", "blue", "no"]])
    for option, value in zip(("red", "blue", "no"), row, strict=True):
        assert math.isclose(value, pix2pix.score([prefix], [QUESTION], [[option]])[0][0], abs_tol=1e-3)
    assert len(set(row)) == 3 and max(row) < 0


def test_chance_is_that_of_a_softmax(pix2pix: PairModel) -> None:
    """Of the first token at a temperature, over many seeds, against the shares that its logits have."""
    (prefix,) = pix2pix.extend([None], [PICTURE])
    seeds = list(range(400))
    texts: list[str] = []
    for start in range(0, len(seeds), 8):
        some = seeds[start : start + 8]
        texts += [
            one.text
            for one in pix2pix.read([prefix] * len(some), [QUESTION] * len(some), 1, everyone, 0.25, some)
            if one is not None
        ]
    greedy = read(pix2pix, PICTURE, max_tokens=1)
    assert greedy.log_probability is not None
    assert texts.count(greedy.text) == max(texts.count(text) for text in set(texts))
    assert len(set(texts)) > 1


def test_texts_between_pictures_are_read(pix2pix: PairModel) -> None:
    plain = read(pix2pix, PICTURE, PICTURE)
    assert read(pix2pix, "The original:", PICTURE, "An edit:", PICTURE) != plain


@pytest.mark.parametrize("name", PIPELINES)
def test_the_table_has_what_diffusers_has(name: str) -> None:
    row, kind = PIPELINES[name], getattr(diffusers, name)
    takes = inspect.signature(kind.__call__).parameters
    assert {row.picture, "prompt", "num_inference_steps", "generator", "callback_on_step_end", *row.size} <= set(takes)
    assert takes["num_inference_steps"].default == row.steps
    assert {scale: takes[scale].default for scale in row.scales} == {
        scale: setting.default for scale, setting in row.scales.items()
    }
    assert not row.negative or "negative_prompt" in takes
    parts = inspect.signature(kind.__init__).parameters
    assert set(row.reader or ()) <= set(parts)
    if row.reader:
        assert "ForConditionalGeneration" in str(parts[row.reader[0]].annotation)


def test_what_draws_from_a_text_alone_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(
        CapabilityError, match="'FluxPipeline' draws from a text alone, and one that edits was expected"
    ):
        loaded(folder, "text")
    index = folder / "text" / "model_index.json"
    before = index.read_text()
    try:
        index.write_text('{"_class_name": "StableDiffusionImg2ImgPipeline"}')
        with pytest.raises(CapabilityError, match="is not known to edit by instruction"):
            loaded(folder, "text")
        index.write_text('{"_class_name": "NoSuchPipeline"}')
        with pytest.raises(CapabilityError, match="is none of this version of diffusers"):
            loaded(folder, "text")
        index.write_text("{")
        with pytest.raises(WeightsError, match="is damaged"):
            loaded(folder, "text")
    finally:
        index.write_text(before)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{}", "names neither a reader nor an editor"),
        ("reader: {folder: nowhere}", "The folder of the reader .* does not exist"),
        ("reader: {folder: pix2pix}", "has no config.json"),
        ("editor: {folder: reader}", "has no model_index.json, so that it is no pipeline"),
        ("editor: {folder: pix2pix}", "has no whole reader in it, and no other was named"),
        ("reader: {folder: reader, dtype: int8}", "'reader.dtype' .* cannot be used"),
        ("reader: {folder: reader, model: x}", "There is no setting 'reader.model'"),
    ],
)
def test_a_file_of_a_pair_is_refused_with_what_was_expected(content: str, told: str, folder: Path) -> None:
    file = folder / "wrong.yaml"
    file.write_text(content)
    with pytest.raises(G2UError, match=told) as refused:
        load_model("pair", str(file))
    assert refused.value.hint
    assert [check.good for check in examine_model("pair", str(file))] == [False]


def test_a_pointer_in_the_place_of_weights_is_told_of(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "reader", tmp_path / "reader")
    spare = tmp_path / "reader" / "consolidated.safetensors"
    spare.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    (tmp_path / "reads.yaml").write_text("reader: {folder: reader, dtype: float32}\n")
    with pytest.raises(WeightsError, match=r"consolidated\.safetensors is truncated or no safetensors file"):
        loaded(tmp_path, "reads")


def test_an_error_tells_clients_no_place_on_the_disk(folder: Path) -> None:
    (folder / "gone.yaml").write_text("reader: {folder: gone}")
    with pytest.raises(WeightsError, match="The folder of the reader 'gone' does not exist") as refused:
        load_model("pair", str(folder / "gone.yaml"))
    assert str(folder) not in str(refused.value) and str(folder) in refused.value.in_full


def test_no_file_is_asked_for() -> None:
    with pytest.raises(G2UError, match=r"was named\. Name a YAML file with `--weights FILE`"):
        load_model("pair")


def test_options_that_need_accelerate_say_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "accelerate" else there(name))
    file = folder / "offloaded.yaml"
    for option in ("offload: model", "device_map: balanced", "quantization: {quant_backend: bitsandbytes_4bit}"):
        file.write_text(f"reader: {{folder: reader}}\neditor: {{folder: pix2pix, {option}}}")
        with pytest.raises(MissingExtraError, match="pip install 'g2u\\[pair\\]'"):
            load_model("pair", str(file))


def test_a_damaged_folder_is_told_of(folder: Path) -> None:
    weights = folder / "reader" / "model.safetensors"
    whole = weights.read_bytes()
    try:
        weights.write_bytes(whole[:-100])
        with pytest.raises(WeightsError, match="cannot be loaded"):
            loaded(folder, "reads")
    finally:
        weights.write_bytes(whole)


def test_doctor_looks_at_a_pair(folder: Path) -> None:
    found = {check.name: check for check in examine_model("pair", str(folder / "shared.yaml"))}
    assert all(check.good for check in found.values())
    assert found["reader"].found == "that of the pipeline: reader and conditioner are the same weights"
    assert "bytes of safetensors" in found["weights of the editor"].found


def test_a_picture_that_is_too_narrow_is_refused(pix2pix: PairModel) -> None:
    with pytest.raises(PictureError, match="2x300 pixels is too narrow"):
        pix2pix.extend([None], [Image.new("RGB", (2, 300))])


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (1, 40), (1000, 20)])
def test_sizes_are_near_in_aspect_and_pixels(size: tuple[int, int]) -> None:
    width, height = fitted_size(size, 1024 * 1024, 16)
    assert width % 16 == height % 16 == 0
    assert abs(math.log(width / height * size[1] / size[0])) < 0.1
    assert 0.9 < width * height / 1024**2 < 1.1
    width, height = fitted_size(size, 32 * 32, 16)
    assert min(width, height) == 64 and abs(math.log(width / height * size[1] / size[0])) < 0.1
