"""What the reader sees of a thought, and what a model writes before it draws and answers."""

from pathlib import Path

import pytest
from PIL import Image

from g2u.engine import Engine, register_engine
from g2u.fusions import FUSIONS
from g2u.pictures import ImageRef, ImageStore
from g2u.run import ask
from g2u.state import Decision, Fusion, Round
from g2u.thinking import split
from tests.scripted import Pictures, ScriptedModel


@pytest.fixture
def refs(tmp_path: Path) -> list[ImageRef]:
    store = ImageStore(tmp_path)
    return [store.add_image(Image.new("RGB", (4, 4), (shade, 0, 0))) for shade in (10, 20, 30)]


@pytest.mark.parametrize(
    ("fusion", "shown"),
    [
        ("concat", ([0, 2], "read")),
        ("replace", ([2], "read")),
        ("continued", ([0, "Go.", 1, "On.", 2], "draw")),
    ],
)
def test_fusions(fusion: Fusion, shown: tuple[list[int | str], str], refs: list[ImageRef]) -> None:
    decisions = [Decision(edit="x", family="structure", instruction=text, policy="self") for text in ("Go.", "On.")]
    kept = [
        Round(number=number, source=refs[number - 1], decision=decision, thought=refs[number])
        for number, decision in enumerate(decisions, 1)
    ]
    segments, view = FUSIONS[fusion](refs[0], kept)
    assert ([part if isinstance(part, str) else refs.index(part) for part in segments], view) == shown


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
