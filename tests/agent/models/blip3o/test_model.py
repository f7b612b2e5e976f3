"""BLIP3o as a model: what it reads, in batches and alone; what it draws, from which noise; and that it says how."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from g2u import ask
from g2u.conformance.bench import painted
from g2u.conformance.rules import check_conformance
from g2u.models.blip3o.check_golden import read_golden
from g2u.models.blip3o.checkpoint.weights import load_network
from g2u.models.blip3o.inference.context import Context, place, read
from g2u.models.blip3o.inference.text import HEAD, TAIL
from g2u.models.blip3o.load import load, load_4b
from g2u.models.blip3o.model import Blip3oModel
from g2u.models.blip3o.network.pictures import to_patches
from g2u.models.protocol import Sampler, complete_sampler
from g2u.traces.trace import read_trace
from tests.agent.models.blip3o.making import make_folder

DATA = Path(__file__).parents[3] / "data" / "blip3o"
QUESTIONS = ["Which colour?", "Where is the star of all the stars?", "Why?"]
PICTURES = [painted(60, 90, 1), painted(300, 57, 2), painted(90, 60, 3)]


def everyone(count: int) -> Sequence[bool]:
    return [True] * count


def sampler(model: Blip3oModel, steps: int = 2, **values: float) -> Sampler:
    return complete_sampler(model.capabilities, Sampler(steps=steps, values=dict(values)), "blip3o-8b")


def draw(model: Blip3oModel, pictures: Sequence[Image.Image], seeds: Sequence[int], steps: int = 2) -> list[np.ndarray]:
    prefixes = model.extend([None] * len(pictures), pictures, "draw")
    told = [f"Go {number}." for number in range(len(pictures))]
    drawn = model.draw(prefixes, told, sampler(model, steps), seeds, lambda done, total: everyone(len(seeds)))
    return [np.asarray(one, dtype=np.int16) for one in drawn]


def test_a_blip3o_keeps_to_every_rule(model: Blip3oModel) -> None:
    found = list(check_conformance(model))
    assert [(one.rule, one.found) for one in found if one.status == "failed"] == []
    asked = {one.rule for one in found if one.status == "passed"}
    assert {"scores", "texts", "views", "settings", "batches", "seeds", "aspect", "cancel", "prefix cache"} <= asked


def test_it_declares_that_it_reimagines(model: Blip3oModel) -> None:
    assert (model.capabilities.edits, model.capabilities.aspect) == ("reimagine", "square")


def test_what_is_read_piece_by_piece_is_the_chat_as_a_whole(model: Blip3oModel) -> None:
    (prefix,) = model.extend([None], ["Look:"])
    for picture in PICTURES[:2]:
        (prefix,) = model.extend([prefix], [picture])
    network, words = model._network, model._words
    parts: list[object] = [words.encode(f"{HEAD}Look:")]
    for picture in PICTURES[:2]:
        parts += [[words.special.vision_start], to_patches(picture, network.config.reader.vision_config)]
        parts += [[words.special.vision_end]]
    context, _ = read(network, Context(plain=False), parts)  # type: ignore[arg-type]
    assert prefix.context.tokens == context.tokens and prefix.context.position == context.position
    for ours, whole in zip(prefix.context.keys_values, context.keys_values, strict=True):
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, whole, strict=True))


def test_a_picture_that_is_read_takes_as_many_positions_as_its_longer_side(model: Blip3oModel) -> None:
    patches = to_patches(PICTURES[1], model._network.config.reader.vision_config)
    assert (patches.rows, patches.columns) == (2, 11)
    positions, after = place([[1, 2], patches, [3]], 5, plain=False)
    assert after == 5 + 2 + 11 + 1
    assert positions[:, 0, :2].tolist() == [[5, 6]] * 3
    assert positions[:, 0, 2 + 12].tolist() == [7, 8, 8]  # second row, second column
    assert place([[1, 2], patches, [3]], 5, plain=True)[0][:, 0].tolist() == [list(range(5, 5 + 2 + 22 + 1))] * 3


def test_texts_written_together_are_those_written_alone(model: Blip3oModel) -> None:
    prefixes = model.extend([None] * 3, PICTURES)
    together = model.read(prefixes, QUESTIONS, 9, lambda done, total: everyone(3))
    for prefix, question, reading in zip(prefixes, QUESTIONS, together, strict=True):
        (alone,) = model.read([prefix], [question], 9, lambda done, total: everyone(1))
        assert alone is not None and reading is not None
        assert (reading.text, reading.tokens) == (alone.text, alone.tokens)
        assert reading.log_probability == pytest.approx(alone.log_probability, abs=1e-4)
    assert len({reading.text for reading in together if reading}) == 3


def test_a_text_for_which_nobody_waits_is_left_out_and_the_others_go_on(model: Blip3oModel) -> None:
    prefixes = model.extend([None] * 3, PICTURES)
    whole = model.read(prefixes, QUESTIONS, 6, lambda done, total: everyone(3))
    left = model.read(prefixes, QUESTIONS, 6, lambda done, total: [True, done < 2, True])
    assert left[1] is None
    assert [left[row].text for row in (0, 2)] == [whole[row].text for row in (0, 2)]  # type: ignore[union-attr]


def test_the_score_of_what_is_written_is_its_log_probability(model: Blip3oModel) -> None:
    (prefix,) = model.extend([None], PICTURES[:1])
    network, words = model._network, model._words
    options = ["red", "a long answer in words", "", "red"]
    scores = model.score([prefix], ["Which?"], [options])[0]
    for option, score in zip(options, scores, strict=True):
        ids = [*words.encode(option), words.special.end]
        asked = words.encode(f"Which?{TAIL}")
        _, hidden = read(network, prefix.context, [[*asked, *ids[:-1]]])
        told = network.scores(hidden[0, len(asked) - 1 :])[:, : words.count].log_softmax(dim=-1)
        assert score == pytest.approx(float(told[range(len(ids)), ids].sum()), abs=1e-4)
        assert model.count_tokens(option) == len(ids)


def test_drawings_made_together_are_those_made_alone(model: Blip3oModel) -> None:
    together = draw(model, PICTURES, [5, 6, 7])
    for row in range(3):
        prefixes = model.extend([None], PICTURES[row : row + 1], "draw")
        (alone,) = model.draw(prefixes, [f"Go {row}."], sampler(model), [5 + row], lambda done, total: everyone(1))
        assert np.abs(together[row] - np.asarray(alone, dtype=np.int16)).max() <= 1
    assert len({drawing.tobytes() for drawing in together}) == 3


def test_a_drawing_for_which_nobody_waits_is_left_out_and_the_others_go_on(model: Blip3oModel) -> None:
    prefixes = model.extend([None] * 3, PICTURES, "draw")
    told = ["Go."] * 3
    whole = model.draw(prefixes, told, sampler(model, 4), [1, 2, 3], lambda done, total: everyone(3))
    steps = []

    def without_the_first(done: int, total: int) -> list[bool]:
        steps.append((done, total))
        return [done < 2, True, True]

    left = model.draw(prefixes, told, sampler(model, 4), [1, 2, 3], without_the_first)
    assert left[0] is None and steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for one, other in zip(left[1:], whole[1:], strict=True):
        difference = np.asarray(one, dtype=np.int16) - np.asarray(other, dtype=np.int16)
        assert np.abs(difference).max() <= 1


def test_a_seed_and_a_picture_and_an_instruction_decide_a_drawing(model: Blip3oModel) -> None:
    one, other, again = (draw(model, PICTURES[:1], [seed])[0] for seed in (1, 2, 1))
    assert (one == again).all() and (one != other).any()
    assert (draw(model, PICTURES[1:2], [1])[0] != one).any()
    prefixes = model.extend([None], PICTURES[:1], "draw")
    (told,) = model.draw(prefixes, ["Stop."], sampler(model), [1], lambda done, total: everyone(1))
    assert (np.asarray(told) != one).any()


def test_the_global_chance_of_torch_is_left_alone(model: Blip3oModel) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    draw(model, PICTURES[:1], [1])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_noises_are_those_of_the_official_program_for_its_first_picture(model: Blip3oModel) -> None:
    """The golden outputs began with the seed 16, and drew noise for the features, the blank ones, and the latents."""
    golden = read_golden(DATA)[1]
    official = load_network(DATA / "model", "blip3o-8b", "float32")
    made = Blip3oModel(official, model._words, model.identity)
    features, blank, latents = made._noises(16, blank=True)
    assert torch.equal(features, golden["draw/text/noise"][0].flatten(1).T)
    assert torch.equal(blank, golden["draw/negative/noise"][0].flatten(1).T)
    assert torch.equal(latents, golden["decode/text/noise"][0])


def test_without_guidance_of_pixels_no_blank_prompt_is_drawn(model: Blip3oModel) -> None:
    prefixes = model.extend([None], PICTURES[:1], "draw")
    seen = []
    forward = model._network.unet.forward
    try:
        model._network.unet.forward = lambda x, *more, **named: (seen.append(len(x)), forward(x, *more, **named))[1]
        for guidance in (3.0, 1.0):
            model.draw(prefixes, ["Go."], sampler(model, 1, guidance=guidance), [1], lambda done, total: everyone(1))
    finally:
        model._network.unet.forward = forward
    assert seen == [2, 1]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_tied_head_is_the_table_of_words(precision: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "tied", tied=True, shards=1)
    model = load_4b(str(folder), "cpu", precision)  # type: ignore[arg-type]
    reader = model._network.reader
    assert reader.lm_head.weight is reader.get_input_embeddings().weight
    assert model.identity.model == "blip3o-4b" and model.identity.settings == (precision,)
    drawn = draw(model, PICTURES[:1], [1])
    assert drawn[0].shape == (32, 32, 3)


def test_asked_from_end_to_end(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2U_DEVICE", "cpu")
    monkeypatch.delenv("G2U_PICTURES", raising=False)
    monkeypatch.chdir(tmp_path)
    PICTURES[0].save(tmp_path / "picture.png")
    run = ask(
        tmp_path / "picture.png",
        "Which colour?",
        options=["red", "blue"],
        model="blip3o-8b",
        weights=str(made),
        policy="fixed:deblur",
        steps=2,
        out=tmp_path / "runs",
    )
    assert run.answer in ("red", "blue") and run.rounds[0].thought
    assert (run.rounds[0].thought.width, run.rounds[0].thought.height) == (32, 32)
    assert run.to_json()["edits"] == "reimagine"
    assert run.trace is not None
    trace = read_trace(run.trace)
    assert trace.header.capabilities.edits == "reimagine"
    assert trace.header.sampler.values == {"guidance": 3.0, "flow_guidance": 3.0, "flow_steps": 30}
    (caveat,) = trace.caveats
    assert caveat.startswith("blip3o-8b edits no pixels: it draws anew what it has read")
    assert json.dumps(run.to_json())


def test_shards_are_the_whole(made: Path, tmp_path: Path, model: Blip3oModel) -> None:
    whole = load_network(make_folder(tmp_path / "whole", shards=1), "blip3o-8b", "float32")
    for (name, one), (_, other) in zip(whole.named_parameters(), model._network.named_parameters(), strict=True):
        assert torch.equal(one, other), name
    shutil.rmtree(tmp_path / "whole")


def test_the_device_is_one(made: Path) -> None:
    from g2u.errors import CapabilityError

    with pytest.raises(CapabilityError, match="computes on one device, and 2 were named"):
        load(str(made), device="cpu,cpu")
