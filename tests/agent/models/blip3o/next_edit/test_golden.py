"""BLIP3o-NEXT-edit against outputs of our own reading, which are not outputs of the official program."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from g2u.conformance.bench import painted
from g2u.models.blip3o.next_edit.model import NextEditModel
from g2u.models.blip3o.next_edit.sampler import condition_of, draw_latents, draw_noise, states_of, write_picture
from g2u.models.protocol import Sampler, complete_sampler
from tests.agent.models.blip3o.next_edit.own_reading import (
    DATA,
    GOLDEN,
    GUIDANCE,
    INSTRUCTION,
    META,
    PICTURE,
    SEED,
    STEPS,
    compute,
)

BAR = 1e-4
"""Largest relative error in float32; the worst seen is a tenth of it."""


def distance(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape
    return float((ours - theirs).norm() / theirs.norm())


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return load_file(DATA / GOLDEN)


def recompute(model: NextEditModel) -> dict[str, Tensor]:
    """What the golden outputs have, by the model's own parts."""
    network, words = model._network, model._words
    with torch.inference_mode():
        picture = painted(*PICTURE)
        seen, reference = network.words_of(picture), network.latents_of(picture)
        prompt, chance = words.edit(INSTRUCTION, seen), torch.Generator().manual_seed(SEED)
        written = write_picture(network, prompt, words.ends, chance, lambda: True)
        assert written is not None
        states, noise = states_of(network, prompt, written), draw_noise(network, chance)
        steps = list(draw_latents(network, states, reference, noise, STEPS, GUIDANCE))
        return {
            "seen_words": torch.tensor(seen),
            "prompt": torch.tensor(prompt),
            "written_words": torch.tensor(written),
            "states": states,
            "reference_latents": reference,
            "condition": condition_of(network, states, reference),
            "noise": noise,
            "velocities": torch.stack([torch.cat([step.free, step.told]) for step in steps]),
            "latents": steps[-1].result,
        }


def test_every_quantity_is_that_of_our_own_reading(edit_model: NextEditModel, golden: dict[str, Tensor]) -> None:
    ours = recompute(edit_model)
    assert golden.keys() == ours.keys() | {"times", "picture"}
    for name, found in ours.items():
        if found.is_floating_point():
            assert distance(found, golden[name]) < BAR, name
        else:
            assert found.tolist() == golden[name].tolist(), name


def test_the_picture_is_that_of_our_own_reading(edit_model: NextEditModel, golden: dict[str, Tensor]) -> None:
    prefixes = edit_model.extend([None], [painted(*PICTURE)], "draw")
    sampler = complete_sampler(edit_model.capabilities, Sampler(steps=STEPS), edit_model.key)
    (drawn,) = edit_model.draw(prefixes, [INSTRUCTION], sampler, [SEED], lambda done, total: [True])
    assert np.abs(np.asarray(drawn, dtype=np.int16) - golden["picture"].numpy()).max() <= 1


def test_the_stored_outputs_are_what_the_reading_computes(edit_folder: Path, golden: dict[str, Tensor]) -> None:
    for name, found in compute(edit_folder).items():
        if found.is_floating_point():
            assert distance(found, golden[name]) < BAR, name
        else:
            assert (found - golden[name]).abs().max() <= (name == "picture"), name


def test_the_outputs_say_that_they_are_our_own() -> None:
    said = json.loads((DATA / META).read_text("utf-8"))
    assert said["made_by"] == "our own reading of the official program, which was not run"


def test_a_smaller_share_of_the_words_draws_others(
    edit_model: NextEditModel, golden: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g2u.models.blip3o.next_edit.sampler.TOP_P", 0.5)
    assert recompute(edit_model)["written_words"].tolist() != golden["written_words"].tolist()
