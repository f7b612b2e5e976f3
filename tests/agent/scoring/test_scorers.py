"""Scorers: each on answers whose worth is known, and what cannot be scored is refused before anything is asked."""

import pytest

from g2u.errors import G2UError, SettingError, UnknownNameError
from g2u.scoring.expected import Expected
from g2u.scoring.scorers import SCORERS, check_scorer, score, scorer_of

OPTIONS = ("red", "blue", "dark red")


@pytest.mark.parametrize(
    ("scorer", "answers", "options", "text", "value"),
    [
        ("exact", ["Red"], (), " red. ", 1.0),
        ("exact", ["red", "crimson"], (), "Crimson", 1.0),
        ("exact", ["red"], (), "reddish", 0.0),
        ("option", ["blue"], OPTIONS, "Blue.", 1.0),
        ("option", ["blue"], OPTIONS, "B", 1.0),
        ("option", ["blue"], OPTIONS, "(C)", 0.0),
        ("option", ["dark red"], OPTIONS, "It is dark red", 1.0),
        ("option", ["blue"], OPTIONS, "red or blue", 0.0),
        ("number", ["12"], (), "12.0", 1.0),
        ("number", ["12"], (), "twelve", 1.0),
        ("number", ["twenty-one"], (), "21", 1.0),
        ("number", ["1200"], (), "1,200", 1.0),
        ("number", ["-3"], (), "\u22123", 1.0),
        ("number", ["12"], (), "12.1", 0.0),
        ("number:0.05", ["100"], (), "104.9", 1.0),
        ("number:0.05", ["100"], (), "105.2", 0.0),
        ("number", ["0"], (), "0.0", 1.0),
        ("number", [".5"], (), "0.5", 1.0),
        ("number", [".5"], (), "5", 0.0),
        ("number", ["102"], (), "10\u00b2", 0.0),
        ("number", ["1e400"], (), "7", 0.0),
        ("exact", ["*"], (), "", 0.0),
        ("exact", ["*"], (), "*", 1.0),
        ("number", ["none"], (), "None.", 1.0),
        ("chart", ["100"], (), "95.1 %", 1.0),
        ("chart", ["100"], (), "94", 0.0),
        ("anls", ["hello"], (), "hell", 0.8),
        ("anls", ["hello"], (), "help me out", 0.0),
        ("anls", ["hallo", "hello"], (), "HELLO", 1.0),
        ("vqa", ["2"] * 10, (), "two", 1.0),
        ("vqa", ["red"] * 3, (), "red", 1.0),
        ("vqa", ["3,000"] * 10, (), "3000", 1.0),
        ("vqa", ["don't"] * 10, (), "dont", 1.0),
        ("vqa", ["2"] * 2 + ["3"] * 8, (), "2", 0.6),
        ("vqa", ["2"] + ["3"] * 9, (), "2", 0.3),
        ("vqa", ["a dog"] * 3 + ["cat"] * 7, (), "the dog", 0.9),
        ("regex", [r"\b\d{4}\b"], (), "It was built in 1889.", 1.0),
        ("regex", [r"^red$"], (), "dark red", 0.0),
    ],
)
def test_an_answer_is_worth_what_the_rule_says(
    scorer: str, answers: list[str], options: tuple[str, ...], text: str, value: float
) -> None:
    expected = Expected(answers=tuple(answers), options=options, scorer=scorer)
    check_scorer(expected)
    assert score(text, expected).value == pytest.approx(value)


def test_every_scorer_stays_between_0_and_1_and_says_what_it_does() -> None:
    for name, entry in SCORERS.items():
        expected = Expected(answers=("1", "1.5"), options=("1", "1.5"), scorer=name)
        assert entry.about
        for text in ("", "1", "1.5", "\n", "A", "nothing of the kind", "\u0661", "9" * 400):
            assert 0.0 <= score(text, expected).value <= 1.0


@pytest.mark.parametrize(
    ("answers", "options", "name"),
    [(["red"], ("red", "blue"), "option"), (["12", "12.5"], (), "number"), (["12", "a dozen"], (), "exact")],
)
def test_the_scorer_fits_the_answers_where_none_is_named(
    answers: list[str], options: tuple[str, ...], name: str
) -> None:
    assert scorer_of(Expected(answers=tuple(answers), options=options)) == name


@pytest.mark.parametrize(
    ("scorer", "answers", "kind", "says"),
    [
        ("exactly", ["a"], UnknownNameError, "no scorer called 'exactly'. Did you mean exact?"),
        ("exact", [""], SettingError, "An accepted answer is empty."),
        ("exact", [], SettingError, "An accepted answer is empty."),
        ("exact:1", ["a"], SettingError, "takes no argument, and was given '1'"),
        ("option", ["a"], SettingError, "needs options"),
        ("number:lots", ["1"], SettingError, "not 'lots'"),
        ("number:2", ["1"], SettingError, "not '2'"),
        ("number:nan", ["1"], SettingError, "not 'nan'"),
        ("regex", ["(a"], SettingError, "'(a' is no regular expression"),
        ("judge", ["a"], SettingError, "A judge needs a name"),
    ],
)
def test_what_cannot_be_scored_is_refused(scorer: str, answers: list[str], kind: type[G2UError], says: str) -> None:
    with pytest.raises(kind) as error:
        check_scorer(Expected(answers=tuple(answers), scorer=scorer))
    assert says in str(error.value)
