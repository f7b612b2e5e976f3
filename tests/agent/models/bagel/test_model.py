"""BAGEL as a model of G2U: what it gives is what the functions below it give, put together by hand."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from g2u.errors import PictureError, QuestionError, UnknownNameError, WeightsError
from g2u.models.bagel.checkpoint.files import MODEL
from g2u.models.bagel.checkpoint.identity import digest_folder
from g2u.models.bagel.checkpoint.weights import load_network
from g2u.models.bagel.inference.context import (
    Context,
    Guidance,
    answer_context,
    edit_guidance,
    empty,
    read_drawing,
    read_patches,
    read_text,
)
from g2u.models.bagel.inference.execution import PlainExecution
from g2u.models.bagel.inference.noise import SeenPicture, drawing_noise, encoding_noise
from g2u.models.bagel.inference.sampler import PRESETS, FlowSettings, flow, picture_of
from g2u.models.bagel.inference.text import Words, score, write
from g2u.models.bagel.kin import KIN
from g2u.models.bagel.load import load, load_thinkmorph
from g2u.models.bagel.model import BagelModel, BagelPrefix, flow_settings
from g2u.models.bagel.network.config import BagelConfig
from g2u.models.bagel.network.network import BagelNetwork
from g2u.models.bagel.network.transforms import fit_size, resize
from g2u.models.protocol import Prefix, Sampler, Segment, View, complete_sampler
from g2u.models.registry import load_model
from g2u.models.settings import Value

TWO = Sampler(steps=2)
QUESTION = "Which colour?"


@pytest.fixture(scope="module")
def words(golden: Path, tiny: BagelNetwork) -> Words:
    return Words.from_folder(golden, tiny.config.token_ids)


@pytest.fixture(scope="module")
def pictures(golden: Path, tiny: BagelNetwork) -> list[Image.Image]:
    """Both golden pictures, resized already."""
    return [resize(Image.open(golden / name).convert("RGB"), tiny.config.vae_transform) for name in ("a.png", "b.png")]


def everyone(done: int, total: int) -> list[bool]:
    return [True] * 8


def prefix_of(model: BagelModel, segments: Sequence[Segment], view: View = "read") -> Prefix:
    prefix: Prefix | None = None
    for segment in segments:
        (prefix,) = model.extend([prefix], [segment], view)
    assert prefix is not None
    return prefix


def noises(picture: Image.Image, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Those of the official program: of the autoencoder first, then of the drawing."""
    generator = torch.Generator().manual_seed(seed)
    width, height = picture.size
    encoding = torch.randn(1, 16, height // 8, width // 8, generator=generator)[0]
    return encoding, torch.randn(height // 16 * (width // 16), 64, generator=generator)


def official_noises(pictures: Sequence[Image.Image], *, drawn: bool) -> list[torch.Tensor]:
    """Of encoding pictures one after the other, by the one generator that the official program has: seeded once, each
    picture takes its own, and where the second was drawn from the first, that drawing's comes between them."""
    torch.manual_seed(0)
    made = []
    for number, picture in enumerate(pictures):
        if drawn and number:
            torch.randn(picture.height // 16 * (picture.width // 16), 64)
        made.append(torch.randn(1, 16, picture.height // 8, picture.width // 8)[0])
    return made


def same(ours: Prefix, theirs: Context) -> bool:
    assert isinstance(ours, BagelPrefix)
    pairs = zip(ours.context.keys_values, theirs.keys_values, strict=True)
    return ours.context.position == theirs.position and all(
        torch.equal(a, b) for mine, other in pairs for a, b in zip(mine, other, strict=True)
    )


def drawn_by_hand(
    network: BagelNetwork, guidance: Guidance, picture: Image.Image, seed: int, settings: FlowSettings
) -> Image.Image:
    grid = (picture.height // 16, picture.width // 16)
    *_, last = flow(network, guidance, grid, noises(picture, seed)[1], settings)
    return picture_of(network, last.result, grid)


def pixels(picture: Image.Image | None) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    assert picture is not None
    return np.asarray(picture)


def test_a_picture_is_read_as_patches_and_drawn_on_as_latents_and_patches(
    model: BagelModel, tiny: BagelNetwork, pictures: list[Image.Image]
) -> None:
    read, drawn = prefix_of(model, pictures[:1]), prefix_of(model, pictures[:1], "draw")
    with torch.inference_mode():
        assert same(read, read_patches(tiny, empty(tiny), pictures[0]))
        assert same(drawn, read_drawing(tiny, empty(tiny), pictures[0], noises(pictures[0], 0)[0]))
    assert (read.pictures, drawn.pictures) == (1, 1)
    token = 3 * 2 * 2 * 32 * 4  # layers, keys and values, key heads, head size, bytes
    assert read.nbytes % token == 0 and drawn.nbytes > read.nbytes
    assert prefix_of(model, pictures).nbytes > 1.5 * read.nbytes  # a longer context has a copy of the shorter


def test_a_picture_is_resized_first(model: BagelModel, golden: Path, pictures: list[Image.Image]) -> None:
    whole = Image.open(golden / "b.png").convert("RGB").resize((333, 200))
    prefix = prefix_of(model, [whole], "draw")
    (drawn,) = model.draw([prefix], ["Go."], TWO, [0], everyone)
    assert drawn is not None and drawn.size == (128, 80)


def test_a_picture_is_read_as_in_the_official_evaluation_where_that_is_wanted(
    model: BagelModel, tiny: BagelNetwork, golden: Path
) -> None:
    whole = Image.open(golden / "b.png").convert("RGB").resize((500, 375))
    limits = tiny.config.evaluation_transform
    (read,) = model.extend([None], [whole], "read", {"reader": "evaluation"})
    (usual,) = model.extend([None], [whole], "read", {"reader": "inference"})
    with torch.inference_mode():
        assert same(read, read_patches(tiny, empty(tiny), whole, limits))
        assert same(usual, read_patches(tiny, empty(tiny), resize(whole, tiny.config.vae_transform)))
    assert isinstance(read, BagelPrefix) and isinstance(usual, BagelPrefix)
    assert read.context.tokens != usual.context.tokens


@pytest.mark.parametrize(
    ("size", "inference", "evaluation"),
    [((500, 375), 1813, 972), ((224, 224), 1369, 729), ((1024, 1024), 4900, 4900), ((2048, 1024), 2450, 2450)],
)
def test_patches_of_both_official_resizings(size: tuple[int, int], inference: int, evaluation: int) -> None:
    """Measured with the official transforms: its inferencer resizes twice, its evaluation once."""
    fields = BagelConfig.model_fields
    vae, vit, once = (fields[f"{name}_transform"].default for name in ("vae", "vit", "evaluation"))

    def patches(width: int, height: int) -> int:
        return width // 14 * (height // 14)

    assert patches(*fit_size(fit_size(size, vae), vit)) == inference
    assert patches(*fit_size(size, once)) == evaluation


def test_reading_and_scoring_are_those_of_the_functions(
    model: BagelModel, tiny: BagelNetwork, words: Words, pictures: list[Image.Image]
) -> None:
    options = ["red", "dark blue"]
    prefix = prefix_of(model, pictures)
    with torch.inference_mode():
        context = answer_context(tiny, "fresh", pictures, words.encode(QUESTION))
        expected = score(tiny, context, [words.encode(option) for option in options])
        said = write(tiny, context, 5)
    assert model.score([prefix], [QUESTION], [options]) == [expected]
    steps: list[tuple[int, int]] = []
    (reading,) = model.read([prefix], [QUESTION], 5, lambda done, total: [not steps.append((done, total))])  # type: ignore[func-returns-value]
    assert reading is not None
    assert (reading.text, reading.tokens) == (words.decode(said.ids).strip(), len(said.ids) + said.finished)
    assert reading.log_probability == pytest.approx(said.log_probability)
    assert steps == [(done, 5) for done in range(1, 6)]
    assert model.count_tokens("red") == len(words.encode("red")) + 1
    assert not (model.capabilities.closed_vocabulary or model.capabilities.domain)


@pytest.mark.parametrize("seed", [0, 7])
def test_a_drawing_is_that_of_the_functions(
    seed: int, model: BagelModel, tiny: BagelNetwork, words: Words, pictures: list[Image.Image]
) -> None:
    sampler = Sampler(steps=3, preset="edit")
    (drawn,) = model.draw([prefix_of(model, pictures[:1], "draw")], ["Go."], sampler, [seed], everyone)
    with torch.inference_mode():
        guidance = edit_guidance(tiny, pictures[0], words.encode("Go."), noises(pictures[0], 0)[0])
        expected = drawn_by_hand(tiny, guidance, pictures[0], seed, flow_settings(sampler))
    assert np.array_equal(pixels(drawn), pixels(expected))


def test_a_drawing_after_a_plan_is_that_of_the_functions(
    model: BagelModel, tiny: BagelNetwork, words: Words, pictures: list[Image.Image]
) -> None:
    prefix = prefix_of(model, ["First think.", pictures[0]], "draw")
    sampler = Sampler(steps=2, preset="edit")
    planned, plain = (
        model.draw([prefix], ["Go."], sampler, [3], everyone, thoughts)[0] for thoughts in (["A plan."], [""])
    )
    with torch.inference_mode():
        system, told, plan = map(words.encode, ("First think.", "Go.", "A plan."))
        guidance = edit_guidance(tiny, pictures[0], told, noises(pictures[0], 0)[0], system, plan)
        expected = drawn_by_hand(tiny, guidance, pictures[0], 3, flow_settings(sampler))
    assert np.array_equal(pixels(planned), pixels(expected))
    assert not np.array_equal(pixels(planned), pixels(plain))


def test_continued_is_everything_that_the_drawing_was_made_from(
    model: BagelModel, tiny: BagelNetwork, words: Words, pictures: list[Image.Image]
) -> None:
    continued = prefix_of(model, [pictures[0], "Go.", pictures[1]], "draw")
    told, asked = words.encode("Go."), words.encode(QUESTION)
    encoding = official_noises(pictures, drawn=True)
    with torch.inference_mode():
        main = edit_guidance(tiny, pictures[0], told, encoding[0]).main
        by_hand = answer_context(tiny, "continued", pictures[1:], asked, main, encoding[1])
        expected = score(tiny, by_hand, [words.encode("red")])
    assert same(continued, read_drawing(tiny, main, pictures[1], encoding[1]))
    assert model.score([continued], [QUESTION], [["red"]]) == [expected]


def test_the_noise_of_a_second_picture_goes_on_as_in_the_official_program(
    model: BagelModel, tiny: BagelNetwork, pictures: list[Image.Image]
) -> None:
    """Neither of the first picture nor of one that was drawn between them, where none was."""
    first, second = official_noises(pictures, drawn=False)
    with torch.inference_mode():
        by_hand = read_drawing(tiny, read_drawing(tiny, empty(tiny), pictures[0], first), pictures[1], second)
    assert same(prefix_of(model, pictures, "draw"), by_hand)
    assert not torch.equal(second, official_noises(pictures, drawn=True)[1])


@pytest.mark.parametrize("seed", [0, 7])
def test_a_second_drawing_begins_where_the_generator_stands(seed: int, tiny: BagelNetwork) -> None:
    seen = [SeenPicture((6, 8), False), SeenPicture((6, 8), True)]
    torch.manual_seed(seed)
    for _ in seen:
        encoding = torch.randn(1, 16, 12, 16)[0]
        begins = torch.randn(6 * 8, 64)
    assert torch.equal(encoding_noise(tiny.config, seen, seed), encoding)
    assert torch.equal(drawing_noise(tiny.config, seen, seed), begins)


@pytest.fixture(scope="module")
def thinkmorph(golden: Path) -> BagelModel:
    return load_thinkmorph(str(golden), "cpu", "float32")


def test_drawings_inside_a_text_are_all_guided_against_what_came_before_the_question(
    thinkmorph: BagelModel, tiny: BagelNetwork, words: Words, pictures: list[Image.Image]
) -> None:
    """As the official program of ThinkMorph has it, put together by hand from the functions."""
    sampler = complete_sampler(thinkmorph.capabilities, TWO, "thinkmorph")
    assert sampler.preset == "edit"
    texts = [words.encode(text) for text in ("Think.", QUESTION, "I look.", "I look again.")]
    encoding = official_noises([pictures[0], pictures[0]], drawn=True)
    with torch.inference_mode():
        system = read_text(tiny, empty(tiny), texts[0])
        before = read_drawing(tiny, system, pictures[0], encoding[0])
        main = read_text(tiny, read_text(tiny, before, texts[1]), texts[2])
        away = read_text(tiny, system, texts[1])
        grid = (pictures[0].height // 16, pictures[0].width // 16)
        settings = flow_settings(sampler, KIN["thinkmorph"].presets)

        def by_hand(main: Context, seen: list[SeenPicture]) -> Image.Image:
            noise = drawing_noise(tiny.config, seen, 5)
            *_, last = flow(tiny, Guidance(main, before, away), grid, noise, settings)
            return picture_of(tiny, last.result, grid)

        first = by_hand(main, [SeenPicture(grid, False)])
        main = read_text(tiny, read_drawing(tiny, main, first, encoding[1]), texts[3])
        second = by_hand(main, [SeenPicture(grid, False), SeenPicture(grid, True)])
    begun: list[Segment] = ["Think.", pictures[0]]
    (ours,) = thinkmorph.draw([prefix_of(thinkmorph, begun, "draw")], [QUESTION], sampler, [5], everyone, ["I look."])
    assert np.array_equal(pixels(ours), pixels(first))
    longer = prefix_of(thinkmorph, [*begun, QUESTION, "I look.", first], "draw")
    (ours,) = thinkmorph.draw([longer], ["I look again."], sampler, [5], everyone)
    assert np.array_equal(pixels(ours), pixels(second))


def test_an_empty_text_is_written_after_right_away(
    thinkmorph: BagelModel, tiny: BagelNetwork, pictures: list[Image.Image]
) -> None:
    prefix = prefix_of(thinkmorph, pictures[:1], "draw")
    assert isinstance(prefix, BagelPrefix)
    (reading,) = thinkmorph.read([prefix], [""], 5, lambda done, total: [True])
    with torch.inference_mode():
        said = write(tiny, prefix.context, 5)
    assert reading is not None and reading.log_probability == pytest.approx(said.log_probability)


def test_a_second_drawing_is_guided_by_all_texts(
    model: BagelModel, tiny: BagelNetwork, words: Words, pictures: list[Image.Image]
) -> None:
    prefix = prefix_of(model, [pictures[0], "Go.", pictures[1]], "draw")
    assert isinstance(prefix, BagelPrefix)
    with torch.inference_mode():
        assert prefix.texts.tokens == read_text(tiny, empty(tiny), words.encode("Go.")).tokens
    assert prefix.grid == (pictures[1].height // 16, pictures[1].width // 16)


def test_drawings_come_one_after_the_other_and_may_be_left_out(model: BagelModel, pictures: list[Image.Image]) -> None:
    prefixes = [prefix_of(model, [picture], "draw") for picture in (pictures[0], pictures[1], pictures[0])]
    told: list[tuple[int, int]] = []

    def on_step(done: int, total: int) -> list[bool]:
        told.append((done, total))
        return [True, done < 3, True]

    first, second, third = model.draw(prefixes, ["Go."] * 3, TWO, [0, 0, 0], on_step)
    assert second is None
    assert told == [(1, 6), (2, 6), (3, 6), (5, 6), (6, 6)]
    assert np.array_equal(pixels(first), pixels(third))


def test_texts_in_lockstep_are_those_of_each_alone(
    tiny: BagelNetwork, words: Words, pictures: list[Image.Image]
) -> None:
    with torch.inference_mode():
        contexts = [
            answer_context(tiny, "fresh", [picture], words.encode(text))
            for picture, text in zip([*pictures, pictures[0]], ("One?", QUESTION, "A third one?"), strict=True)
        ]
        alone = [write(tiny, context, 6) for context in contexts]
        passes: list[int] = []

        def on_word(done: int) -> list[bool]:
            passes.append(done)
            return [True, done < 2, True]

        first, second, third = PlainExecution(tiny).write(contexts, 6, on_word)
    assert (first, second, third) == (alone[0], None, alone[2])
    assert passes == [1, 2, 3, 4, 5, 6]


def test_a_text_ends_at_its_end_token(golden: Path, tiny: BagelNetwork) -> None:
    with torch.inference_mode():
        start = read_text(tiny, empty(tiny), [20])
        (said,) = PlainExecution(tiny).write([start], 2, lambda done: [True])
        assert said is not None
        # Another network, whose end token is the word that this one begins with.
        other = load_network(golden, "float32")
        ids = tiny.config.token_ids.model_copy(update={"eos_token_id": said.ids[0]})
        other.config = tiny.config.model_copy(update={"token_ids": ids})
        (ended,) = PlainExecution(other).write([start], 9, lambda done: [True])
    assert ended is not None and (ended.ids, ended.finished) == ([], True)
    assert ended.log_probability == pytest.approx(said.log_probability)


def test_samplers(model: BagelModel) -> None:
    presets = {"paper": 29, "edit": 49, "paper-skip": 29, "edit-skip": 49, "edit-interval": 49}
    assert dict(model.capabilities.presets) == presets and next(iter(model.capabilities.presets)) == "paper"
    assert flow_settings(Sampler()).timesteps == 30
    edit = flow_settings(Sampler(steps=1000, preset="edit"))
    assert (edit.timesteps, edit.picture_scale) == (1001, 2.0)
    for name, preset in PRESETS.items():
        assert flow_settings(complete_sampler(model.capabilities, Sampler(preset=name), "bagel")) == preset
    wanted: dict[str, Value] = {
        "cfg_text": "6",
        "cfg_above": 0.2,
        "renorm": "channel",
        "renorm_min": 1,
        "shift": 4,
        "every": 2,
    }
    set_by_hand = flow_settings(complete_sampler(model.capabilities, Sampler(preset="edit", values=wanted), "bagel"))
    assert set_by_hand == FlowSettings(
        timesteps=50,
        text_scale=6.0,
        picture_scale=2.0,
        interval=(0.2, 1.0),
        renorm="channel",
        renorm_min=1.0,
        shift=4.0,
        every=2,
    )


def test_a_narrow_picture_and_a_long_text(model: BagelModel) -> None:
    with pytest.raises(PictureError, match="too narrow"):
        model.extend([None], [Image.new("RGB", (200, 4))])
    with pytest.raises(QuestionError, match="the model has 32768"):
        model.extend([None], ["x" * 33_000])


def test_the_identity_tells_folders_and_settings_apart(golden: Path, tmp_path: Path, model: BagelModel) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(golden, folder)
    assert digest_folder(folder) == digest_folder(golden) == model.identity.weights
    assert model.identity.settings == ("float32", "plain")
    assert load(str(folder), "cpu").identity.settings == ("bfloat16", "plain")
    state = load_file(folder / MODEL)
    state["llm2vae.bias"] += 1
    save_file(state, folder / MODEL)
    changed = digest_folder(folder)
    assert changed != model.identity.weights
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    meta["llm"]["rope_theta"] = 10_000.0
    (folder / "meta.json").write_text(json.dumps(meta), "utf-8")
    assert digest_folder(folder) != changed


def test_the_identity_says_that_weights_were_float16(golden: Path, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(golden, folder)
    save_file({key: value.half() for key, value in load_file(folder / MODEL).items()}, folder / MODEL)
    half = load(str(folder / MODEL), "cpu").identity
    assert half.settings == ("bfloat16", "plain", "from F16")
    assert half.weights != digest_folder(golden)


def test_an_execution_that_there_is_not(golden: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean plain"):
        load(str(golden), "cpu", execution="plane")


def test_thinkmorph_is_the_same_code_under_another_name(golden: Path) -> None:
    other = load_thinkmorph(str(golden), "cpu")
    assert (other.key, other.identity.model, other.prompt_set) == ("thinkmorph", "thinkmorph", "thinkmorph")


@pytest.mark.parametrize(
    ("key", "repository"), [("bagel", "ByteDance-Seed/BAGEL-7B-MoT"), ("thinkmorph", "ThinkMorph/ThinkMorph-7B")]
)
def test_without_a_folder_it_is_told_what_to_download(key: str, repository: str) -> None:
    with pytest.raises(WeightsError, match=f"hf download {repository} --local-dir DIR"):
        load_model(key)
