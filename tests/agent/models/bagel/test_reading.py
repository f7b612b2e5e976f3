"""Contexts, texts and drawings of a tiny BAGEL, apart from the golden outputs."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import Qwen2Tokenizer

from g2u.errors import PictureError, QuestionError, WeightsError
from g2u.models.bagel.inference.chance import Chance
from g2u.models.bagel.inference.context import (
    Context,
    answer_context,
    edit_guidance,
    empty,
    latent_grid,
    read_text,
    read_words,
)
from g2u.models.bagel.inference.sampler import PRESETS, FlowSettings, flow, flow_times, guide, picture_of
from g2u.models.bagel.inference.text import AT_ONCE, Words, choose, score, word_scores, write
from g2u.models.bagel.network.config import TokenIds, TransformConfig
from g2u.models.bagel.network.network import BagelNetwork
from g2u.models.bagel.network.transforms import (
    fit_size,
    from_patches,
    resize,
    to_patches,
    to_picture,
    to_rgb,
    to_tensor,
)

SPECIAL = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
WORDS = [85, 427, 337]
LIMITS = TransformConfig(max=1024, min=512, stride=16)


@pytest.fixture(scope="module")
def picture(golden: Path, tiny: BagelNetwork) -> Image.Image:
    return resize(to_rgb(Image.open(golden / "a.png")), tiny.config.vae_transform)


@pytest.fixture(scope="module")
def noise(picture: Image.Image) -> torch.Tensor:
    return torch.randn(16, picture.height // 8, picture.width // 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def question(tiny: BagelNetwork, picture: Image.Image) -> Context:
    return answer_context(tiny, "fresh", [picture], WORDS)


def test_words_one_by_one_are_words_at_once(tiny: BagelNetwork, question: Context) -> None:
    (at_once,) = word_scores(tiny, question, [WORDS])
    context = question
    for row, word in enumerate(WORDS):
        context, logits = read_words(tiny, context, [word])
        torch.testing.assert_close(logits.log_softmax(-1), at_once[row], rtol=1e-4, atol=1e-5)
    assert question.tokens + len(WORDS) == context.tokens


def test_scores_are_the_log_probabilities_of_writing(tiny: BagelNetwork, question: Context) -> None:
    special = tiny.config.token_ids
    written = write(tiny, question, most=5)
    assert len(written.ids) == 4
    assert not written.finished
    (scores,) = word_scores(tiny, question, [[special.bos_token_id, *written.ids]])
    said = sum(float(scores[i, word]) for i, word in enumerate(written.ids))
    assert written.log_probability == pytest.approx(said, rel=1e-4)
    end = float(scores[len(written.ids), special.eos_token_id])
    assert score(tiny, question, [written.ids])[0] == pytest.approx(said + end, rel=1e-4)


def test_options_go_through_the_network_together(tiny: BagelNetwork, question: Context) -> None:
    options = [[4, 9], [11], [4, 9, 7], *([number] * 40 for number in range(20, 32))]
    alone = [score(tiny, question, [option])[0] for option in options]
    passes: list[int] = []

    def counted(x: torch.Tensor, *rest: Any) -> Any:
        passes.append(len(x))
        return tiny.transformer(x, *rest[:-1])  # without `wanted`, of the fast path alone

    tiny.fast_blocks = counted
    try:
        few, all_of_them = score(tiny, question, options[:3]), score(tiny, question, options)
    finally:
        tiny.fast_blocks = None
    assert few == pytest.approx(alone[:3], rel=1e-5) and all_of_them == pytest.approx(alone, rel=1e-5)
    words = sum(len(option) + 1 for option in options)
    assert passes[0] == 9 and sum(passes[1:]) == words
    assert max(passes) <= AT_ONCE and len(passes[1:]) == 2  # as few as the bound allows


def test_writing_at_random_follows_its_generator(tiny: BagelNetwork, question: Context) -> None:
    def ids(seed: int) -> list[int]:
        return write(tiny, question, 6, Chance(2.0, [seed])).ids

    assert ids(0) == ids(0) != ids(1)


def test_words_by_chance_come_as_often_as_their_probabilities_say() -> None:
    logits, temperature = torch.tensor([2.0, 1.0, 0.0, -30.0]), 1.6
    chance = Chance(temperature, [0])
    drawn = torch.tensor([choose(logits, chance) for _ in range(4000)]).bincount(minlength=4) / 4000
    assert torch.allclose(drawn, torch.softmax(logits / temperature, 0), atol=0.025)
    assert choose(logits) == 0


def test_writing_stops_when_it_is_told(tiny: BagelNetwork, question: Context) -> None:
    assert len(write(tiny, question, 9, on_word=lambda done, _: done < 3).ids) == 2


def test_layouts_of_an_answer(tiny: BagelNetwork, picture: Image.Image, noise: torch.Tensor) -> None:
    guidance = edit_guidance(tiny, picture, WORDS, noise)
    latents, patches, words = 8 * 6 + 2, 7 * 5 + 2, len(WORDS) + 2
    assert (guidance.main.tokens, guidance.main.position) == (latents + patches + words, 2 + words)
    assert (guidance.without_text.tokens, guidance.without_text.position) == (latents + patches, 2)
    assert (guidance.without_pictures.tokens, guidance.without_pictures.position) == (words, words)
    fresh = answer_context(tiny, "fresh", [picture, picture], WORDS)
    assert (fresh.tokens, fresh.position) == (2 * patches + words, 2 + words)
    continued = answer_context(tiny, "continued", [picture], WORDS, guidance.main, noise)
    assert (continued.tokens, continued.position) == (2 * (latents + patches + words), 2 * (2 + words))
    for (whole, _), (part, _) in zip(guidance.main.keys_values, guidance.without_text.keys_values, strict=True):
        assert torch.equal(whole[: len(part)], part)


def test_thinking_adds_to_the_main_context_alone(tiny: BagelNetwork, picture: Image.Image, noise: torch.Tensor) -> None:
    plain = edit_guidance(tiny, picture, WORDS, noise, system=[9])
    thinking = edit_guidance(tiny, picture, WORDS, noise, system=[9], thought=[21, 22])
    assert thinking.main.position == plain.main.position + 4
    assert thinking.without_text.tokens == plain.without_text.tokens
    assert thinking.without_pictures.tokens == plain.without_pictures.tokens == 3 + len(WORDS) + 2


def test_more_words_than_positions(tiny: BagelNetwork) -> None:
    with pytest.raises(QuestionError, match="32769 positions; the model has 32768"):
        read_text(tiny, empty(tiny), [1] * 32767)


def test_a_drawing_has_the_size_of_its_picture(tiny: BagelNetwork, picture: Image.Image, noise: torch.Tensor) -> None:
    guidance, grid = edit_guidance(tiny, picture, WORDS, noise), latent_grid(tiny, picture)
    start = torch.randn(grid[0] * grid[1], 64, generator=torch.Generator().manual_seed(2))
    *_, last = flow(tiny, guidance, grid, start, FlowSettings(timesteps=3, interval=(0.0, 1.0)))
    assert picture_of(tiny, last.result, grid).size == picture.size


def test_presets() -> None:
    paper, edit = PRESETS["paper"], PRESETS["edit"]
    assert (paper.timesteps, paper.text_scale, paper.picture_scale) == (30, 4.0, 1.0)
    assert (edit.timesteps, edit.text_scale, edit.picture_scale) == (50, 4.0, 2.0)
    assert (edit.interval, edit.renorm) == ((0.0, 1.0), "text_channel")
    times = flow_times(edit)
    assert (len(times), times[0], times[-1]) == (50, 1, 0)


@pytest.mark.parametrize(("renorm", "dtype"), [("global", torch.bfloat16), ("channel", torch.float32)])
def test_guidance_never_lengthens(renorm: str, dtype: torch.dtype) -> None:
    v, text, pictures = torch.randn(3, 7, 64, generator=torch.Generator().manual_seed(0)).bfloat16()
    settings = FlowSettings(timesteps=2, picture_scale=2.0, renorm=renorm)  # type: ignore[arg-type]
    guided = guide(v, text, pictures, settings)
    assert guided.dtype == dtype
    dim = None if renorm == "global" else -1
    lengths = torch.linalg.vector_norm(guided.float(), dim=dim), torch.linalg.vector_norm(v.float(), dim=dim)
    torch.testing.assert_close(*lengths, rtol=1e-2, atol=0)


def test_patches_and_back() -> None:
    grid = torch.arange(3 * 4 * 6).view(3, 4, 6)
    patches = to_patches(grid, 2)
    assert patches[1].tolist() == [2, 26, 50, 3, 27, 51, 8, 32, 56, 9, 33, 57]  # row, column, channel
    assert torch.equal(from_patches(patches, 2, 2), grid)


def test_bytes_survive_and_are_cut_off() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(16, 16, 1).expand(-1, -1, 3)
    picture = Image.fromarray(levels.contiguous().numpy())
    assert torch.equal(to_tensor(picture)[0].flatten(), (torch.arange(256) / 255 - 0.5) / 0.5)
    assert to_picture(torch.full((3, 1, 1), 0.999 / 127.5 - 1)).getpixel((0, 0)) == (0, 0, 0)


def test_what_is_transparent_becomes_white() -> None:
    assert to_rgb(Image.new("RGBA", (1, 1), (9, 9, 9, 0))).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("size", [(1, 65), (4000, 62), (0, 5)])
def test_too_narrow_a_picture(size: tuple[int, int]) -> None:
    with pytest.raises(PictureError, match="too narrow"):
        fit_size(size, LIMITS)


def test_the_tokenizer_is_that_of_the_folder(tmp_path: Path) -> None:
    vocabulary = {letter: index for index, letter in enumerate(["h", "i", "Ġ", "hi", "Ġhi"])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\nh i\nĠ hi\n", "utf-8")
    added = [word for word in SPECIAL if word != "<|im_start|>"]
    config = {"tokenizer_class": "Qwen2Tokenizer", "additional_special_tokens": ["<|im_start|>", *added]}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    ids = Qwen2Tokenizer.from_pretrained(tmp_path).convert_tokens_to_ids(SPECIAL)
    special = TokenIds(bos_token_id=ids[0], eos_token_id=ids[1], start_of_image=ids[2], end_of_image=ids[3])
    words = Words.from_folder(tmp_path, special)
    assert words.encode("hi hi") == [3, 4]
    assert words.decode([3, 4]) == "hi hi"
    # Another `tokenizer.json`, which transformers alone would read, changes nothing.
    other = json.loads(Qwen2Tokenizer.from_pretrained(tmp_path).backend_tokenizer.to_str())
    other["model"]["vocab"] |= {"hi": 4, "Ġhi": 3}
    (tmp_path / "tokenizer.json").write_text(json.dumps(other), "utf-8")
    assert Qwen2Tokenizer.from_pretrained(tmp_path).encode("hi hi") != [3, 4]
    assert Words.from_folder(tmp_path, special).encode("hi hi") == [3, 4]
    with pytest.raises(WeightsError, match="not that of BAGEL"):
        Words.from_folder(tmp_path, TokenIds())
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(WeightsError, match=r"no merges\.txt"):
        Words.from_folder(tmp_path, special)
