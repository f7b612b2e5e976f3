"""Questions about several pictures: all are seen in order, one is edited, and its thought belongs to it."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from PIL import Image

from g2u import prompts
from g2u.asking import Run, ask
from g2u.edits.library import EditCall, EditLibrary
from g2u.edits.menu import Menu
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import BudgetError, CapabilityError, PictureError, SettingError, ToolCallError
from g2u.graphs import explore, imagine
from g2u.loop.deciding.writers import read_instruction
from g2u.loop.fusions import FUSIONS, fuse, lacking
from g2u.pictures.references import ImageRef
from g2u.pictures.several import MOST_ASKED, given_pictures
from g2u.pictures.store import ImageStore, get_store
from g2u.state import Context, Decision, Fusion, Round
from tests.graphs.bench import draw_lighter
from tests.scripted import CAPABILITIES, Pictures, ScriptedModel
from tests.situations import choose, close_engines, says, situation  # noqa: F401

LIBRARY = EditLibrary.load()
DARK, BRIGHT = (40, 40, 40), (200, 200, 200)
"""Colours of the two pictures; a drawing adds 10 to each value."""


def refs_in(store: ImageStore, *colours: tuple[int, int, int]) -> list[ImageRef]:
    return [store.add_image(Image.new("RGB", (8, 8), colour)) for colour in colours]


@pytest.fixture
def refs(tmp_path: Path) -> list[ImageRef]:
    return refs_in(ImageStore(tmp_path), *((shade, 0, 0) for shade in (10, 20, 30, 40, 50)))


def turn(number: int, edit: str, on: int | None, source: ImageRef, thought: ImageRef) -> Round:
    told = LIBRARY.instruction(LIBRARY.call(edit), "Which?")
    decision = Decision(edit=edit, family="structure", on=on, instruction=told, policy="self")
    return Round(number=number, source=source, decision=decision, thought=thought)


ENHANCE = "Which?\nPlease enhance one of the images first to help you see the photos more clearly."
AUXILIARY = "AUXILIARY image, drawn from ORIGINAL image {} to help with the question:"
MARKED = ["Image 2: Mark what is asked. Which?"]
LABELS: list[int | str] = ["ORIGINAL image 1:", 0, "ORIGINAL image 2:", 1]
SHOWN: dict[Fusion, tuple[list[int | str], list[int | str]]] = {
    # of the originals 0 and 1: with thought 2 of the second, and with 3 of the first and 4 of 2 besides
    "concat": ([0, 1, 2], [0, 1, 3, 4]),
    "thought-first": ([2, 0, 1], [3, 4, 0, 1]),
    "between": ([0, 1, "Which?", 2], [0, 1, "Which?", 3, 4]),
    "labelled": ([*LABELS, AUXILIARY.format(2), 2], [*LABELS, AUXILIARY.format(1), 3, AUXILIARY.format(2), 4]),
    "three-turn": ([0, 1, ENHANCE, 2, 0, 1], [0, 1, ENHANCE, 3, 4, 0, 1]),
    "replace": ([0, 2], [3, 4]),
    "continued": (
        [0, 1, *MARKED, 2],
        [0, 1, *MARKED, 2, "Image 1: Remove the noise.", 3, "Image 2: Remove the blur.", 4],
    ),
    "latent": ([0, 1, 2], [0, 1, 3, 4]),
    "caption": ([0, 1], [0, 1]),
}  # fmt: skip


@pytest.mark.parametrize("fusion", SHOWN)
def test_a_fusion_shows_all_originals_in_order(fusion: Fusion, refs: list[ImageRef]) -> None:
    rounds = [
        turn(1, "mark", 2, refs[1], refs[2]),
        turn(2, "denoise", 1, refs[0], refs[3]),
        turn(3, "deblur", 2, refs[2], refs[4]),
    ]
    for kept, expected in ((rounds[:1], SHOWN[fusion][0]), (rounds, SHOWN[fusion][1])):
        shown = fuse(fusion, refs[:2], kept, "Which?")
        assert [part if isinstance(part, str) else refs.index(part) for part in shown.segments] == expected
        pictures = sum(not isinstance(part, str) for part in expected)
        assert FUSIONS[fusion].pictures(rounds=len(kept), originals=2) == pictures
    told = "Image 2: Mark what is asked. Image 1: Remove the noise. Image 2: Remove the blur."
    assert shown.note == (told if fusion == "caption" else "")
    assert fuse(fusion, refs[:2], [], "Which?").segments == tuple(refs[:2])


def test_what_a_model_can_show_of_several() -> None:
    able = dataclasses.replace(CAPABILITIES, text_segments=True, drawing_view=True, max_pictures=4)
    few = {fusion for fusion in FUSIONS if not lacking(fusion, able, rounds=2, originals=2)}
    assert few == set(FUSIONS) - {"three-turn"}
    assert not lacking("concat", able, rounds=1, originals=3) and not lacking("replace", able, 9, 4)
    assert lacking("concat", able, 1, 4) == "takes 4 pictures, and 'concat' of a question about 4 shows 5"
    assert "has 1 rounds at most" in lacking("continued", able, 2, 3)


BEFORE = {
    # SHA-256 of what each template says of one picture, as models were trained on it and studies were run with it
    ("bagel", "decide"): "e13ce906ff111b154320bba8371bec90bcd225ddb483123327c173d4a9702bde",
    ("bagel", "naive"): "e97f3976f1e6449ffa15c7380117785e46dabc2d2af1cc784622702f30a09508",
    ("bagel", "write"): "7c98f7b80a55c54aac7b8a7d3f1601a2c20390a62c5e3fefc6a3139ffcdb1f10",
    ("writer", "write"): "9adcbb140fddac308d1ab996d1e4c8158ec6159704e34af650722483923c2f9f",
    ("mini", "decide"): "cfd378841b4966d169b6ebdd2089a5bfaf076febca3290b9805941088f26d50e",
    ("mini", "naive"): "6a52c5a9d279418b8e103630a052ff099dfa79afd3bfa16f5eec6a08357ad23d",
    ("mini", "answer"): "c73f411864ce172366ab50af54761f76c9386d2602257662131fe69232eda785",
    ("mini", "reflect"): "0d340caee74f7e07677fc45f2689e16b6915cd93275e9cf34d78c317ca2fea98",
    ("fusions", "enhance_first"): "0446f1d339298da7e39881bc37228d23eef1ac4f689b0665c8493a36cf27223c",
}


@pytest.mark.parametrize(("prompt_set", "name"), BEFORE)
def test_prompts_about_one_picture_are_those_of_before(prompt_set: str, name: str) -> None:
    known: dict[str, Any] = {"tried": ["deblur"], "error": "Not JSON.", "examples": prompts.load_examples()}
    known |= {"edits": [LIBRARY.get(edit) for edit in ("trace_path", "deblur", "none")], "instruction": "Go."}
    said = prompts.render(prompt_set, name, question="Which exit?", pictures=1, **known)
    assert hashlib.sha256(said.encode()).hexdigest() == BEFORE[prompt_set, name]
    assert said == prompts.render(prompt_set, name, question="Which exit?", **known)


@pytest.mark.parametrize(("prompt_set", "name"), [("bagel", "decide"), ("bagel", "write"), ("writer", "write")])
async def test_a_policy_that_writes_is_told_how_many_pictures_there_are(
    prompt_set: str, name: str, refs: list[ImageRef], tmp_path: Path
) -> None:
    menu = Menu(library=LIBRARY, pictures=3)
    tried = [LIBRARY.call("deblur", on=2)]
    one = situation(tmp_path, menu=menu, pictures=refs[:3], prompt_set=prompt_set, tried=tried)
    said = one.prompt(name, **({"examples": []} if prompt_set == "writer" else {}))
    assert "3 pictures, which are numbered in order from 1" in said and "deblur (on picture 2)" in said
    assert ('"on": 2' if name == "decide" else "Picture 2: Make it brighter.") in said


def test_a_call_says_which_of_several_pictures_it_edits() -> None:
    menu = Menu(library=LIBRARY, pictures=2)
    calls = menu.calls
    assert [call for call in calls if call.edit == "deblur"] == [EditCall(edit="deblur", on=on) for on in (1, 2)]
    assert len(calls) == 2 * (len(LIBRARY.calls()) - 1) + 1 and EditCall(edit="none") in calls
    call = LIBRARY.parse('{"edit": "trace_path", "on": 2}')
    assert menu.settle(call) == (call, "")
    assert call.text == '{"edit": "trace_path", "colour": "red", "on": 2}'
    assert (call.short, call.place) == ("trace_path(colour=red, on=2)", 1)
    assert menu.settle(LIBRARY.parse('{"edit": "deblur"}'))[0] == EditCall(edit="deblur", on=1)
    alone = Menu(library=LIBRARY)
    assert alone.settle(LIBRARY.parse('{"edit": "deblur", "on": "1"}'))[0] == EditCall(edit="deblur")
    assert EditCall(edit="deblur").text == '{"edit": "deblur"}'
    fixed = Menu(library=LIBRARY, pictures=3, on=2)
    assert {call.on for call in fixed.calls} == {2, None}
    assert fixed.settle(LIBRARY.call("deblur"))[0].on == 2


@pytest.mark.parametrize(
    ("menu", "reply", "says"),
    [
        (Menu(library=LIBRARY, pictures=2), '{"edit": "deblur", "on": 3}', "no picture 3; there are 2 pictures"),
        (Menu(library=LIBRARY), '{"edit": "deblur", "on": 2}', "no picture 2; there is one picture"),
        (Menu(library=LIBRARY, pictures=2), '{"edit": "deblur", "on": 0}', "on: 0 is no number of a picture"),
        (Menu(library=LIBRARY, pictures=2), '{"edit": "deblur", "on": "both"}', "'both' is no number"),
        (Menu(library=LIBRARY, pictures=2), '{"edit": "deblur", "on": true}', "True is no number"),
        (Menu(library=LIBRARY, pictures=3, on=2), '{"edit": "deblur", "on": 3}', "picture 3 may not be edited"),
    ],
)
def test_a_picture_that_there_is_not_is_a_fault_like_an_unknown_argument(menu: Menu, reply: str, says: str) -> None:
    with pytest.raises(ToolCallError, match=says):
        menu.settle(menu.library.parse(reply))


def test_an_instruction_may_begin_with_the_number_of_its_picture() -> None:
    menu = Menu(library=LIBRARY, pictures=2)
    call, _ = read_instruction(menu, "Picture 2: Make it brighter.")
    assert (call.on, call.arguments) == (2, {"instruction": "Make it brighter."})
    assert read_instruction(menu, "Make it brighter.")[0].on == 1
    with pytest.raises(ToolCallError, match="no picture 7"):
        read_instruction(menu, "Image 7: Make it brighter.")
    alone, _ = read_instruction(Menu(library=LIBRARY), "Picture 2: Make it brighter.")
    assert alone.arguments == {"instruction": "Picture 2: Make it brighter."}


async def test_a_policy_that_compares_texts_compares_every_picture(refs: list[ImageRef], tmp_path: Path) -> None:
    texts: list[str] = []

    def score(text: str, pictures: Pictures, options: Sequence[str]) -> list[float]:
        texts[:] = options
        assert len(pictures) == 2
        best = ('"sharpen", "on": 2', "Picture 2: Bars lie")
        return [0.0 if any(one in option for one in best) else -9.0 for option in options]

    model = ScriptedModel(score_script=score)
    known: dict[str, Any] = {"menu": Menu(library=LIBRARY, pictures=2), "pictures": refs[:2]}
    likely = await choose(situation(tmp_path, model, policy="score", **known))
    assert (likely.edit, likely.on) == ("sharpen", 2) and len(texts) == len(known["menu"].calls)
    assert '{"edit": "sharpen", "on": 2}' in likely.scores and '{"edit": "none"}' in likely.scores
    naive = await choose(situation(tmp_path, model, policy="self-naive", **known))
    assert (naive.edit, naive.on) == ("inpaint", 2)
    first, second = ([text[11:] for text in texts if text.startswith(f"Picture {on}: ")] for on in (1, 2))
    assert first == second and len(first) == len(LIBRARY.names) - 1


async def test_lots_are_drawn_among_pictures_too(refs: list[ImageRef], tmp_path: Path) -> None:
    known: dict[str, Any] = {"menu": Menu(library=LIBRARY, pictures=3), "pictures": refs[:3]}
    drawn = [await choose(situation(tmp_path, policy="random", seed=seed, **known)) for seed in range(20)]
    again = [await choose(situation(tmp_path, policy="random", seed=seed, **known)) for seed in range(20)]
    assert drawn == again and {decision.on for decision in drawn} == {1, 2, 3}


async def test_the_model_is_asked_again_for_a_picture_that_there_is(refs: list[ImageRef], tmp_path: Path) -> None:
    model = says('{"edit": "deblur", "on": 9}', '{"edit": "deblur", "on": 2}')
    menu = Menu(library=LIBRARY, pictures=2)
    found = await choose(situation(tmp_path, model, menu=menu, pictures=refs[:2]))
    assert (found.edit, found.on, found.attempts) == ("deblur", 2, 2)


def test_one_picture_has_a_short_form(refs: list[ImageRef]) -> None:
    assert given_pictures({"picture": "a"}) == given_pictures({"pictures": ["a"]}) == ["a"]
    assert given_pictures({"picture": "a", "pictures": ["a"]}) == ["a"]
    assert given_pictures({"pictures": refs[:2], "picture": None}) == refs[:2]
    assert given_pictures({"pictures": []}) is given_pictures({}) is None
    for found, told in (
        ({"picture": "a", "pictures": ["b"]}, "both given, and differ"),
        ({"picture": "a", "pictures": ["a", "b"]}, "both given, and differ"),
        ({"pictures": "a"}, "a list was expected"),
        ({"pictures": ["a"] * (MOST_ASKED + 1)}, f"at most {MOST_ASKED}"),
    ):
        with pytest.raises(PictureError, match=told):
            given_pictures(found)


def writes(*replies: str) -> Callable[[str, Pictures], str]:
    left = list(replies)
    return lambda text, pictures: left.pop(0) if left else '{"edit": "none"}'


def answers(text: str, pictures: Pictures, options: Sequence[str]) -> list[float]:
    """Keeps every thought; answers by how many pictures it sees."""
    wanted = "keep" if "keep" in options else options[min(len(pictures), len(options)) - 1]
    return [-0.1 if option == wanted else -5.0 for option in options]


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    engines: list[Engine] = []

    def run(model: ScriptedModel, *colours: tuple[int, int, int], **settings: Any) -> Run:
        engines.append(Engine(lambda: model))
        register_engine("several", engines[-1])
        pictures = refs_in(get_store(tmp_path / "store"), *(colours or (DARK, BRIGHT)))
        given: dict[str, Any] = {"options": ["one", "two", "three", "four"], "model": "several", "out": None}
        return ask(pictures, "Which is darker?", **(given | {"store": str(tmp_path / "store")} | settings))

    yield run
    for engine in engines:
        engine.close()


def able(*replies: str, **changes: Any) -> ScriptedModel:
    model = ScriptedModel(read_script=writes(*replies), score_script=answers, draw_script=draw_lighter)
    return model.declaring(**{"max_pictures": 4} | changes)


def test_a_run_edits_one_picture_and_answers_about_all(asking: Callable[..., Run]) -> None:
    model = able('{"edit": "deblur", "on": 2}')
    run = asking(model)
    dark, bright = run.asked.pictures
    (made, last) = run.rounds
    assert (made.decision.on, made.source, last.decision.on) == (2, bright, None)
    assert run.store and get_store(run.store).open(made.thought).getpixel((0, 0)) == (210, 210, 210)  # type: ignore[arg-type]
    assert model.of("draw")[0].pictures == (1,)  # the drawer sees the picture that is edited alone
    assert run.direct.pictures == [dark, bright] and run.direct_answer == "two"
    assert run.final.pictures == [dark, bright, made.thought] and run.answer == "three"
    assert [call.pictures for call in model.of("read")] == [(2,), (2,)]  # the policy sees all of them


def test_a_later_round_goes_on_from_the_thought_of_its_own_picture(asking: Callable[..., Run]) -> None:
    calls = ['{"edit": "deblur", "on": 2}', '{"edit": "expose", "on": 1}', '{"edit": "denoise", "on": 2}']
    run = asking(able(*calls), rounds=3, fusion="replace")
    dark, bright = run.asked.pictures
    first, second, third = run.rounds
    assert [one.source for one in run.rounds] == [bright, dark, first.thought]
    assert run.final.pictures == [second.thought, third.thought] and run.stopped is not None


@pytest.mark.parametrize(
    ("settings", "on"),
    [
        ({"policy": "fixed:deblur"}, 1),
        ({"policy": "fixed:deblur(on=2)"}, 2),
        ({"policy": "fixed:trace_path(colour=green, on=2)"}, 2),
        ({"policy": "fixed:deblur", "on": 2}, 2),
        ({"policy": "oracle", "gold_edits": ["deblur"], "on": 2}, 2),
        ({"policy": "score", "on": 2}, 2),
        ({"policy": "probe:2", "on": 2}, None),
    ],
)
def test_the_picture_that_is_edited_can_be_fixed(asking: Callable[..., Run], settings: Any, on: int | None) -> None:
    run = asking(able(), rounds=1, **settings)
    assert run.rounds[0].decision.on == on
    if on:
        assert run.rounds[0].source == run.asked.pictures[on - 1]
    else:  # nothing left less doubt than the answer as it stands; what was tried was of the picture that may be edited
        assert all('"on": 2' in text for text in run.rounds[0].decision.scores if '"none"' not in text)


@pytest.mark.parametrize(
    ("changes", "settings", "error", "says"),
    [
        ({"max_pictures": 1}, {"policy": "none"}, CapabilityError, "takes one picture a question, and this.*about 2"),
        ({"max_originals": 1}, {"policy": "none"}, CapabilityError, "takes one picture a question"),
        ({"max_pictures": 3}, {"rounds": 2}, CapabilityError, "takes 3 pictures, and 'concat' of a question about 2"),
        (
            {},
            {"on": 3},
            SettingError,
            r"Picture 3 cannot be edited \(on=3\): the question is about 2 pictures. Name 1 to 2, or",
        ),
        ({}, {"on": 0}, BudgetError, "numbered from 1"),
        ({}, {"policy": "fixed:deblur(on=3)"}, ToolCallError, "there is no picture 3"),
        ({}, {"policy": "fixed:deblur(on=1)", "on": 2}, ToolCallError, "picture 1 may not be edited"),
    ],
)
def test_what_cannot_be_asked_of_several_is_refused_before_anything_is_drawn(
    asking: Callable[..., Run], changes: Any, settings: Any, error: type[Exception], says: str
) -> None:
    model = able(**changes)
    with pytest.raises(error, match=says):
        asking(model, **settings)
    assert not model.calls


def test_mini_stays_at_one_picture_and_one_thought(tmp_path: Path) -> None:
    pictures = refs_in(get_store(tmp_path), DARK, BRIGHT)
    for policy in ("self", "none"):
        with pytest.raises(CapabilityError, match=r"'mini' takes one picture a question, and this.*2") as told:
            ask(pictures, "Which is darker?", out=None, store=str(tmp_path), policy=policy)
        assert "`g2u models`" in told.value.hint


async def test_a_person_may_choose_another_picture(tmp_path: Path) -> None:
    model = able('{"edit": "deblur", "on": 2}')
    with Engine(lambda: model) as engine:
        register_engine("several", engine)
        pictures = refs_in(get_store(tmp_path), DARK, BRIGHT)
        graph = imagine.build_graph(InMemorySaver())
        context = Context(model="several", store=str(tmp_path), pause="drawing", rounds=1)
        config: Any = {"configurable": {"thread_id": "1"}}
        given: Any = {"pictures": pictures, "question": "Which?", "options": ["one", "two", "three"]}
        found = await graph.ainvoke(given, config, context=context)
        shown = found["__interrupt__"][0].value
        assert (shown["on"], shown["pictures"]) == (2, [ref.uri for ref in pictures])
        assert shown["action_request"]["args"]["edit"] == "deblur(on=2)" and "of picture 2" in shown["description"]
        for reply, says in (
            ({"action": "change", "on": 5}, "there is no picture 5"),
            ({"action": "change", "edit": "denoise(on=7)"}, "there is no picture 7"),
        ):
            asked = await graph.ainvoke(Command(resume=reply), config, context=context)
            assert says in asked["__interrupt__"][0].value["problem"]
        done = await graph.ainvoke(Command(resume={"action": "change", "on": 1}), config, context=context)
        (turn,) = done["rounds"]
        assert (turn.decision.edit, turn.decision.on, turn.source) == ("deblur", 1, pictures[0])


async def test_candidates_are_of_every_picture(tmp_path: Path) -> None:
    def score(text: str, pictures: Pictures, options: Sequence[str]) -> list[float]:
        return [0.0 if '"deblur"' in option or option == "keep" else -9.0 for option in options]

    model = ScriptedModel(score_script=score, draw_script=draw_lighter).declaring(max_pictures=4)
    with Engine(lambda: model) as engine:
        register_engine("several", engine)
        pictures = refs_in(get_store(tmp_path), DARK, BRIGHT)
        context = Context(model="several", store=str(tmp_path), rounds=2)
        given: Any = {"pictures": pictures, "question": "Which?", "options": ["one", "two"]}
        found = await explore.build_graph().ainvoke(given, context=context)
    tried = sorted(found["candidates"], key=lambda turn: turn.number)
    assert [(turn.decision.on, turn.source) for turn in tried] == [(1, pictures[0]), (2, pictures[1])]
    assert found["answer"].pictures[:2] == found["direct"].pictures == pictures


async def test_a_thread_goes_on_about_all_of_its_pictures(tmp_path: Path) -> None:
    model = able()
    with Engine(lambda: model) as engine:
        register_engine("several", engine)
        pictures = refs_in(get_store(tmp_path), DARK, BRIGHT)
        graph = imagine.build_graph(InMemorySaver())
        context, config = Context(model="several", store=str(tmp_path)), {"configurable": {"thread_id": "1"}}
        content = [{"type": "image", "url": ref.uri} for ref in pictures] + [{"type": "text", "text": "Which?"}]
        first: Any = {"messages": [{"role": "user", "content": content}], "options": ["one", "two"]}
        found = await graph.ainvoke(first, config, context=context)  # type: ignore[call-overload]
        assert found["direct"].pictures == pictures
        second: Any = {"messages": [{"role": "user", "content": "And now?"}], "options": ["one", "two"]}
        found = await graph.ainvoke(second, config, context=context)  # type: ignore[call-overload]
        assert found["direct"].pictures == pictures
        state = (await graph.aget_state(config)).values  # type: ignore[arg-type]
        assert (state["asked"].pictures, state["asked"].question) == (pictures, "And now?")
