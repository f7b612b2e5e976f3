"""What mini knows of its own limits: words, pictures of another kind, and pictures of another shape."""

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerFast

from g2u.errors import WeightsError
from g2u.models.mini import WEIGHTS, load
from g2u.models.mini.domain import FILE, Domain, fit, load_domain, measure_domain, save_domain
from g2u.models.mini.model import MiniModel, MiniPrefix, fit_square
from g2u.models.mini.transformer import MiniConfig, MiniTransformer
from g2u.models.mini.weights import INDEX, save_weights
from g2u.models.mini.words import words_of
from g2u.models.protocol import Sampler

KNOWN = ["12", "circle", "is", "the", "where"]


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    """Bytes of pictures that are one grey with a little noise."""
    chance = torch.Generator().manual_seed(seed)
    grey = torch.randint(60, 190, (count, 1, 1, 1), generator=chance)
    return (grey + torch.randint(-20, 20, (count, 3, 128, 128), generator=chance)).to(torch.uint8)


def image(picture: torch.Tensor) -> Image.Image:
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())


def noise(size: tuple[int, int], seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a tiny network that knows five words and 64 pictures."""
    path = tmp_path_factory.mktemp("tiny") / "weights"
    torch.manual_seed(0)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(WEIGHTS, local_files_only=True)
    shape = MiniConfig(width=64, layers=3, heads=2, hidden=96, vocabulary=len(tokenizer), known_words=KNOWN)
    network = MiniTransformer(shape)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    save_weights(network, tokenizer, path, measure_domain(network, pictures(64), batch=24))
    return path


@pytest.fixture(scope="module")
def tiny(folder: Path) -> MiniModel:
    return load(str(folder), device="cpu")


def draw(model: MiniModel, picture: Image.Image) -> Image.Image:
    drawn = model.draw(model.extend([None], [picture]), ["x"], Sampler(steps=2), [3], lambda done, total: [True])[0]
    assert drawn is not None
    return drawn


# Words.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Where is the circle?", ["where", "is", "the", "circle"]),
        ("It's 12px, NOT 3.5!", ["it", "s", "12", "px", "not", "3", "5"]),
        ("left-hand_side", ["left", "hand", "side"]),
        ("Où est l'É\u0301 cafe\u0301 ?", ["où", "est", "l", "é\u0301", "café"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("? 🔴 !", []),
        ("", []),
    ],
)
def test_words_are_runs_of_letters_or_digits(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_words_that_were_not_taught_are_named(tiny: MiniModel) -> None:
    assert tiny.unknown_words("WHERE is the Zebra, the 12 or the 13?") == ["zebra", "or", "13"]
    assert tiny.unknown_words("Where is the circle?") == []


def test_weights_that_do_not_name_their_words_flag_none() -> None:
    network = MiniTransformer(MiniConfig(width=64, layers=1, heads=2, hidden=96))
    assert MiniModel(network, load(device="cpu")._tokenizer, load(device="cpu").identity).unknown_words("Zebra?") == []


def test_tokens_are_counted_as_they_are_scored(tiny: MiniModel) -> None:
    kept = tiny._network.words.weight.data.clone()
    tiny._network.words.weight.data.zero_()  # every token is as likely as any other
    options = ["red", "The picture already shows what is asked.", "zebra"]
    scores = tiny.score(tiny.extend([None], [noise((128, 128))]), ["Question:"], [options])[0]
    tiny._network.words.weight.data.copy_(kept)
    means = [score / tiny.count_tokens(option) for option, score in zip(options, scores, strict=True)]
    assert means == pytest.approx([-math.log(tiny._network.config.vocabulary)] * 3, rel=1e-5)


# Pictures of another kind.


def test_scores_of_the_same_kind_are_even_and_another_kind_is_beyond() -> None:
    chance = torch.Generator().manual_seed(0)
    mixing = torch.randn(32, 32, generator=chance) * torch.logspace(0, -3, 32)
    same = [torch.randn(4000, 32, generator=chance) @ mixing.T + 5 for _ in range(2)]
    domain = fit(same[0])
    assert domain.whiten.dtype == domain.mean.dtype == domain.distances.dtype == torch.float32
    scores = torch.tensor([domain.score(feature) for feature in same[1]]).sort().values
    assert (scores - torch.linspace(0, 1, 4000)).abs().max() < 0.04  # Kolmogorov and Smirnov, 2.5 times their 5 %
    narrow = torch.linalg.qr(mixing)[0][:, -1]  # a direction in which pictures of this kind hardly differ
    assert domain.score(same[1][0] + narrow) == 1.0
    assert domain.score(domain.mean) == 0.0


def test_scores_are_interpolated() -> None:
    domain = Domain(mean=torch.zeros(2), whiten=torch.eye(2), distances=torch.linspace(0, 10, 1001))
    assert [domain.score(torch.tensor([x, 0.0])) for x in (0.0, 2.505, 10.0, 11.0)] == pytest.approx([0, 0.2505, 1, 1])


def test_fewer_pictures_than_values_are_enough() -> None:
    chance = torch.Generator().manual_seed(1)
    features = torch.randn(60, 100, generator=chance)
    domain = fit(features[:40])
    assert sum(domain.score(feature) < 1.0 for feature in features[40:]) > 10
    assert domain.score(features[0] + 100) == 1.0


def test_a_direction_in_which_nothing_differs_is_no_fault() -> None:
    domain = fit(torch.tensor([[1.0, 7.0], [1.0, 7.0], [-1.0, 7.0], [-1.0, 7.0]]).repeat(5, 1))
    assert domain.score(torch.tensor([0.0, 7.0])) == 0.0
    assert domain.score(torch.tensor([0.0, 7.1])) == 1.0


@pytest.mark.parametrize(
    ("features", "says"),
    [
        (torch.randn(15, 4), "at least 16 pictures, better thousands, not 15"),
        (torch.ones(40, 4), "that differ"),
        (torch.full((40, 4), torch.nan), "finite features"),
        (torch.full((40, 4), torch.inf), "finite features"),
    ],
)
def test_a_domain_that_cannot_be_measured_is_refused(features: torch.Tensor, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fit(features)


def test_what_is_measured_is_what_is_loaded(tiny: MiniModel) -> None:
    held_out = [image(picture) for picture in pictures(64)[1::2]]
    prefixes = tiny.extend([None] * len(held_out), held_out)
    scores = sorted(score for prefix in prefixes if (score := tiny.out_of_domain(prefix)) is not None)
    assert scores == pytest.approx(list(np.linspace(0, 1, 32)), abs=2e-3)
    (alone,) = tiny.extend([None], held_out[:1])
    assert tiny.out_of_domain(alone) == pytest.approx(tiny.out_of_domain(prefixes[0]), abs=2e-3)


def test_the_first_picture_of_a_prefix_is_judged(tiny: MiniModel) -> None:
    inside = tiny.extend([None], [image(pictures(64)[1])])
    outside = tiny.extend([None], [Image.new("RGB", (128, 128), "red")])
    assert tiny.out_of_domain(outside[0]) == 1.0
    both = tiny.extend(inside, [noise((128, 128))])
    assert tiny.out_of_domain(both[0]) == tiny.out_of_domain(inside[0]) != 1.0


def test_weights_without_a_domain_cannot_say(folder: Path, tmp_path: Path) -> None:
    loaded = load(str(folder), device="cpu")
    save_weights(loaded._network, loaded._tokenizer, tmp_path / "bare")
    bare = load(str(tmp_path / "bare"), device="cpu")
    assert not (tmp_path / "bare" / FILE).exists()
    assert bare.out_of_domain(bare.extend([None], [noise((128, 128))])[0]) is None
    assert bare.identity.weights != loaded.identity.weights


def lose(folder: Path) -> None:
    (folder / FILE).unlink()


def change(folder: Path) -> None:
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:-1] + b"\x07")


def unname(folder: Path) -> None:
    index = json.loads((folder / INDEX).read_text())
    del index["metadata"]["sha256"][FILE]
    (folder / INDEX).write_text(json.dumps(index))


def reseal(folder: Path) -> None:
    index = json.loads((folder / INDEX).read_text())
    index["metadata"]["sha256"][FILE] = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    (folder / INDEX).write_text(json.dumps(index))


def widen(folder: Path) -> None:
    save_domain(Domain(mean=torch.zeros(65), whiten=torch.zeros(65, 65), distances=torch.zeros(1001)), folder)
    reseal(folder)


def rename(folder: Path) -> None:
    save_file({"means": torch.zeros(64)}, folder / FILE)
    reseal(folder)


def garble(folder: Path) -> None:
    (folder / FILE).write_bytes(b"no tensors")
    reseal(folder)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lose, "misses 1 of 2 safetensors files: domain.safetensors"),
        (change, "do not have the hash of the index: domain.safetensors"),
        (unname, "has files that are not in its index: domain.safetensors"),
        (widen, r"holds .*'mean': \(65,\).* and .*'mean': \(64,\).* was expected"),
        (rename, r"holds \{'means': \(64,\)\}"),
        (garble, "is no safetensors file"),
    ],
)
def test_a_damaged_domain_is_refused(folder: Path, tmp_path: Path, damage: Callable[[Path], None], says: str) -> None:
    shutil.copytree(folder, tmp_path / "weights")
    damage(tmp_path / "weights")
    with pytest.raises(WeightsError, match=says):
        load(str(tmp_path / "weights"), device="cpu")


def test_a_domain_is_read_back_as_it_was_written(folder: Path, tmp_path: Path) -> None:
    domain = load_domain(folder, 64)
    save_domain(domain, tmp_path)
    again = load_domain(tmp_path, 64)
    assert all(torch.equal(getattr(domain, name), getattr(again, name)) for name in ("mean", "whiten", "distances"))


# Pictures of another shape.

SIZES = [(400, 200), (100, 300), (128, 96), (37, 128), (129, 128), (1000, 3), (5000, 1), (60, 60), (128, 128)]


@pytest.mark.parametrize("size", SIZES)
def test_a_drawing_has_the_aspect_of_its_source(tiny: MiniModel, size: tuple[int, int]) -> None:
    drawn = draw(tiny, noise(size))
    assert max(drawn.size) == 128 and min(drawn.size) >= 1
    scale = 128 / max(size)
    assert all(abs(got - length * scale) < 1 for got, length in zip(drawn.size, size, strict=True))


@pytest.mark.parametrize("size", [size for size in SIZES if size[0] < 1000])
def test_a_drawing_is_that_of_the_square_without_its_bars(tiny: MiniModel, size: tuple[int, int]) -> None:
    source = noise(size)
    square = ImageOps.pad(source, (128, 128))
    fitted, box = fit_square(source, 128)
    assert fitted.tobytes() == square.tobytes()
    assert draw(tiny, source).tobytes() == draw(tiny, square).crop(box).tobytes()
    bars = np.array(square)
    bars[box[1] : box[3], box[0] : box[2]] = 0
    assert not bars.any()


@pytest.mark.parametrize("size", [(400, 200), (100, 300)])
def test_a_drawing_of_a_drawing_lies_at_the_same_place(tiny: MiniModel, size: tuple[int, int]) -> None:
    source = noise(size)
    thought = draw(tiny, source)
    pair = tiny.extend(tiny.extend([None], [source]), [thought])[0]
    assert isinstance(pair, MiniPrefix) and pair.parent is not None
    assert pair.box == pair.parent.box != (0, 0, 128, 128)
    assert draw(tiny, thought).size == thought.size


def test_pictures_of_many_shapes_share_a_batch(tiny: MiniModel) -> None:
    sources = [noise(size) for size in ((400, 200), (128, 128), (100, 300))]
    flags = [[True, True, True], [False, True, True]]
    drawn = tiny.draw(
        tiny.extend([None] * 3, sources), ["x"] * 3, Sampler(steps=2), [3] * 3, lambda done, total: flags[done - 1]
    )
    assert [one and one.size for one in drawn] == [None, (128, 128), (43, 128)]


def test_a_square_picture_is_taken_as_it_is() -> None:
    source = noise((128, 128))
    assert fit_square(source, 128) == (source, (0, 0, 128, 128))


def test_mini_says_that_it_keeps_the_aspect(tiny: MiniModel) -> None:
    assert tiny.capabilities.aspect == "kept"
