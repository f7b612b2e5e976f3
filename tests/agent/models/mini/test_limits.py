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

from g2u.asking import aask
from g2u.errors import WeightsError
from g2u.models.mini.domain import FILE, Domain, fit, load_domain, measure_domain, save_domain
from g2u.models.mini.load import WEIGHTS, load
from g2u.models.mini.model import MiniModel
from g2u.models.mini.prefix import MiniPrefix
from g2u.models.mini.squares import fit_square
from g2u.models.mini.text import Text
from g2u.models.mini.transformer import MiniConfig, MiniTransformer
from g2u.models.mini.weights import INDEX, load_weights, replace_domain, save_weights
from g2u.models.mini.words import words_of
from g2u.models.protocol import Sampler
from g2u.state import Context
from g2u.traces.caveats import OUTSIDE
from g2u.traces.trace import read_trace
from g2u.world.materials.words import WORDS
from g2u.world.training.tokenizer import _sentences

PHOTOGRAPHS = Path(__file__).parents[3] / "data" / "photographs"
KNOWN = ["12", "circle", "is", "the", "where"]


def pictures(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Bytes of pictures that are one grey with a little noise, and which of them are dark (0) or bright (1)."""
    chance = torch.Generator().manual_seed(seed)
    groups = torch.arange(count) % 2
    grey = torch.randint(50, 90, (count, 1, 1, 1), generator=chance) + 100 * groups[:, None, None, None]
    return (grey + torch.randint(-20, 20, (count, 3, 128, 128), generator=chance)).to(torch.uint8), groups


def held_out() -> list[Image.Image]:
    """The pictures on which the distances of `folder` were measured: every other one of each group."""
    every = pictures(64)[0]
    return [image(picture) for picture in torch.cat([every[::2][1::2], every[1::2][1::2]])]


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
    save_weights(network, tokenizer, path, measure_domain(network, *pictures(64), batch=24))
    return path


@pytest.fixture(scope="module")
def tiny(folder: Path) -> MiniModel:
    return load(str(folder), device="cpu")


@pytest.fixture(scope="module")
def shipped() -> MiniModel:
    return load(device="cpu")


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


def test_words_are_read_in_the_spelling_that_was_taught(shipped: MiniModel) -> None:
    for given, taught in (("STAR", "star"), ("Red", "red"), ("where", "where"), ("WHICH", "which"), ("gold", "GOLD")):
        assert shipped.unknown_words(given) == []
        assert shipped.text.encode(f" {given}") == shipped.text.encode(f" {taught}")
        assert shipped.count_tokens(given) == 2  # its one token and the end
    assert shipped.text.encode(" BLUE") != shipped.text.encode(" blue")  # both were taught
    assert shipped.unknown_words("Quagga") == ["quagga"]
    assert shipped.text.encode(" Quagga") != shipped.text.encode(" quagga")  # what is not known is left as it is


def test_what_was_taught_is_read_as_it_was_taught(shipped: MiniModel) -> None:
    for text in {*_sentences(), *(f" {word}" for word in WORDS)}:
        assert shipped.text.encode(text) == shipped.text.tokenizer.encode(text, add_special_tokens=False).ids


def test_a_question_in_capitals_is_answered_alike(shipped: MiniModel) -> None:
    prefix = shipped.extend([None], [noise((128, 128))])
    asked = ["Question: Where is the star? Answer:", "Question: Where is the STAR? Answer:"]
    scores = [shipped.score(prefix, [text], [[option]])[0] for text in asked for option in ("left", "LEFT")]
    assert scores[0] == scores[1] == scores[2] == scores[3]


def test_weights_that_do_not_name_their_words_flag_none() -> None:
    network, shipped = MiniTransformer(MiniConfig(width=64, layers=1, heads=2, hidden=96)), load(device="cpu")
    text = Text(shipped.text.tokenizer, shipped.text.end, network.config.known_words)
    assert MiniModel(network, text, shipped.identity).unknown_words("Zebra?") == []


def test_tokens_are_counted_as_they_are_scored(tiny: MiniModel) -> None:
    kept = tiny._network.words.weight.data.clone()
    tiny._network.words.weight.data.zero_()  # every token is as likely as any other
    options = ["red", "The picture already shows what is asked.", "zebra"]
    scores = tiny.score(tiny.extend([None], [noise((128, 128))]), ["Question:"], [options])[0]
    tiny._network.words.weight.data.copy_(kept)
    means = [score / tiny.count_tokens(option) for option, score in zip(options, scores, strict=True)]
    assert means == pytest.approx([-math.log(tiny._network.config.vocabulary)] * 3, rel=1e-5)


# Pictures of another kind.


def kinds(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of three groups, mixed; what tells them apart varies little within a group, and what does not, much."""
    chance = torch.Generator().manual_seed(seed)
    groups = torch.randint(3, (count,), generator=chance)
    means = torch.zeros(3, 32)
    means[:, :2] = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    spread = torch.full((32,), 0.5)
    spread[:2] = 0.05
    return means[groups] + spread * torch.randn(count, 32, generator=chance), groups


def test_scores_of_the_same_kind_are_even_and_what_lies_between_is_beyond() -> None:
    domain = fit(*kinds(4000))
    assert {domain.directions.dtype, domain.means.dtype, domain.distances.dtype} == {torch.float32}
    assert (domain.directions.shape, domain.means.shape) == ((32, 2), (3, 2))
    scores = torch.tensor([domain.score(feature) for feature in kinds(4000, seed=1)[0]]).sort().values
    assert (scores - torch.linspace(0, 1, 4000)).abs().max() < 0.04  # Kolmogorov and Smirnov, 2.5 times their 5 %
    middle = torch.zeros(32)
    assert domain.score(middle) < 0.1
    middle[0] = 0.5  # as far from the mean of all as any picture, and near to no group
    assert domain.score(middle) == 1.0


def test_pictures_of_groups_may_come_in_any_order_and_under_any_numbers() -> None:
    features, groups = kinds(200)
    ordered = groups.argsort(stable=True)
    domains = fit(features, groups), fit(features[ordered], 70 + 10 * groups[ordered])
    for feature in kinds(20, seed=1)[0]:
        assert domains[0].score(feature) == pytest.approx(domains[1].score(feature), abs=1e-3)


def test_scores_are_interpolated() -> None:
    domain = Domain(
        directions=torch.eye(2), means=torch.tensor([[0.0, 0], [90, 0]]), distances=torch.linspace(0, 10, 1001)
    )
    scores = [domain.score(torch.tensor([x, 0.0])) for x in (0.0, 2.505, 10.0, 11.0, 87.495)]
    assert scores == pytest.approx([0, 0.2505, 1, 1, 0.2505], abs=1e-5)


def test_fewer_pictures_than_values_are_enough() -> None:
    chance = torch.Generator().manual_seed(1)
    features = torch.randn(60, 100, generator=chance)
    domain = fit(features[:40], torch.arange(40) // 8)
    assert sum(domain.score(feature) < 1.0 for feature in features[40:]) > 10
    assert domain.score(features[0] + 1000 * domain.directions[:, 0]) == 1.0


def test_a_direction_in_which_nothing_differs_is_no_fault() -> None:
    features, groups = kinds(400)
    features[:, 5] = 7.0
    domain = fit(features, groups)
    assert domain.directions.isfinite().all() and domain.means.isfinite().all()
    others = kinds(100, seed=1)[0]
    others[:, 5] = 7.0
    assert 0.3 < sum(domain.score(feature) for feature in others) / len(others) < 0.7


HALVES = torch.arange(40) % 2


@pytest.mark.parametrize(
    ("features", "groups", "says"),
    [
        (torch.randn(15, 4), HALVES[:15], "at least 16 pictures, better thousands, not 15"),
        (torch.ones(40, 4), HALVES, "that differ"),
        (torch.ones(40, 4) * HALVES[:, None], HALVES, "that differ"),
        (torch.full((40, 4), torch.nan), HALVES, "finite features"),
        (torch.full((40, 4), torch.inf), HALVES, "finite features"),
        (torch.randn(40, 4), HALVES[:39], r"Each of the 40 pictures has one group; \(39,\) were given"),
        (torch.randn(40, 4), 0 * HALVES, r"two groups or more of four pictures or more, not \[40\]"),
        (torch.randn(40, 4), (torch.arange(40) % 13 == 7).long(), r"four pictures or more, not \[37, 3\]"),
    ],
)
def test_a_domain_that_cannot_be_measured_is_refused(features: torch.Tensor, groups: torch.Tensor, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fit(features, groups)


def test_what_is_measured_is_what_is_loaded(tiny: MiniModel) -> None:
    prefixes = tiny.extend([None] * 32, held_out())
    scores = sorted(score for prefix in prefixes if (score := tiny.out_of_domain(prefix)) is not None)
    assert scores == pytest.approx(list(np.linspace(0, 1, 32)), abs=2e-3)
    (alone,) = tiny.extend([None], held_out()[:1])
    assert tiny.out_of_domain(alone) == pytest.approx(tiny.out_of_domain(prefixes[0]), abs=2e-3)


def test_the_first_picture_of_a_prefix_is_judged(tiny: MiniModel) -> None:
    inside = tiny.extend([None], held_out()[:1])
    outside = tiny.extend([None], [Image.new("RGB", (128, 128), "red")])
    assert tiny.out_of_domain(outside[0]) == 1.0
    both = tiny.extend(inside, [noise((128, 128))])
    assert tiny.out_of_domain(both[0]) == tiny.out_of_domain(inside[0]) != 1.0


def test_weights_without_a_domain_cannot_say(folder: Path, tmp_path: Path) -> None:
    loaded = load(str(folder), device="cpu")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    save_weights(loaded._network, tokenizer, tmp_path / "bare")
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


def keep(folder: Path, directions: int, kept: int, means: tuple[int, ...], distances: int = 1001) -> None:
    tensors = {"directions": torch.zeros(directions, kept), "means": torch.zeros(means)}
    save_file({**tensors, "distances": torch.zeros(distances)}, folder / FILE)
    reseal(folder)


def widen(folder: Path) -> None:
    keep(folder, 65, 5, (7, 5))


def narrow(folder: Path) -> None:
    keep(folder, 64, 5, (7, 4))


def flatten(folder: Path) -> None:
    keep(folder, 64, 5, (5,))


def empty(folder: Path) -> None:
    keep(folder, 64, 5, (0, 5))


def shorten(folder: Path) -> None:
    keep(folder, 64, 5, (7, 5), distances=1000)


def halve(folder: Path) -> None:
    domain = load_domain(folder, 64)
    save_file({name: tensor.half() for name, tensor in vars(domain).items()}, folder / FILE)
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
        (widen, r"holds .*'directions': \(65, 5\).* and .*'directions': \(64, 5\).* was expected"),
        (narrow, r"holds .*'means': \(7, 4\).* and .*'directions': \(64, 4\).* was expected"),
        (flatten, r"holds .*'means': \(5,\).* was expected"),
        (empty, r"holds .*'means': \(0, 5\).* and .*'means': \(2, 5\).* was expected"),
        (shorten, r"holds .*'distances': \(1000,\).* and .*'distances': \(1001,\).* was expected"),
        (halve, "holds numbers in torch.float16"),
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
    assert all(torch.equal(tensor, vars(again)[name]) for name, tensor in vars(domain).items())


@pytest.mark.parametrize("before", [rename, flatten, lambda folder: None])
def test_a_domain_can_be_replaced_whatever_it_was(folder: Path, tmp_path: Path, before: Callable[[Path], None]) -> None:
    mine = tmp_path / "weights"
    shutil.copytree(folder, mine)
    (mine / "README.md").write_text("A card.")
    before(mine)
    network = load_weights(mine, torch.device("cpu"), with_domain=False).network
    replace_domain(mine, measure_domain(network, *pictures(64, seed=1)))
    assert (mine / "README.md").read_text() == "A card."
    assert {file.name for file in mine.iterdir()} == {file.name for file in folder.iterdir()} | {"README.md"}
    again = load(str(mine), device="cpu")
    assert again.identity.weights != load(str(folder), device="cpu").identity.weights
    prefix = again.extend([None], held_out()[:1])[0]
    assert isinstance(again.out_of_domain(prefix), float)


def test_a_domain_is_not_replaced_in_a_damaged_folder(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "weights")
    change(tmp_path / "weights")
    with pytest.raises(WeightsError, match="do not have the hash"):
        replace_domain(tmp_path / "weights", load_domain(folder, 64))


@pytest.mark.parametrize("name", ["chelsea.webp", "coffee.webp"])
async def test_of_a_photograph_it_is_said_that_the_answer_makes_no_claim(name: str, tmp_path: Path) -> None:
    context = Context(policy="none")
    run = await aask(
        PHOTOGRAPHS / name, "Which colour is the star?", options=["red", "blue"], context=context, out=tmp_path
    )
    assert run.out_of_domain is not None and run.out_of_domain >= OUTSIDE
    assert run.trace is not None
    assert read_trace(run.trace).caveats == [
        "This picture lies outside of what mini was trained on; its answer makes no claim."
    ]


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
