"""The fast path against the plain one: on a CPU, where its kernels are plain torch, and on a GPU if there is one."""

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from g2u.errors import CapabilityError, QuestionError
from g2u.models.bagel.checkpoint.weights import load_network
from g2u.models.bagel.fast import flow as fast_flow
from g2u.models.bagel.fast.autoencoder import fuse
from g2u.models.bagel.fast.decoding import attend_last
from g2u.models.bagel.fast.execution import FastExecution
from g2u.models.bagel.inference.chance import Chance
from g2u.models.bagel.inference.context import (
    Context,
    Guidance,
    edit_guidance,
    empty,
    latent_grid,
    read_patches,
    read_text,
)
from g2u.models.bagel.inference.execution import Execution, PlainExecution
from g2u.models.bagel.inference.sampler import PRESETS, FlowSettings, FlowStep, computed_steps, extrapolated
from g2u.models.bagel.inference.text import score
from g2u.models.bagel.load import load, load_float8
from g2u.models.bagel.network.network import BagelNetwork, Precision
from g2u.models.bagel.network.transformer import attend
from g2u.models.bagel.network.transforms import resize, to_rgb

NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
INSTRUCTION, QUESTION = [5, 6, 7, 8, 9], [11, 12, 13]


@dataclass(frozen=True)
class Pair:
    """One checkpoint, run in both ways."""

    plain_network: BagelNetwork
    fast_network: BagelNetwork
    plain: PlainExecution
    fast: FastExecution
    picture: Image.Image
    tolerance: float
    """Relative: rounding in float32, the noise of bfloat16 otherwise."""

    def most(self, settings: FlowSettings) -> float:
        # A step that follows the line through the two before it takes on twice the noise of the last and once that of
        # the one before.
        return self.tolerance * (2 if settings.every > 1 else 1)

    def guidance(self, network: BagelNetwork, **more: list[int]) -> Guidance:
        vae = network.config.vae
        shape = (vae.z_channels, self.picture.height // vae.stride, self.picture.width // vae.stride)
        return edit_guidance(network, self.picture, INSTRUCTION, drawn(*shape), **more)

    def drawings(self, settings: FlowSettings, **more: list[int]) -> tuple[list[FlowStep], list[FlowStep]]:
        grid = latent_grid(self.plain_network, self.picture)
        noise = drawn(grid[0] * grid[1], self.plain_network.config.latent_values)
        return (
            list(self.plain.flow(self.guidance(self.plain_network, **more), grid, noise, settings)),
            list(self.fast.flow(self.guidance(self.fast_network, **more), grid, noise, settings)),
        )

    def question(self, network: BagelNetwork, words: int) -> Context:
        return read_text(network, read_patches(network, empty(network), self.picture), QUESTION[:words])


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def distance(ours: Tensor, theirs: Tensor) -> float:
    ours = ours.to(theirs.device)
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm())


@pytest.fixture(
    scope="module",
    params=[
        *(("cpu", precision) for precision in get_args(Precision)),
        *(pytest.param(("cuda", precision), marks=NEEDS_GPU) for precision in get_args(Precision)),
    ],
)
def pair(golden: Path, request: pytest.FixtureRequest) -> Pair:
    device, precision = request.param
    torch._dynamo.reset()  # each function is compiled for eight kinds of arguments at most, and here are more
    plain, fast = load_network(golden, precision, device), load_network(golden, precision, device)
    picture = resize(to_rgb(Image.open(golden / "a.png")), plain.config.vae_transform)
    tolerance = 1e-4 if precision == "float32" else 0.06
    return Pair(plain, fast, PlainExecution(plain), FastExecution(fast), picture, tolerance)


@pytest.mark.parametrize(
    "settings",
    [
        FlowSettings(timesteps=5),
        FlowSettings(timesteps=5, picture_scale=2.0, interval=(0.0, 1.0), renorm="text_channel"),
        FlowSettings(timesteps=5, picture_scale=2.0, interval=(0.7, 1.0), renorm="channel"),
        FlowSettings(timesteps=8, interval=(0.0, 1.0), every=2),
        FlowSettings(timesteps=4, text_scale=1.0),
    ],
)
def test_draws_as_the_plain_path_does(pair: Pair, settings: FlowSettings) -> None:
    plain, fast = pair.drawings(settings)
    assert len(plain) == len(fast) == settings.timesteps - 1
    for theirs, ours in zip(plain, fast, strict=True):
        assert ours.velocity.dtype == theirs.velocity.dtype
        assert distance(ours.velocity, theirs.velocity) < pair.most(settings)
        assert distance(ours.result, theirs.result) < pair.most(settings)


def test_contexts_are_those_of_the_plain_path(pair: Pair) -> None:
    ours, theirs = pair.guidance(pair.fast_network), pair.guidance(pair.plain_network)
    for name in ("main", "without_text", "without_pictures"):
        own, other = getattr(ours, name), getattr(theirs, name)
        assert (own.tokens, own.position) == (other.tokens, other.position)
        for (keys, values), (their_keys, their_values) in zip(own.keys_values, other.keys_values, strict=True):
            assert distance(keys, their_keys) < pair.tolerance and distance(values, their_values) < pair.tolerance


def test_a_plan_is_seen_by_the_main_branch_alone(pair: Pair) -> None:
    settings = FlowSettings(timesteps=3, interval=(0.0, 1.0))
    plain, fast = pair.drawings(settings, system=[3, 4], thought=[21, 22, 23])
    assert distance(fast[-1].result, plain[-1].result) < pair.tolerance
    assert distance(pair.drawings(settings)[1][-1].result, fast[-1].result) > 1e-6


def test_writes_several_texts_as_the_plain_path_does_one_by_one(pair: Pair) -> None:
    ours = [pair.question(pair.fast_network, words) for words in (1, 3)]
    theirs = [pair.question(pair.plain_network, words) for words in (1, 3)]
    fast = pair.fast.write(ours, 6, lambda _: [True, True])
    plain = pair.plain.write(theirs, 6, lambda _: [True, True])
    for own, other in zip(fast, plain, strict=True):
        assert own is not None and other is not None
        assert own.ids == other.ids and own.finished == other.finished
        assert own.log_probability == pytest.approx(other.log_probability, rel=pair.tolerance, abs=pair.tolerance)


def test_writes_by_the_same_chance_as_the_plain_path(pair: Pair) -> None:
    def texts(execution: Execution, network: BagelNetwork) -> list[list[int]]:
        contexts = [pair.question(network, words) for words in (1, 3)]
        written = execution.write(contexts, 6, lambda _: [True, True], Chance(1.5, [3, 4], network.device))
        return [one.ids for one in written if one]

    assert texts(pair.fast, pair.fast_network) == texts(pair.plain, pair.plain_network)


def test_scores_options_as_the_plain_path_does_one_by_one(pair: Pair) -> None:
    options = [[4, 9], [11], [4, 9, 7, 20, 21], [30]]
    ours = score(pair.fast_network, pair.question(pair.fast_network, 3), options)
    theirs = [score(pair.plain_network, pair.question(pair.plain_network, 3), [option])[0] for option in options]
    assert ours == pytest.approx(theirs, rel=pair.tolerance)


def test_writing_leaves_out_whom_nobody_waits_for_and_stops_with_the_last(pair: Pair) -> None:
    contexts = [pair.question(pair.fast_network, 2)] * 2
    heard: list[int] = []

    def first_only(done: int) -> list[bool]:
        heard.append(done)
        return [done < 3, False]

    assert pair.fast.write(contexts, 6, first_only) == [None, None]
    assert heard == [1, 2, 3]


def test_texts_beyond_the_positions_are_refused(pair: Pair) -> None:
    most = pair.fast_network.config.llm.max_position_embeddings
    with pytest.raises(QuestionError, match=f"the model has {most}"):
        pair.fast.write([pair.question(pair.fast_network, 2)], most, lambda _: [True])


def test_nothing_is_held_twice(golden: Path) -> None:
    network = load_network(golden, "float32")
    before = network.nbytes
    FastExecution(network)
    storages = {
        weight.untyped_storage().data_ptr(): weight.untyped_storage().nbytes() for weight in network.parameters()
    }
    assert sum(storages.values()) <= before


def test_two_networks_share_the_guidance(golden: Path, pair: Pair) -> None:
    if pair.tolerance > 1e-4:
        pytest.skip("rounding says nothing new")
    network = pair.fast_network
    places = (
        [network.device, torch.device("cuda", torch.cuda.device_count() - 1)]
        if network.device.type == "cuda"
        else ["cpu"] * 2
    )
    shared = FastExecution(*(load_network(golden, "float32", place) for place in places))
    grid = latent_grid(network, pair.picture)
    noise = drawn(grid[0] * grid[1], network.config.latent_values)
    settings = FlowSettings(timesteps=4, picture_scale=2.0, interval=(0.5, 1.0), renorm="text_channel")
    alone = list(pair.fast.flow(pair.guidance(network), grid, noise, settings))
    both = list(shared.flow(pair.guidance(network), grid, noise, settings))
    assert distance(both[-1].result, alone[-1].result) < 1e-5


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
@pytest.mark.parametrize(("heads", "key_heads", "size"), [(4, 2, 16), (28, 4, 128)])
def test_attention_of_last_tokens_is_that_of_each_alone(device: str, heads: int, key_heads: int, size: int) -> None:
    dtype = torch.float32 if device == "cpu" else torch.bfloat16  # the latter goes through the kernel
    q, keys, values = (
        drawn(*shape).to(device, dtype)
        for shape in ((4, heads, size), (4, 700, key_heads, size), (4, 700, key_heads, size))
    )
    lengths = torch.tensor([700, 1, 64, 65], device=device)
    together = attend_last(q, keys, values, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = attend(q[row : row + 1], keys[row, :length], values[row, :length], causal=False)
        assert torch.allclose(together[row], alone[0], atol=1e-6 if device == "cpu" else 2e-2)


def test_the_fused_autoencoder_is_the_plain_one(golden: Path) -> None:
    network = load_network(golden, "float32")
    pixels = drawn(3, 64, 64).clamp(-1, 1)
    plain = network.autoencoder.encoder(pixels[None])
    shown = network.autoencoder.decoder(plain[:, : network.config.vae.z_channels])
    fuse(network.autoencoder)
    assert not any(isinstance(module, nn.GroupNorm | nn.SiLU) for module in network.autoencoder.modules())
    assert torch.allclose(network.autoencoder.encoder(pixels[None]), plain, atol=1e-5)
    assert torch.allclose(network.autoencoder.decoder(plain[:, : network.config.vae.z_channels]), shown, atol=1e-5)


def test_steps_in_between_follow_the_line_through_the_last_two() -> None:
    always = FlowSettings(timesteps=9, interval=(0.0, 1.0), every=2)
    assert computed_steps(always) == [True, True, True, False, True, False, True, True]
    changing = FlowSettings(timesteps=9, interval=(0.8, 1.0), every=2)  # guidance ends after four steps
    assert computed_steps(changing) == [*(True, True, True, False), *(True, True, True, True)]
    assert all(computed_steps(PRESETS["edit"]))
    seen = [(1.0, torch.tensor([1.0, 0.0])), (0.8, torch.tensor([2.0, 0.0]))]
    assert torch.allclose(extrapolated(seen, 0.6), torch.tensor([3.0, 0.0]))


def test_the_fast_execution_is_a_model_as_the_plain_one(golden: Path) -> None:
    plain, fast = (load(str(golden), "cpu", "float32", name) for name in ("plain", "fast"))
    assert fast.identity.settings == ("float32", "fast") and fast.identity != plain.identity
    picture = Image.open(golden / "b.png").convert("RGB")
    scores = [model.score(model.extend([None], [picture]), ["which"], [["a", "b"]]) for model in (plain, fast)]
    assert scores[0][0] == pytest.approx(scores[1][0], rel=1e-4)


def test_eight_bits_and_many_devices_are_refused_where_they_cannot_be_had(golden: Path) -> None:
    with pytest.raises(CapabilityError, match="eight bits need a GPU"):
        load(str(golden), "cpu", execution="float8")
    with pytest.raises(CapabilityError, match="not the same twice"):
        load(str(golden), "cpu,cpu")
    with pytest.raises(CapabilityError, match="not from float32"):
        load_float8(str(golden), "cpu", "float32")


def test_a_drawing_lets_go_of_its_buffers_without_the_garbage_collector(pair: Pair) -> None:
    def passes() -> int:
        return sum(type(one) is fast_flow._Pass for one in gc.get_objects())

    grid = latent_grid(pair.fast_network, pair.picture)
    noise = drawn(grid[0] * grid[1], pair.fast_network.config.latent_values)
    gc.collect()
    gc.disable()
    try:
        before = passes()
        steps = pair.fast.flow(pair.guidance(pair.fast_network), grid, noise, FlowSettings(timesteps=4))
        next(steps)
        assert passes() > before
        del steps
        assert passes() == before
    finally:
        gc.enable()
