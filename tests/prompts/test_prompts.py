"""Prompts are data: rendered strictly, hashed, and refused when they are not what they should be."""

import hashlib
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from g2u import prompts
from g2u.edits.library import EditLibrary


@pytest.mark.parametrize(
    ("name", "variables", "expected"),
    [
        ("answer", {"question": "Which?"}, "Question: Which? Answer:"),
        ("answer", {"question": "Which?", "options": ["red", "blue"]}, "Question: Which? Answer:"),
        ("answer", {"question": "Which?", "note": ""}, "Question: Which? Answer:"),
        ("answer", {"question": "Which?", "note": "Go."}, "Question: Which? Edit: Go. Answer:"),
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


def test_a_note_to_bagel_comes_before_the_question() -> None:
    plain = prompts.render("bagel", "answer", question="Which?", options=["red", "blue"])
    noted = prompts.render("bagel", "answer", question="Which?", options=["red", "blue"], note="Go.")
    assert noted == f"An edit of the picture that may help was described in these words: Go.\n{plain}"


def test_who_writes_an_instruction_is_told_what_was_tried_and_what_was_wrong() -> None:
    examples = prompts.load_examples()
    assert len(examples) >= 5 and all(set(example) == {"question", "instruction"} for example in examples)
    assert examples[-1]["instruction"] == "none"
    for prompt_set in ("bagel", "writer"):
        bare = prompts.render(prompt_set, "write", question="Which?", examples=examples)
        told = prompts.render(prompt_set, "write", question="Which?", examples=examples, tried=["Go."], error="No.")
        assert "Which?" in bare and "none if the picture already shows what is asked" in bare
        assert "did not help" not in bare and "could not be used" not in bare and "\n\n\n" not in bare + told
        assert "did not help:\n- Go." in told and "could not be used. No." in told
    assert bare.endswith("Question: Which?\nInstruction:")
    assert all(f"Question: {one['question']}\nInstruction: {one['instruction']}" in bare for one in examples)


def test_templates_and_readers_of_a_set_are_known() -> None:
    assert prompts.templates("mini") == ["answer", "decide", "naive", "reflect"]
    assert prompts.templates("fusions") == [
        "auxiliary_label",
        "enhance_first",
        "instruction",
        "original_label",
        "question",
    ]
    assert prompts.readers("mini") == ["answer"]
    assert prompts.readers("bagel") == ["answer", "answer_verbatim"]
    assert prompts.templates("maxi") == prompts.readers("maxi") == []


@pytest.mark.parametrize("prompt_set", ["bagel", "blip3o", "thinkmorph"])
def test_a_text_of_a_benchmark_is_asked_as_it_is(prompt_set: str) -> None:
    text = "Which one?\nA. red\nB. blue\nAnswer with the letter."
    assert prompts.render(prompt_set, "answer_verbatim", question=text) == text


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
    assert prompts.digest() == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files}


def test_prompts_of_blip3o_are_those_of_bagel_but_where_they_speak_of_the_picture() -> None:
    asked = {"question": "Which?", "instruction": "Go.", "options": ["red", "blue"], "tried": ["mark"], "error": "No."}
    assert set(prompts.templates("blip3o")) == {name for name in prompts.templates("bagel") if "think" not in name}
    for name in ("answer", "naive", "followed"):
        assert prompts.render("blip3o", name, **asked) == prompts.render("bagel", name, **asked)
    edits = [EditLibrary.load().get("deblur")]
    for name in ("decide", "reflect", "kept", "write"):
        own = prompts.render("blip3o", name, edits=edits, **asked)
        assert "drawn anew" in own and "Which?" in own and "an edit" not in own
    assert {"blip3o/answer.j2", "bagel/answer.j2"} <= set(prompts.digest())
