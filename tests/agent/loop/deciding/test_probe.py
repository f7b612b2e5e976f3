"""Policies that try or that err on purpose: probe, and the control wrong."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from g2u.asking import Run, ask
from g2u.edits.library import EditCall, EditLibrary
from g2u.edits.menu import Menu
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.loop.deciding.policies import Situation
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from g2u.state import Answer, Decision
from tests.scripted import ScriptedModel
from tests.situations import choose, close_engines, situation  # noqa: F401
from tests.waiting import HUNG, Clock

LIBRARY = EditLibrary.load()


@pytest.mark.parametrize("gold", [["deblur"], ["denoise", "upright"], ["none"]])
async def test_wrong_is_none_of_the_gold_edits(tmp_path: Path, gold: list[str]) -> None:
    base = situation(tmp_path, policy="wrong", gold_edits=gold)
    seeds = [Situation(**{**vars(base), "seed": seed}) for seed in range(300)]
    edits = Counter([(await choose(one)).edit for one in seeds])
    assert set(edits) == set(LIBRARY.names) - {"none", *gold}
    assert [await choose(one) for one in seeds[:9]] == [await choose(one) for one in seeds[:9]]
    assert (await choose(Situation(**{**vars(base), "round": 2}))).edit == "none"


async def test_wrong_stops_where_all_edits_are_gold(tmp_path: Path) -> None:
    menu = Menu(library=LIBRARY, instructions=frozenset({"Remove the blur."}))
    assert (await choose(situation(tmp_path, policy="wrong", gold_edits=["deblur"], menu=menu))).edit == "none"


class Trials:
    """Draws a picture of its own for each call, and is as sure of an answer as it is told."""

    def __init__(self, folder: Path, **sure: float | tuple[float, int]) -> None:
        self.store, self.sure, self.drawn = ImageStore(folder), sure, list[str]()

    async def draw(self, call: EditCall) -> ImageRef:
        self.drawn.append(call.edit)
        return self.store.add_image(Image.new("RGB", (1, 1), (len(self.drawn), 0, 0)))

    async def answer(self, decision: Decision, thought: ImageRef | None) -> Answer:
        assert (thought is None) is (decision.edit == "none")
        sure = self.sure[decision.edit]
        if isinstance(sure, tuple):
            return Answer(text="x", log_probability=sure[0], tokens=sure[1], pictures=[], seconds=0)
        return Answer(
            text="x", probabilities={"red": sure, "blue": 1 - sure}, log_probability=0, pictures=[], seconds=0
        )


def ranks(*edits: str) -> ScriptedModel:
    """Finds those calls likely, in that order."""

    def score(text: str, pictures: object, options: Any) -> list[float]:
        places = [next((place for place, edit in enumerate(edits) if f'"{edit}"' in option), 50) for option in options]
        return [-float(place) for place in places]

    return ScriptedModel(score_script=score)


@pytest.mark.parametrize(
    ("policy", "sure", "drawn", "edit"),
    [
        # how sure the model is of red after which edit, what was drawn for it, what is kept
        ("probe", {"none": 0.5, "mark": 0.7, "deblur": 0.1, "expose": 0.8}, ["mark", "deblur", "expose"], "deblur"),
        ("probe:2", {"none": 0.5, "mark": 0.7, "deblur": 0.5}, ["mark", "deblur"], "mark"),
        ("probe:1", {"none": 0.9, "mark": 0.7}, ["mark"], "none"),
        ("probe:1", {"none": 0.0, "mark": 1.0}, ["mark"], "none"),  # as sure of both: nothing is drawn in vain
        # free answers: the mean log-probability of a token
        ("probe:2", {"none": (-1.0, 2), "mark": (-2.0, 8), "deblur": (-0.5, 1)}, ["mark", "deblur"], "mark"),
    ],
)
async def test_probe_keeps_what_makes_the_answer_surest(
    tmp_path: Path, policy: str, sure: dict[str, Any], drawn: list[str], edit: str
) -> None:
    trials = Trials(tmp_path, **sure)
    model = ranks("mark", "none", "deblur", "expose", "denoise")
    decision = await choose(situation(tmp_path, model, policy=policy, draw=trials.draw, answer=trials.answer))
    assert (trials.drawn, decision.edit, decision.policy) == (drawn, edit, policy)
    assert decision.reason.count(" after {") == len(drawn) + 1
    assert (
        sum(decision.scores.values()) == pytest.approx(1)
        and max(decision.scores, key=decision.scores.__getitem__) == '{"edit": "mark"}'
    )


async def test_probe_tells_the_doubt_in_nats(tmp_path: Path) -> None:
    trials = Trials(tmp_path, none=0.5, mark=0.75)
    one = situation(tmp_path, ranks("mark"), policy="probe:1", draw=trials.draw, answer=trials.answer)
    reason = (await choose(one)).reason
    assert '0.693 after {"edit": "none"}, 0.562 after {"edit": "mark"}' in reason


# Through the loop.


def run(folder: Path, model: ScriptedModel, **settings: Any) -> tuple[Run, list[Mapping[str, Any]]]:
    """Asks with two rounds at most, and what was told on the way."""
    Image.new("RGB", (8, 8), "red").save(folder / "picture.png")
    events: list[Mapping[str, Any]] = []
    with Engine(lambda: model) as engine:
        register_engine("scripted", engine)
        given = {"model": "scripted", "policy": "probe:2", "reflect": False, "rounds": 2} | settings
        found = ask(
            folder / "picture.png", "Which?", options=["pink", "teal"], out=None, on_event=events.append, **given
        )  # fmt: skip
    return found, events


def surer_with_each_drawing(text: str, pictures: Sequence[Image.Image], options: Sequence[str]) -> list[float]:
    """Teal, the more the last picture differs from the original; of edits, the earlier in the library."""
    if "pink" not in options:
        return [-float(place) for place, _ in enumerate(options)]
    return [-0.1 if option == "teal" else -0.5 - pictures[-1].getpixel((0, 0))[1] / 10 for option in options]  # type: ignore[index]


def greener(image: Image.Image, instruction: str, seed: int) -> Image.Image:
    red, green, blue = image.getpixel((0, 0))  # type: ignore[misc]
    return Image.new("RGB", image.size, (red, green + (10 if "noise" in instruction else 5), blue))


def test_what_was_tried_is_not_drawn_again(tmp_path: Path) -> None:
    model = ScriptedModel(
        read_script=lambda text, pictures: f"<think> {text} </think>",
        score_script=surer_with_each_drawing,
        draw_script=greener,
        prompt_set="bagel",
    ).declaring(thinks=True, text_segments=True, drawing_view=True)
    found, events = run(tmp_path, model, think=True)
    assert [turn.decision.edit for turn in found.rounds] == ["denoise", "denoise"]
    assert all(turn.plan == "<think> Remove the noise. </think>" for turn in found.rounds)
    assert all(set(turn.seconds) == {"decide", "generate"} for turn in found.rounds)
    assert sum(call.size for call in model.of("draw")) == 2 * 2
    assert found.rounds[1].source == found.rounds[0].thought
    assert found.final.pictures == [found.rounds[0].source, found.rounds[1].thought]
    assert {event["step"] for event in events} == {"decide", "answer", "stop"}


def test_a_probe_without_time_goes_on_to_the_answer(tmp_path: Path, clock: Clock) -> None:
    model = ScriptedModel(score_script=surer_with_each_drawing, draw_script=greener)
    model.between = lambda call, done: clock.advance(HUNG) if call.kind == "draw" and done == 3 else None
    found, events = run(tmp_path, model, seconds=HUNG, steps=5)
    assert (found.rounds, found.answer) == ([], "teal")
    assert [event["cause"] for event in events if event["step"] == "stop"] == ["seconds"]
