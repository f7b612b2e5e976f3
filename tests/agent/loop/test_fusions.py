"""What the reader sees of a thought, and what a model writes before it draws and answers."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
from PIL import Image

from g2u import prompts
from g2u.asking import Run, ask
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import BudgetError, CapabilityError, UnknownNameError
from g2u.loop.fusions import FUSIONS, fuse, lacking
from g2u.loop.thinking import split
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from g2u.state import Decision, Fusion, Round
from tests.scripted import CAPABILITIES, Pictures, ScriptedModel


@pytest.fixture
def refs(tmp_path: Path) -> list[ImageRef]:
    store = ImageStore(tmp_path)
    return [store.add_image(Image.new("RGB", (4, 4), (shade, 0, 0))) for shade in (10, 20, 30)]


ENHANCE = "Which?\nPlease enhance the image first to help you see the photo more clearly."
AUXILIARY = "AUXILIARY image, drawn from the original to help with the question:"
SHOWN: dict[Fusion, tuple[list[int | str], str, str]] = {
    # what is shown of the original 0 and the kept thoughts 1 and 2, in which view, with which note
    "concat": ([0, 2], "read", ""),
    "thought-first": ([2, 0], "read", ""),
    "between": ([0, "Which?", 2], "read", ""),
    "labelled": (["ORIGINAL image:", 0, AUXILIARY, 2], "read", ""),
    "three-turn": ([0, ENHANCE, 2, 0], "read", ""),
    "replace": ([2], "read", ""),
    "continued": ([0, "Mark what is asked. Which?", 1, "Remove the noise.", 2], "draw", ""),
    "latent": ([0, 2], "draw", ""),
    "caption": ([0], "read", "Mark what is asked. Remove the noise."),
}


def test_every_fusion_is_a_row_of_the_table() -> None:
    assert set(SHOWN) == set(FUSIONS) == set(get_args(Fusion))


@pytest.mark.parametrize("fusion", SHOWN)
def test_what_a_fusion_shows(fusion: Fusion, refs: list[ImageRef]) -> None:
    calls = {"mark": "Mark what is asked. Which?", "denoise": "Remove the noise."}
    decisions = [Decision(edit=edit, family="structure", instruction=calls[edit], policy="self") for edit in calls]
    kept = [
        Round(number=number, source=refs[number - 1], decision=decision, thought=refs[number])
        for number, decision in enumerate(decisions, 1)
    ]
    shown = fuse(fusion, refs[:1], kept, "Which?")
    parts = [part if isinstance(part, str) else refs.index(part) for part in shown.segments]
    assert (parts, shown.view, shown.note) == SHOWN[fusion]
    pictures = sum(not isinstance(part, str) for part in parts)
    assert FUSIONS[fusion].pictures(rounds=2) == pictures
    direct = fuse(fusion, refs[:1], [], "Which?")
    assert (direct.segments, direct.view, direct.note) == ((refs[0],), "read", "")


@pytest.mark.parametrize(
    ("changes", "able"),
    [
        ({"text_segments": True, "drawing_view": True}, set(SHOWN)),
        ({"text_segments": True}, set(SHOWN) - {"latent"}),
        ({"drawing_view": True}, {"concat", "thought-first", "replace", "latent", "caption"}),
        ({}, {"concat", "thought-first", "replace", "caption"}),
        ({"text_segments": True, "max_pictures": 2}, set(SHOWN) - {"three-turn", "continued", "latent"}),
        ({"text_segments": True, "drawing_view": True, "max_pictures": 1}, {"replace", "caption"}),
    ],
)  # fmt: skip
def test_what_a_model_can(changes: dict[str, Any], able: set[str]) -> None:
    capabilities = dataclasses.replace(CAPABILITIES, **changes)
    assert {fusion for fusion in FUSIONS if not lacking(fusion, capabilities, rounds=2)} == able


def run(folder: Path, model: ScriptedModel, **settings: Any) -> Run:
    Image.new("RGB", (4, 4), "red").save(folder / "picture.png")
    given = {"policy": "fixed:deblur", "reflect": False, "rounds": 1} | settings
    options = given.pop("options", ["red", "blue"])
    with Engine(lambda: model) as engine:
        register_engine("shown", engine)
        return ask(
            folder / "picture.png",
            "Which?",
            options=options,
            out=None,
            model="shown",
            store=str(folder / "store"),
            **given,
        )


@pytest.mark.parametrize(
    ("changes", "settings", "says"),
    [
        ({}, {"fusion": "labelled"}, "takes no text between.*do the fusions concat, thought-first, replace"),
        ({}, {"fusion": "latent"}, "no view for drawing"),
        ({"text_segments": True, "max_pictures": 2}, {"fusion": "three-turn"}, "2 pictures, and 'three-turn' shows"),
        ({"text_segments": True}, {"fusion": "continued", "rounds": 3}, "3 pictures, so 'continued' has 2 rounds"),
        ({"max_pictures": 1}, {"fusion": "replace", "reflect": True}, "to judge a thought it must see two.*Switch"),
    ],
)  # fmt: skip
def test_a_fusion_that_the_model_cannot_see_is_refused(
    changes: dict[str, Any], settings: dict[str, Any], says: str, tmp_path: Path
) -> None:
    model = ScriptedModel().declaring(**changes)
    with pytest.raises(CapabilityError, match=says):
        run(tmp_path, model, **settings)
    assert not model.calls


@pytest.mark.parametrize("fusion", SHOWN)
@pytest.mark.parametrize("prompt_set", ["mini", "bagel"])
def test_both_answers_of_a_run_have_one_reader_prompt(fusion: Fusion, prompt_set: str, tmp_path: Path) -> None:
    model = ScriptedModel(prompt_set=prompt_set).declaring(text_segments=True, drawing_view=True)
    found = run(tmp_path, model, fusion=fusion)
    asked = [text for call in model.of("score") for text in call.texts]
    assert len(asked) == 2
    told = {text for text in asked if "Remove the blur." in text}
    assert len(told) == (fusion == "caption") and len(set(asked)) == 1 + len(told)
    assert found.direct.pictures == [found.rounds[0].source]
    shown = {"replace": 1, "caption": 1, "three-turn": 3}.get(fusion, 2)
    assert len(found.final.pictures) == shown


def test_the_reader_prompt_and_its_tokens_are_those_of_the_settings(tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    shutil.copytree(prompts.FOLDER / "mini", folder)
    (folder / "answer_brief.j2").write_text("{{ question }} In a word:")
    model = ScriptedModel(read_script=lambda text, pictures: "one two three four", prompt_set=str(folder))
    with pytest.raises(UnknownNameError, match=r"no reader prompt called 'decide'.*There are: answer, answer_brief"):
        run(tmp_path, model, reader="decide")
    found = run(tmp_path, model, reader="answer_brief", max_tokens=3, options=[])
    assert {text for call in model.of("read") for text in call.texts} == {"Which? In a word:"}
    assert (found.answer, found.direct_answer) == ("one two three",) * 2
    assert (found.final.tokens, found.direct.tokens) == (3, 3)
    with pytest.raises(BudgetError, match="1 to 4,096 tokens"):
        run(tmp_path, model, max_tokens=4097)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("<think> it is dark </think> red", ("<think> it is dark </think>", "red")),
        ("red", ("", "red")),
        ("</think>", ("</think>", "")),
    ],
)
def test_what_stands_after_a_thought_is_the_answer(text: str, parts: tuple[str, str]) -> None:
    assert split(text) == parts


@pytest.mark.parametrize("options", [[], ["red", "blue"]])
def test_a_model_thinks_before_it_draws_and_answers(options: list[str], tmp_path: Path) -> None:
    def write(text: str, pictures: Pictures) -> str:
        return "<think> a plan </think>" if text == "Remove the blur." else "<think> a thought </think> red"

    model = ScriptedModel(read_script=write, prompt_set="bagel").declaring(
        thinks=True, text_segments=True, drawing_view=True
    )
    Image.new("RGB", (4, 4), "red").save(tmp_path / "picture.png")
    with Engine(lambda: model) as engine:
        register_engine("thinker", engine)
        run = ask(
            tmp_path / "picture.png",
            "Which?",
            options=options,
            out=tmp_path / "runs",
            model="thinker",
            policy="fixed:deblur",
            reflect=False,
            think=True,
        )
    (turn, _) = run.rounds
    assert (turn.plan, run.final.reasoning, run.answer) == (
        "<think> a plan </think>",
        "<think> a thought </think>",
        "red",
    )
    assert model.of("draw")[0].thoughts == ("<think> a plan </think>",)
    told = [part for call in model.of("extend") for part in call.segments if isinstance(part, str)]
    assert sum(text.startswith("You should first think about the planning") for text in told) == 1
    assert any(text.startswith("You should first think about the reasoning") for text in told)
    assert [call.texts for call in model.of("score")] == ([("<think> a thought </think>",)] * 2 if options else [])
