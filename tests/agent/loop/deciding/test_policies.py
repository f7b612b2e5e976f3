"""Who picks the edit: each policy on a scripted model."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from g2u.edits.library import EditCall, EditLibrary
from g2u.edits.menu import Menu
from g2u.errors import BudgetError, QuestionError, SettingError, ToolCallError, UnknownNameError
from g2u.loop.deciding.policies import ATTEMPTS, Situation, check_policy, probabilities
from tests.scripted import ScriptedModel
from tests.situations import choose, close_engines, says, situation  # noqa: F401

LIBRARY = EditLibrary.load()


async def test_self_takes_the_call_of_the_model(tmp_path: Path) -> None:
    decision = await choose(situation(tmp_path, says('{"edit": "trace_path", "colour": "blue"}')))
    assert (decision.edit, decision.family, decision.arguments) == ("trace_path", "structure", {"colour": "blue"})
    assert decision.instruction == "Draw the way from the start to the exit in blue."
    assert (decision.attempts, decision.policy) == (1, "self")


async def test_self_asks_again_with_the_error(tmp_path: Path) -> None:
    model = says("blur", '{"edit": "debblur"}', '{"edit": "deblur"}')
    decision = await choose(situation(tmp_path, model))
    assert (decision.edit, decision.attempts) == ("deblur", 3)
    first, second, third = (call.texts[0] for call in model.of("read"))
    assert first == "Question: Which exit? Edit:"
    assert "Not JSON" in second
    assert "debblur" in third and "deblur, denoise" in third


async def test_self_gives_up_after_three_attempts_and_says_so(tmp_path: Path) -> None:
    model = says("no idea")
    decision = await choose(situation(tmp_path, model))
    assert (decision.edit, decision.attempts, len(model.of("read"))) == ("none", ATTEMPTS, ATTEMPTS)
    assert "3 attempts" in decision.reason and "Not JSON" in decision.reason


async def test_the_planner_sees_the_stem_and_what_was_tried_but_no_options(tmp_path: Path) -> None:
    model = says('{"edit": "deblur"}')
    menu = Menu(library=LIBRARY, options=["pink", "teal"])
    await choose(situation(tmp_path, model, menu=menu, tried=[EditCall(edit="denoise")]))
    assert model.of("read")[0].texts == ("Question: Which exit? Tried: denoise. Edit:",)


async def test_self_moves_a_leaking_argument(tmp_path: Path) -> None:
    menu = Menu(library=LIBRARY, options=["blue", "pink"])
    decision = await choose(situation(tmp_path, says('{"edit": "trace_path", "colour": "blue"}'), menu=menu))
    assert (decision.arguments, decision.attempts) == ({"colour": "red"}, 1)
    assert "names an option" in decision.reason


async def test_self_is_asked_again_for_an_unwanted_family(tmp_path: Path) -> None:
    menu = Menu(library=LIBRARY, families=["structure"])
    decision = await choose(situation(tmp_path, says('{"edit": "deblur"}', '{"edit": "trace_path"}'), menu=menu))
    assert (decision.edit, decision.attempts) == ("trace_path", 2)


async def test_score_takes_the_likeliest_call_of_the_menu(tmp_path: Path) -> None:
    def score(text: str, pictures: object, options: Any) -> list[float]:
        return [-1.0 if "trace_path" in option else -3.0 for option in options]

    menu = Menu(library=LIBRARY, options=["red", "pink"])
    decision = await choose(situation(tmp_path, ScriptedModel(score_script=score), policy="score", menu=menu))
    assert (decision.edit, decision.arguments) == ("trace_path", {"colour": "green"})
    assert set(decision.scores) == {call.text for call in menu.calls}
    assert sum(decision.scores.values()) == pytest.approx(1)
    others = len(menu.calls) - 2
    assert decision.scores['{"edit": "trace_path", "colour": "green"}'] == pytest.approx(
        1 / (2 + others * math.exp(-2))
    )


def helps(edit: str) -> str:
    return LIBRARY.get(edit).helps


def prefers(**means: float) -> ScriptedModel:
    """Gives the descriptions of edits that mean log-probability per token, and -3 to the others."""
    wanted = {helps(edit): mean for edit, mean in means.items()}

    def score(text: str, pictures: object, options: Any) -> list[float]:
        return [wanted.get(option, -3.0) * (len(option.split(" ")) + 1) for option in options]

    return ScriptedModel(score_script=score)


async def test_self_naive_compares_descriptions_per_token(tmp_path: Path) -> None:
    long, short = helps("outline"), helps("none")
    assert len(long.split()) > 2 * len(short.split()) - 2  # so that the sum of the likelier one is the lower one
    model = prefers(outline=-1.0, none=-1.5)
    decision = await choose(situation(tmp_path, model, policy="self-naive"))
    assert (decision.edit, decision.policy, decision.attempts) == ("outline", "self-naive", 1)
    assert model.of("score")[0].texts == ("Question: Which exit? What would help:",)
    assert len(decision.scores) == len(LIBRARY.names)
    assert sum(decision.scores.values()) == pytest.approx(1)
    ratio = decision.scores['{"edit": "outline"}'] / decision.scores['{"edit": "none"}']
    assert ratio == pytest.approx(math.exp(0.5))
    assert "No training of the choice: of 16 descriptions" in decision.reason and "-1.000" in decision.reason


@pytest.mark.parametrize(
    ("best", "menu", "arguments"),
    [
        ("none", {}, {}),
        ("trace_path", {}, {"colour": "red"}),
        ("trace_path", {"options": ["red", "pink"]}, {"colour": "green"}),
        ("trace_path", {"families": ["structure"]}, {"colour": "red"}),
    ],
)
async def test_self_naive_takes_the_first_call_of_the_menu(
    tmp_path: Path, best: str, menu: dict[str, Any], arguments: dict[str, str]
) -> None:
    one = situation(tmp_path, prefers(**{best: -1.0}), policy="self-naive", menu=Menu(library=LIBRARY, **menu))
    decision = await choose(one)
    assert (decision.edit, decision.arguments) == (best, arguments)


async def test_self_naive_looks_only_at_what_is_on_the_menu(tmp_path: Path) -> None:
    menu = Menu(
        library=LIBRARY, families=["extension"], instructions=frozenset({"Extend the picture into the blank margin."})
    )
    decision = await choose(situation(tmp_path, prefers(deblur=-1.0, none=-4.0), policy="self-naive", menu=menu))
    assert (decision.edit, list(decision.scores)) == ("outpaint", ['{"edit": "outpaint"}', '{"edit": "none"}'])


async def test_the_drawer_is_told_the_question_where_the_edit_asks_for_it(tmp_path: Path) -> None:
    decision = await choose(situation(tmp_path, says('{"edit": "mark"}')))
    assert decision.instruction == "Mark what is asked. Which exit?"


@pytest.mark.parametrize(
    ("policy", "gold", "edits"),
    [
        ("none", [], ["none", "none"]),
        ("fixed:deblur", [], ["deblur", "none"]),
        ("fixed:trace_path(colour=blue)", [], ["trace_path", "none"]),
        ("oracle", ["denoise", "expose"], ["denoise", "expose", "none"]),
        ("oracle", ["none"], ["none"]),
        ("fixed:written(instruction=Draw rays, dots and x = 3.)", [], ["written", "none"]),
    ],
)
async def test_policies_that_know_what_they_want(
    tmp_path: Path, policy: str, gold: list[str], edits: list[str]
) -> None:
    rounds = [
        await choose(situation(tmp_path, policy=policy, gold_edits=gold, round=number + 1))
        for number in range(len(edits))
    ]
    assert [decision.edit for decision in rounds] == edits
    assert all(decision.policy == policy and decision.reason for decision in rounds)


async def test_what_a_person_asked_for_is_drawn_or_refused(tmp_path: Path) -> None:
    menu = Menu(library=LIBRARY, options=["red", "pink"])
    decision = await choose(situation(tmp_path, policy="fixed:trace_path(colour=blue)", menu=menu))
    assert (decision.arguments, decision.reason) == ({"colour": "blue"}, "Fixed by the caller.")
    decision = await choose(situation(tmp_path, policy="fixed:trace_path", menu=menu))
    assert decision.arguments == {"colour": "green"} and "names an option" in decision.reason
    with pytest.raises(ToolCallError) as refused:
        check_policy("fixed:trace_path(colour=red)", menu, [])
    assert '"colour": "red"} names an option of the question' in refused.value.message
    assert refused.value.hint == "Take colour=green or colour=blue instead, or leave the arguments out."


async def test_random_is_even_over_edits_and_follows_its_seed(tmp_path: Path) -> None:
    base = situation(tmp_path, policy="random")
    seeds = [Situation(**{**vars(base), "seed": seed}) for seed in range(600)]
    edits = Counter([(await choose(one)).edit for one in seeds])
    assert set(edits) == set(LIBRARY.names) - {"none"}
    assert all(14 < count < 66 for count in edits.values())  # 40 each, 4 standard deviations
    again = [await choose(one) for one in seeds[:20]]
    assert again == [await choose(one) for one in seeds[:20]]
    assert {decision.arguments["colour"] for one in seeds if (decision := await choose(one)).arguments} == {
        "red", "green", "blue",
    }  # fmt: skip


async def test_random_depends_on_the_picture_and_draws_once(tmp_path: Path) -> None:
    edits = {(await choose(situation(tmp_path, policy="random", shade=shade))).edit for shade in range(20)}
    assert len(edits) > 2
    assert (await choose(situation(tmp_path, policy="random", round=2))).edit == "none"


@pytest.mark.parametrize(
    ("name", "gold", "menu", "error", "says"),
    [
        ("slef", [], {}, UnknownNameError, "Did you mean self"),
        ("self:deblur", [], {}, UnknownNameError, "no policy called 'self:deblur'"),
        ("self-naive:deblur", [], {}, UnknownNameError, "no policy called 'self-naive:deblur'"),
        ("self-naiv", [], {}, UnknownNameError, "Did you mean self-naive"),
        ("fixed", [], {}, UnknownNameError, "fixed:EDIT"),
        ("fixed:", [], {}, ToolCallError, "expected fixed:EDIT"),
        ("fixed:trace_path(red)", [], {}, ToolCallError, "expected fixed:EDIT"),
        ("fixed:debblur", [], {}, UnknownNameError, "Did you mean deblur"),
        ("fixed:trace_path(colour=pink)", [], {}, ToolCallError, "'red', 'green' or 'blue'"),
        ("fixed:deblur", [], {"families": ["structure"]}, ToolCallError, "cannot be picked"),
        ("fixed:trace_path", [], {"options": ["red", "green", "blue"]}, ToolCallError, "cannot be picked"),
        ("oracle", [], {}, QuestionError, "needs the gold edits"),
        ("oracle", ["denoize"], {}, UnknownNameError, "Did you mean denoise"),
        ("oracle", ["deblur"], {"families": ["structure"]}, ToolCallError, "cannot be picked"),
        ("wrong", [], {}, QuestionError, "'wrong' needs the gold edits"),
        ("wrong", ["denoize"], {}, UnknownNameError, "Did you mean denoise"),
        ("wrong:deblur", ["deblur"], {}, UnknownNameError, "no policy called 'wrong:deblur'"),
        ("probe:0", [], {}, BudgetError, "expected probe:1 to probe:16"),
        ("probe:17", [], {}, BudgetError, "expected probe:1 to probe:16"),
        ("probe:few", [], {}, BudgetError, "expected probe:1 to probe:16"),
        ("prob:3", [], {}, UnknownNameError, "Did you mean probe:K"),
        ("own-words", [], {"families": ["structure"]}, SettingError, "cannot be kept to families"),
        (
            "fixed:written(instruction=Draw rays.)",
            [],
            {"options": ["rays", "dots"]},
            ToolCallError,
            "may name an answer",
        ),
        ("fixed:written(instruction=Go.)", [], {"families": ["structure"]}, ToolCallError, "cannot be picked"),
        ("fixed:written", [], {}, ToolCallError, "instruction: Field required"),
    ],
)
def test_policies_that_cannot_work_are_refused(
    name: str, gold: list[str], menu: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        check_policy(name, Menu(library=LIBRARY, **menu), gold)


@pytest.mark.parametrize(
    "name",
    [
        "self", "score", "self-naive", "probe", "probe:1", "probe:16", "own-words", "random", "none",
        "fixed:trace_path", "fixed:trace_path( colour = red )", "fixed:written(instruction=Go.)",
    ],
)  # fmt: skip
def test_policies_that_can_work_are_let_through(name: str) -> None:
    check_policy(name, Menu(library=LIBRARY), [])


def test_probabilities_of_very_unlikely_things() -> None:
    assert probabilities(["a", "b"], [-2000.0, -2000.0]) == {"a": 0.5, "b": 0.5}
    assert probabilities(["a", "b"], [0.0, float("-inf")]) == {"a": 1.0, "b": 0.0}
