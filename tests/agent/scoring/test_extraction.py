"""Finding the answer in what a model wrote: it is found, or it is said that there is none; nothing is guessed."""

import pytest

from g2u.scoring.extraction import extract_option, extract_value

OPTIONS = ["red", "blue", "dark red"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("red", "red"),
        ("Blue.", "blue"),
        ("b", "blue"),
        ("(B) because of the sky", "blue"),
        ("B. blue", "blue"),
        ("The answer is B.", "blue"),
        ("Answer: dark red", "dark red"),
        ("It is dark red.", "dark red"),
        ("The sky is blue and the roof is red, so (C).", "dark red"),
        ("not red, the answer is: blue", "blue"),
        ("I first thought red.\n<answer>blue</answer>", "blue"),
        (r"So \boxed{red}", "red"),
        ("The answer is red. No: the answer is blue.", "blue"),
        ("B is correct.", "blue"),
        ("Option B is the right one.", "blue"),
        ("The answer is B because the sky is blue and not red.", "blue"),
        ("The answer is B, not A.", "blue"),
        ("The answer is A or B.", None),
        ("The answer is a red one.", "red"),
        ("red or blue", None),
        ("A. blue", None),
        ("(A) or (B)", None),
        ("<answer>(A) or (B)</answer>", None),
        ("a dream", None),
        ("no idea", None),
        ("", None),
    ],
)
def test_the_one_option_that_a_text_names(text: str, found: str | None) -> None:
    assert extract_option(text, OPTIONS) == found


def test_a_letter_that_is_an_option_itself_is_a_word() -> None:
    assert extract_option("The language is C.", ["C", "C++", "Java"]) == "C"
    assert extract_option("The language is Java.", ["C", "C++", "Java"]) == "Java"


def test_an_option_inside_a_word_is_none() -> None:
    assert extract_option("It was rendered", ["red", "blue"]) is None
    assert extract_option("12", ["1", "2"]) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("teal", "teal"),
        ("\n teal \n", "teal"),
        ("The answer is 12.", "12."),
        ("Let me see.\nThere are 12.\nAnswer: 12", "12"),
        ("Let me see.\nThere are 12.", None),
        ("<answer></answer>", None),
        ("", None),
    ],
)
def test_the_free_answer_of_a_text(text: str, found: str | None) -> None:
    assert extract_value(text) == found


@pytest.mark.parametrize(
    ("text", "options", "found"),
    [
        ("The answer is not red.", ["red", "blue"], None),
        ("It isn't red, it is blue.", ["red", "blue"], "blue"),
        ("The picture shows a red car. The final answer is green.", ["red", "blue"], None),
        ("I see red. The answer is unclear.", ["red", "blue"], None),
        ("\u22123", ["-3", "3"], "-3"),
        ("The value is \u22123", ["-3", "3"], "-3"),
        ("-3", ["3", "4"], None),
        ("It is 3.5", ["3", "4"], None),
        ("There are 1,000.", ["1", "2"], None),
        ("2/3", ["2", "4"], None),
        ("There are 2.", ["2", "4"], "2"),
        ("A or B", ["red", "blue"], None),
        ("Dr. D. Smith painted it", ["oil", "ink", "wax", "pen"], None),
        ("Panel B: red and blue are shown", ["red", "blue"], None),
        (r"\boxed{\text{B}}", ["red", "blue"], "blue"),
        ("B\n\nBecause the sky is.", ["red", "blue"], "blue"),
        ("Answer: B, since it is", ["red", "blue"], "blue"),
        ("B, because it is", ["red", "blue"], "blue"),
        ("**B** because it is", ["red", "blue"], "blue"),
        ("The answer is (b), the second.", ["red", "blue"], "blue"),
        ("<think>red?</think> blue", ["red", "blue"], "blue"),
        ("It is vitamin C", ["vitamin D", "vitamin C", "vitamin A"], "vitamin C"),
        ("5'", ["5'", '5"'], "5'"),
    ],
)
def test_what_is_denied_or_marked_or_a_part_of_something_else(text: str, options: list[str], found: str | None) -> None:
    assert extract_option(text, options) == found
