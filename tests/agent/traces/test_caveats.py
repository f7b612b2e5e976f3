"""The sentences about what a model does not know."""

import pytest

from g2u.traces.caveats import OUTSIDE, caveats, unknown_words
from tests.scripted import ScriptedModel

OUT = "This picture lies outside of what mini was trained on; its answer makes no claim."


@pytest.mark.parametrize(
    ("words", "share", "told"),
    [
        ([], None, []),
        ([], 0.0, []),
        ([], OUTSIDE - 1e-6, []),
        ([], OUTSIDE, [OUT]),
        (["zebra"], None, ["mini does not know the word zebra; it answers from the rest."]),
        (["zebra", "12"], 1.0, ["mini does not know the words zebra, 12; it answers from the rest.", OUT]),
    ],
)
def test_one_sentence_for_each_limit(words: list[str], share: float | None, told: list[str]) -> None:
    assert list(caveats("mini", words, share, "native")) == told


def test_who_edits_no_pixels_says_so() -> None:
    (told,) = caveats("blip3o-8b", [], None, "reimagine")
    assert told.startswith("blip3o-8b edits no pixels")


def test_unknown_words_are_those_of_question_and_options() -> None:
    model = ScriptedModel(unknown=frozenset({"a", "b", "c"}))
    assert unknown_words(model, "b x a b?", ["C", "a", "x"]) == ["b", "a", "c"]
