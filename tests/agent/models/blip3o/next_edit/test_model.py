"""BLIP3o-NEXT-edit as a model: every trap of its official program, what it reads, and what decides a drawing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from g2u import ask
from g2u.conformance.bench import painted
from g2u.conformance.rules import check_conformance
from g2u.errors import CapabilityError, PictureError, QuestionError
from g2u.models.blip3o.next_edit.load import load
from g2u.models.blip3o.next_edit.model import NextEditModel
from g2u.models.blip3o.next_edit.pictures import to_reference
from g2u.models.blip3o.next_edit.sampler import condition_of, draw_latents, draw_noise, states_of, write_picture
from g2u.models.entries import ABILITIES
from g2u.models.protocol import Sampler, complete_sampler
from g2u.models.registry import MODELS
from g2u.traces.trace import read_trace
from tests.agent.models.blip3o.next_edit.making import make_folder

PICTURE = painted(60, 90, 1)


def sampler(model: NextEditModel, steps: int = 2, **values: float) -> Sampler:
    return complete_sampler(model.capabilities, Sampler(steps=steps, values=dict(values)), model.key)


def draw(model: NextEditModel, picture: Image.Image = PICTURE, told: str = "Go", seed: int = 1, **more: float) -> Any:
    prefixes = model.extend([None], [picture], "draw")
    (drawn,) = model.draw(prefixes, [told], sampler(model, **more), [seed], lambda done, total: [True])
    return np.asarray(drawn, dtype=np.int16)


@contextmanager
def watched(module: torch.nn.Module) -> Iterator[list[tuple[tuple[Any, ...], dict[str, Any]]]]:
    """What a module is called with."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    handle = module.register_forward_pre_hook(lambda _, given, named: calls.append((given, named)), with_kwargs=True)
    yield calls
    handle.remove()


def test_it_keeps_to_every_rule(edit_model: NextEditModel) -> None:
    found = list(check_conformance(edit_model))
    assert [(one.rule, one.found) for one in found if one.status == "failed"] == []
    asked = {one.rule for one in found if one.status == "passed"}
    assert {"scores", "texts", "views", "settings", "presets", "seeds", "aspect", "cancel", "determinism"} <= asked


def test_it_declares_what_it_does(edit_model: NextEditModel) -> None:
    able = edit_model.capabilities
    assert (able.edits, able.aspect, able.max_batch) == ("native", "square", 1)
    complete = complete_sampler(able, Sampler(), edit_model.key)
    assert (complete.steps, complete.values) == (30, {"guidance": 2.0})
    does = tuple(name for name, has in ABILITIES.items() if has(able))
    assert MODELS["blip3o-next-edit"].does == does


def test_latents_of_the_old_picture_lie_to_the_right_in_both_halves_at_every_step(edit_model: NextEditModel) -> None:
    reference = edit_model.extend([None], [PICTURE], "draw")[0].latents  # type: ignore[attr-defined]
    with watched(edit_model._network.sana) as calls:
        draw(edit_model, steps=3)
    assert len(calls) == 3
    for (wide,), _ in calls:
        assert wide.shape == (2, 4, 6, 12)
        assert torch.equal(wide[0], wide[1])
        assert torch.equal(wide[:1, :, :, 6:], reference)
    first, last = calls[0][0][0], calls[-1][0][0]
    assert not torch.equal(first[..., :6], last[..., :6])


def test_without_a_condition_states_are_zero_before_their_connector_and_places_after_theirs(
    edit_model: NextEditModel,
) -> None:
    network = edit_model._network
    states, latents = torch.randn(1, 3, 32), torch.randn(1, 4, 6, 6)
    with torch.inference_mode():
        free, told = condition_of(network, states, latents)
        blank = network.from_states(torch.zeros(1, 3, 32))[0]
    assert free.shape == (3 + 36, 20)
    assert torch.allclose(free[:3], blank, atol=1e-6) and blank.norm() > 1  # of biases
    assert (free[3:] == 0).all() and (told[3:].norm(dim=-1) > 0.1).all()


def test_places_of_the_old_picture_go_row_by_row(edit_model: NextEditModel) -> None:
    network, latents = edit_model._network, torch.randn(1, 4, 6, 6)
    with torch.inference_mode():
        told = condition_of(network, torch.zeros(1, 1, 32), latents)[1, 1:]
        one = network.from_latents(latents[0, :, 2, 5])
    assert torch.allclose(told[2 * 6 + 5], one, atol=1e-5)


def test_noise_is_drawn_in_bfloat16_whatever_the_weights_are_in(edit_model: NextEditModel) -> None:
    noise = draw_noise(edit_model._network, torch.Generator().manual_seed(3))
    right = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(3), dtype=torch.bfloat16)
    assert noise.dtype == torch.float32 and torch.equal(noise.bfloat16(), right)
    assert torch.equal(noise, right.float())


def test_latents_are_in_bfloat16_from_step_to_step(edit_folder: Path) -> None:
    model = load(str(edit_folder), "cpu")
    network = model._network
    with torch.inference_mode():
        reference = network.latents_of(PICTURE)
        noise = draw_noise(network, torch.Generator().manual_seed(1))
        states = torch.randn(1, 3, 32).bfloat16()
        steps = list(draw_latents(network, states, reference, noise, 3, 2.0))
    tensors = [tensor for one in steps for tensor in (one.noisy, one.free, one.told, one.result)]
    assert {tensor.dtype for tensor in (reference, *tensors)} == {torch.bfloat16}
    assert draw(model).shape == (24, 24, 3)


def test_the_shift_of_the_other_scheduler_is_not_taken(edit_model: NextEditModel) -> None:
    """SANA's own is another kind, whose `flow_shift` the one that reads its file does not know."""
    with watched(edit_model._network.sana) as calls:
        draw(edit_model, steps=4)
    times = [float(named["timestep"][0]) for _, named in calls]
    assert times == pytest.approx([1000, 750, 500, 250])


def test_words_of_pictures_are_read_at_plain_positions(edit_model: NextEditModel) -> None:
    network, words = edit_model._network, edit_model._words
    prompt = words.edit("Go", network.words_of(PICTURE))
    places = torch.arange(len(prompt))[None]
    with torch.inference_mode():
        ours, _ = network.run(prompt)
        plain = network.reader.model(input_ids=torch.tensor([prompt]), position_ids=places).last_hidden_state
    assert torch.allclose(ours, plain, atol=1e-6)


def test_the_picture_comes_after_the_instruction_and_the_full_stop(edit_model: NextEditModel) -> None:
    words = edit_model._words
    prompt = words.edit("Go.", [330, 331])
    told = words._tokenizer.decode([one for one in prompt if one < 330])
    assert told == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        "Please edit this image according to the following instruction: Go..\n"
        "<|vision_start|><|vision_end|><|im_end|>\n<|im_start|>assistant\n<im_start><S0>"
    )
    assert prompt.index(330) > prompt.index(words.encode("<|vision_start|>")[0])


def test_states_are_those_of_the_scale_and_of_every_word_after_it(edit_model: NextEditModel) -> None:
    network = edit_model._network
    with torch.inference_mode():
        states = states_of(network, [1, 2, 3], [4, 5])
        whole, _ = network.run([1, 2, 3, 4, 5])
    assert torch.equal(states, whole[:, 2:])


def test_writing_stops_at_an_end(edit_model: NextEditModel) -> None:
    chance = torch.Generator().manual_seed(1)
    every = frozenset(range(edit_model._network.config.reader.vocab_size))
    with torch.inference_mode():
        written = write_picture(edit_model._network, [1, 2], every, chance, lambda: True)
    assert written is not None and len(written) == 1


def test_the_old_picture_is_seen_whole_but_drawn_on_in_its_middle(edit_model: NextEditModel) -> None:
    edges = PICTURE.copy()
    edges.paste((255, 255, 255), (0, 0, 60, 12))
    network = edit_model._network
    with torch.inference_mode():
        assert torch.equal(network.latents_of(PICTURE), network.latents_of(edges))
        assert network.words_of(PICTURE) != network.words_of(edges)
    reference = to_reference(Image.new("RGB", (99, 33), (255, 0, 0)), 24)
    assert reference.shape == (1, 3, 24, 24)
    assert reference[0, :, 0, 0].tolist() == [1, -1, -1]


def test_what_decides_a_drawing(edit_model: NextEditModel) -> None:
    one, again = draw(edit_model), draw(edit_model)
    assert (one == again).all()
    others = [
        draw(edit_model, seed=2),
        draw(edit_model, told="Stop"),
        draw(edit_model, painted(60, 90, 2)),
        draw(edit_model, guidance=1.0),
        draw(edit_model, steps=3),
    ]
    assert all((one != other).any() for other in others)


def test_the_global_chance_of_torch_is_left_alone(edit_model: NextEditModel) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    draw(edit_model)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("stop", [0, 2])
def test_a_drawing_for_which_nobody_waits_is_left_out(edit_model: NextEditModel, stop: int) -> None:
    """While its words are written no step is done."""
    prefixes = edit_model.extend([None], [PICTURE], "draw")
    seen = []

    def until(done: int, total: int) -> Sequence[bool]:
        seen.append((done, total))
        return [done < stop]

    assert edit_model.draw(prefixes, ["Go"], sampler(edit_model, 4), [1], until) == [None]
    assert seen[-1] == (stop, 4) and len(seen) == (1 if stop == 0 else 16 + stop)


def test_the_last_of_several_pictures_is_drawn_on(edit_model: NextEditModel) -> None:
    (first,) = edit_model.extend([None], [painted(40, 40, 5)], "draw")
    (both,) = edit_model.extend([first], [PICTURE], "draw")
    (drawn,) = edit_model.draw([both], ["Go"], sampler(edit_model), [1], lambda done, total: [True])
    assert (np.asarray(drawn) == draw(edit_model)).all()


def test_a_picture_that_was_only_read_is_not_drawn_on(edit_model: NextEditModel) -> None:
    prefixes = edit_model.extend([None], [PICTURE])
    with pytest.raises(PictureError, match="in the view `draw`"):
        edit_model.draw(prefixes, ["Go"], sampler(edit_model), [1], lambda done, total: [True])


def test_the_score_of_what_is_written_is_its_log_probability(edit_model: NextEditModel) -> None:
    (prefix,) = edit_model.extend([None], [PICTURE])
    (reading,) = edit_model.read([prefix], ["Which?"], 5, lambda done, total: [True])
    assert reading is not None
    prompt = edit_model._asked(prefix, "Which?", 0)
    hidden, words = edit_model._network.run, edit_model._words
    ids: list[int] = []
    total = 0.0
    with torch.inference_mode():
        for _ in range(reading.tokens):
            scores = edit_model._network.scores(hidden([*prompt, *ids])[0][0, -1])[: words.count].log_softmax(dim=-1)
            ids.append(int(scores.argmax()))
            total += float(scores.max())
    assert reading.log_probability == pytest.approx(total, abs=1e-4)
    assert reading.text == words.decode([one for one in ids if one != words.end]).strip()
    assert max(ids) < words.count  # no words of pictures


def test_more_words_than_positions_are_refused(edit_model: NextEditModel) -> None:
    (prefix,) = edit_model.extend([None], [PICTURE], "draw")
    with pytest.raises(QuestionError, match="the model has 2,048 positions"):
        edit_model.read([prefix], ["word " * 2100], 5, lambda done, total: [True])
    with pytest.raises(QuestionError, match="the model has 2,048 positions"):
        edit_model.draw([prefix], ["word " * 2100], sampler(edit_model), [1], lambda done, total: [True])


def test_a_tied_head_is_the_table_of_words(tmp_path: Path) -> None:
    model = load(str(make_folder(tmp_path / "tied", shards=1, tie_word_embeddings=True)), "cpu", "float32")
    reader = model._network.reader
    assert reader.lm_head.weight is reader.get_input_embeddings().weight
    assert draw(model).shape == (24, 24, 3)


def test_the_device_is_one(edit_folder: Path) -> None:
    with pytest.raises(CapabilityError, match="computes on one device, and 2 were named"):
        load(str(edit_folder), device="cpu,cpu")


def test_asked_from_end_to_end(edit_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2U_DEVICE", "cpu")
    monkeypatch.delenv("G2U_PICTURES", raising=False)
    monkeypatch.chdir(tmp_path)
    PICTURE.save(tmp_path / "picture.png")
    run = ask(
        tmp_path / "picture.png",
        "Which colour?",
        options=["red", "blue"],
        model="blip3o-next-edit",
        weights=str(edit_folder),
        policy="fixed:deblur",
        steps=2,
        out=tmp_path / "runs",
    )
    assert run.answer in ("red", "blue") and run.rounds[0].thought
    assert (run.rounds[0].thought.width, run.rounds[0].thought.height) == (24, 24)
    assert run.to_json()["edits"] == "native"
    assert run.trace is not None
    assert read_trace(run.trace).header.sampler.values == {"guidance": 2.0}


def test_sizes_of_the_whole_come_from_the_files(edit_model: NextEditModel) -> None:
    config = edit_model._network.config
    assert (config.picture_side, config.latent_side, config.seen.heads, config.seen.tokens) == (24, 6, 1, 16)
    inner: Tensor = edit_model._network.sana.transformer_blocks[0].ff.conv_inverted.weight
    assert inner.shape[0] == 2 * int(2.5 * 16)
