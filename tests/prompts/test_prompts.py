"""Prompts are data: rendered strictly, hashed, and refused when they are not what they should be."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from g2u import prompts
from g2u.edits import EditLibrary


@pytest.mark.parametrize(
    ("name", "variables", "expected"),
    [
        ("answer", {"question": "Which?"}, "Question: Which? Answer:"),
        ("answer", {"question": "Which?", "options": ["red", "blue"]}, "Question: Which? Answer:"),
        ("decide", {"question": "Which?"}, "Question: Which? Edit:"),
        ("naive", {"question": "Which?"}, "Question: Which? What would help:"),
        ("decide", {"question": "A?", "tried": ["deblur"], "error": "No."}, "Question: A? Tried: deblur. No. Edit:"),
        ("reflect", {"question": "Which?", "instruction": "Go."}, "Question: Which? Edit: Go. Verdict:"),
    ],
)  # fmt: skip
def test_prompts_of_mini(name: str, variables: dict[str, object], expected: str) -> None:
    assert prompts.render("mini", name, **variables) == expected


def test_prompts_of_bagel() -> None:
    library = EditLibrary.load()
    edits = [library.get(name) for name in ("deblur", "trace_path", "none")]
    decide = prompts.render("bagel", "decide", question="Which?", edits=edits, tried=["mark"], error="Not JSON.")
    for line in (
        "A question will be asked about this picture: Which?",
        "- deblur: The picture is out of focus and edges are soft.",
        "Its argument colour is one of: red, green, blue.",
        "These were tried and did not help: mark.",
        "Your last reply could not be used. Not JSON.",
        'Reply with one JSON object and nothing else, such as {"edit": "NAME"}',
    ):
        assert line in decide
    assert "tried" not in prompts.render("bagel", "decide", question="Which?", edits=edits)
    asked = prompts.render("bagel", "answer", question="Which?", options=["red", "blue"])
    assert asked.splitlines()[:2] == ["Which?", "Options: red; blue."]
    assert prompts.render("bagel", "answer", question="Which?") == "Which?\nReply with a few words."
    assert "Go." in prompts.render("bagel", "reflect", question="Which?", instruction="Go.")
    assert "Which?" in prompts.render("bagel", "naive", question="Which?")


def test_bagel_is_asked_to_think_in_the_official_words() -> None:
    assert prompts.render("bagel", "think_draw") == (
        "You should first think about the planning process in the mind and then generate the image. \n"
        "The planning process is enclosed within <think> </think> tags, i.e. <think> planning process here </think> "
        "image here"
    )
    assert prompts.render("bagel", "think_answer") == (
        "You should first think about the reasoning process in the mind and then provide the user with the answer. \n"
        "The reasoning process is enclosed within <think> </think> tags, i.e. <think> reasoning process here </think> "
        "answer here"
    )


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="question"):
        prompts.render("mini", "answer")


@pytest.mark.parametrize(("prompt_set", "name"), [("mini", "sing"), ("maxi", "answer"), ("..", "edits")])
def test_an_unknown_prompt_is_an_error(prompt_set: str, name: str) -> None:
    with pytest.raises(LookupError, match=name):
        prompts.render(prompt_set, name)


def test_instructions_run_in_a_sandbox() -> None:
    with pytest.raises(Exception, match="unsafe"):
        prompts.fill("{{ colour.__class__.__mro__ }}", {"colour": "red"})


def test_digest_names_every_prompt_file() -> None:
    folder = Path(prompts.__file__).parent
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in (".yaml", ".j2")}
    assert set(prompts.digest()) == files
    assert len(set(prompts.digest().values())) == len(files)
    assert all(len(value) == 64 for value in prompts.digest().values())
