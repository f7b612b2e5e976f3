"""The kin of BAGEL: samplers, prompts and skills of their own, and a ThinkMorph that imagines in its own way."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from g2u.asking import aask
from g2u.conformance.rules import check_conformance
from g2u.edits.library import EditLibrary
from g2u.edits.menu import Menu
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import CapabilityError
from g2u.models.bagel.inference.chance import Chance
from g2u.models.bagel.inference.context import Context as Seen
from g2u.models.bagel.inference.execution import PassCallback, PlainExecution
from g2u.models.bagel.inference.text import Words, Written
from g2u.models.bagel.kin import KIN
from g2u.models.bagel.load import load
from g2u.models.bagel.model import BagelModel, flow_settings
from g2u.models.bagel.network.network import BagelNetwork
from g2u.models.entries import ABILITIES, ENTRIES
from g2u.models.protocol import Sampler, complete_sampler
from g2u.models.registry import load_model
from g2u.pictures.store import ImageStore
from g2u.state import Context

MAPS = ("depth", "normals", "mask")
TEXTS = ("<think>Closer.</think><image_start>", "<think>Now.</think><answer>blue</answer>")


@pytest.fixture(scope="module", params=[*KIN])
def kin(request: pytest.FixtureRequest, golden: Path) -> BagelModel:
    """Each of them, in float32 where that goes; eight bits need a GPU, but not to declare something."""
    key = request.param
    return load(str(golden), "cpu", "float32", "plain", key)


def test_what_each_is_said_to_do_is_what_it_declares(kin: BagelModel) -> None:
    row = next(entry for entry in ENTRIES if entry.key == kin.key)
    assert row.does == tuple(name for name, is_one in ABILITIES.items() if is_one(kin.capabilities))
    assert kin.prompt_set == KIN[kin.key].prompt_set


@pytest.mark.parametrize(
    ("key", "preset", "wanted"),
    [
        ("bagel", "paper", {"timesteps": 30, "picture_scale": 1.0, "interval": (0.4, 1.0), "renorm": "global"}),
        ("thinkmorph", "edit", {"timesteps": 50, "picture_scale": 2.0, "interval": (0, 1), "renorm": "text_channel"}),
        ("sensenova-vision", "dense", {"picture_scale": 1.0, "renorm_min": 1.0, "shift": 4.0, "interval": (0, 1)}),
    ],
)
def test_the_first_preset_is_that_of_its_own_program(key: str, preset: str, wanted: dict[str, Any]) -> None:
    name, settings = next(iter(KIN[key].presets.items()))
    assert name == preset and settings.text_scale == 4.0
    assert {field: getattr(settings, field) for field in wanted} == wanted


def test_sensenova_edits_by_a_preset_of_its_own(golden: Path) -> None:
    model = load_model("sensenova-vision", str(golden))
    sampler = complete_sampler(model.capabilities, Sampler(preset="edit"), model.key)
    settings = flow_settings(sampler, KIN["sensenova-vision"].presets)
    assert (settings.timesteps, settings.picture_scale, settings.renorm_min, settings.shift) == (50, 2.0, 1.0, 4.0)


def test_maps_are_on_the_menus_of_models_with_the_skill_alone() -> None:
    library = EditLibrary.load()
    able = KIN["sensenova-vision"].skills
    assert not {call.edit for call in Menu(library=library).calls} & {*MAPS}
    offered = Menu(library=library, skills=able, families=["structure"])
    assert {*MAPS} < {call.edit for call in offered.calls}
    assert {library.get(name).needs for name in MAPS} == {"dense-maps"}
    assert "<p>Where is the cat?</p>" in library.instruction(library.call("mask"), "Where is the cat?")


@pytest.fixture
def ask(golden: Path, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Asks a model about a picture, in a run of a small drawing."""
    engines: list[Engine] = []
    store = ImageStore(tmp_path / "pictures")
    picture = store.add_file(golden / "a.png")

    def ask(model: BagelModel, **changes: Any) -> Any:
        engines.append(Engine(lambda: model))
        register_engine("tiny", engines[-1])
        context = replace(Context(model="tiny", reflect=False, rounds=1, steps=2, store=str(store.root)), **changes)
        return aask(picture, "Which colour?", options=["red", "blue"], context=context, out=None)

    yield ask
    for engine in engines:
        engine.close()


async def test_a_map_is_drawn_by_who_can_and_refused_to_others(golden: Path, ask: Callable[..., Any]) -> None:
    run = await ask(load(str(golden), "cpu", "float32", key="sensenova-vision"), policy="fixed:depth")
    (turn,) = run.rounds
    assert turn.thought and turn.decision.family == "structure"
    assert turn.decision.instruction.startswith("Estimate relative depth for each pixel")
    with pytest.raises(CapabilityError, match="was not taught to draw the edit 'depth'"):
        await ask(load(str(golden), "cpu", "float32"), policy="fixed:depth")


def test_a_tiny_thinkmorph_keeps_to_every_rule(golden: Path) -> None:
    found = list(check_conformance(load_model("thinkmorph", str(golden))))
    assert [(one.rule, one.found) for one in found if one.status == "failed"] == []
    assert {"native", "temperature", "reading values"} <= {one.rule for one in found if one.status == "passed"}


class Steered(PlainExecution):
    """Draws as the network does, and writes what a script says after as many pictures as a context has."""

    def __init__(self, network: BagelNetwork, words: Words, texts: Sequence[str]) -> None:
        super().__init__(network)
        self._words, self._left = words, list(texts)

    def write(
        self, contexts: Sequence[Seen], most: int, on_word: PassCallback, chance: Chance | None = None
    ) -> list[Written | None]:
        """By chance alone, as the policy `native` writes; else as the network does."""
        if chance is None:
            return super().write(contexts, most, on_word)
        on_word(1)
        return [Written(self._words.encode(self._left.pop(0)), -1.0, True) for _ in contexts]


async def test_a_thinkmorph_imagines_in_its_own_text(golden: Path, tiny: BagelNetwork, ask: Callable[..., Any]) -> None:
    whole = load(str(golden), "cpu", "float32", key="thinkmorph")
    words = Words.from_folder(golden, tiny.config.token_ids)
    model = BagelModel(tiny, words, Steered(tiny, words, TEXTS), whole.identity)
    run = await ask(model, policy="native")
    assert (run.answer, run.final.missing) == ("blue", "")
    first, last = run.rounds
    assert (first.decision.edit, first.decision.family, first.plan) == ("native", "native", TEXTS[0])
    assert (last.decision.edit, last.plan, last.thought) == ("none", TEXTS[1], None)
    assert first.thought and run.final.pictures == [first.source, first.thought]


async def test_thinking_goes_on_from_a_drawing(
    golden: Path, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g2u.loop.thinking.TOKENS", 4)
    model = load(str(golden), "cpu", "float32")
    seen: list[list[str]] = []
    read = model.extend

    def noted(prefixes: Any, segments: Any, *more: Any) -> Any:
        seen.append([part for part in segments if isinstance(part, str)])
        return read(prefixes, segments, *more)

    monkeypatch.setattr(model, "extend", noted)
    run = await ask(model, policy="fixed:deblur", fusion="continued", think=True)
    told = [text for call in seen for text in call]
    plan = run.rounds[0].plan
    assert plan and run.final.pictures == [run.rounds[0].source, run.rounds[0].thought]
    # The text that asks for a plan, the instruction, the plan; then the text that asks for a reason.
    order = [told.index(text) for text in ("Remove the blur.", plan)]
    assert order == sorted(order) and "planning process" in told[0]
    assert "reasoning process" in told[-1] or any("reasoning process" in text for text in told[order[1] :])
