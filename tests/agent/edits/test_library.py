"""The edit library: calls and their one spelling, user edits, the leak lint and the menu of a question."""

from pathlib import Path

import pytest

from g2u.edits.library import EditCall, EditLibrary, leaks
from g2u.edits.menu import Menu
from g2u.errors import G2UError, ToolCallError, UnknownNameError

LIBRARY = EditLibrary.load()
OWN = """
- name: relief
  family: structure
  helps: Depth matters.
  instruction: Show near things {{ tone }}.
  arguments: {tone: {choices: [dark, bright], default: bright}}
  version: 1
- {name: deblur, family: enhancement, helps: Soft edges., instruction: Make edges hard., version: 2}
- name: point
  family: structure
  helps: A place is asked.
  instruction: Point at it{% if question %} with an arrow. {{ question }}{% else %}.{% endif %}
  version: 1
"""


@pytest.fixture
def own(tmp_path: Path) -> EditLibrary:
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    return EditLibrary.load(path)


def test_every_call_is_spelt_in_one_way_and_read_back() -> None:
    calls = LIBRARY.calls()
    assert [call.edit for call in calls].count("trace_path") == 3
    assert calls[-1] == EditCall(edit="none")
    assert [LIBRARY.parse(call.text) for call in calls] == calls
    assert EditCall(edit="trace_path", arguments={"colour": "red"}).text == '{"edit": "trace_path", "colour": "red"}'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("deblur", "Not JSON"),
        ('["deblur"]', "No edit named"),
        ('{"colour": "red"}', "No edit named"),
        ('{"edit": 3}', "No edit named"),
        ('{"edit": "debblur"}', "no edit called 'debblur'.* The edits are: deblur, denoise"),
        ('{"edit": "trace_path", "colour": "pink"}', "colour: Input should be 'red', 'green' or 'blue'"),
        ('{"edit": "trace_path", "width": 3}', "width: Extra inputs.*its arguments are: colour"),
        ('{"edit": "deblur", "colour": "red"}', "its arguments are: none"),
    ],
)
def test_a_call_that_cannot_be_made_says_how_to_mend_it(text: str, says: str) -> None:
    with pytest.raises(ToolCallError, match=says):
        LIBRARY.parse(text)


def test_arguments_left_out_have_their_defaults() -> None:
    call = LIBRARY.parse('{"edit": "trace_path"}')
    assert call.arguments == {"colour": "red"}
    assert LIBRARY.instruction(call) == "Draw the way from the start to the exit in red."


@pytest.mark.parametrize(
    ("edit", "question", "sentence"),
    [
        ("mark", "", "Mark what is asked."),
        ("mark", "Where is the star?", "Mark what is asked. Where is the star?"),
        ("follow_line", "", "Follow the line that is asked for."),
        ("follow_line", "Where does A lead?", "Follow the line that is asked for. Where does A lead?"),
        ("trace_path", "Which exit?", "Draw the way from the start to the exit in red."),
        ("mark", "What is {{ 7 * 7 }}?", "Mark what is asked. What is {{ 7 * 7 }}?"),  # filled in once, not twice
        ("none", "Which?", ""),
    ],
)
def test_an_instruction_carries_the_question_where_its_template_asks_for_it(
    edit: str, question: str, sentence: str
) -> None:
    assert LIBRARY.instruction(LIBRARY.call(edit), question) == sentence


def test_an_unknown_edit_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean denoise"):
        LIBRARY.get("denoize")


def test_families_select_calls_and_none_stays() -> None:
    assert [call.edit for call in LIBRARY.calls(["extension"])] == [
        "outpaint", "upright", "remove_distractors", "rebuild_background", "none",
    ]  # fmt: skip
    assert set(LIBRARY.families) == {"enhancement", "extension", "structure", "none"}


def test_tools_have_closed_schemas() -> None:
    schema = LIBRARY.get("trace_path").schema_model.model_json_schema()
    assert schema["properties"]["colour"]["enum"] == ["red", "green", "blue"]
    assert schema["additionalProperties"] is False


def test_own_edits_are_merged_by_name(own: EditLibrary) -> None:
    assert own.names == [*LIBRARY.names, "relief", "point"]
    assert own.instruction(own.call("deblur")) == "Make edges hard."
    assert own.get("relief").arguments["tone"].default == "bright"
    assert own.digest and not LIBRARY.digest


def test_own_edits_can_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    monkeypatch.setenv("G2U_EDITS", str(path))
    assert "relief" in EditLibrary.load().names


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file"),
        ("- [", "not YAML of edits"),
        ("edits: 3", "a list of edits was expected"),
        ("- {name: x, family: structure, helps: y, version: 1}", "every edit but 'none'"),
        ("- {name: none, family: none, helps: y, instruction: Go., version: 1}", "every edit but 'none'"),
        ("- {name: X y, family: structure, helps: y, instruction: Go., version: 1}", "wrong at 'name'"),
        ("- {name: x, family: magic, helps: y, instruction: Go., version: 1}", "wrong at 'family'"),
        ("- {name: x, family: structure, helps: y, instruction: 'Go {{ way }}.', version: 1}", "'way' is undefined"),
        ("- {name: x, family: structure, helps: y, instruction: 'Go {{ way.', version: 1}", "cannot be filled"),
        (
            "- {name: x, family: structure, helps: y, instruction: Go., version: 1,"
            " arguments: {way: {choices: [up], default: down}}}",
            "'down' is not one of the choices",
        ),
        (
            "- {name: x, family: structure, helps: y, instruction: Go., version: 1,"
            " arguments: {edit: {choices: [up], default: up}}}",
            "cannot be called 'edit'",
        ),
        (
            "- {name: x, family: structure, helps: y, instruction: Go., version: 1,"
            " arguments: {question: {choices: [up], default: up}}}",
            "cannot be called 'question'",
        ),
        (
            "- {name: x, family: structure, helps: y, version: 1,"
            " instruction: 'Go.{% if question %} {{ way }}{% endif %}'}",
            "'way' is undefined",
        ),
        ("- {name: x, family: structure, helps: y, instruction: '{{ question }}', version: 1}", "is empty where"),
    ],
)
def test_a_library_that_is_wrong_is_refused(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "own.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(G2UError, match=says):
        EditLibrary.load(path)


@pytest.mark.parametrize(
    ("instruction", "options", "found"),
    [
        ("Draw the way in red.", ["red", "blue"], ["red"]),
        ("Draw the way in RED.", ["Red"], ["Red"]),
        ("Make it redder.", ["red"], []),
        ("Circle the light  blue one.", ["light blue", "blue"], ["light blue", "blue"]),
        ("Which is it, A or B?", ["A", "C"], ["A"]),
        ("Cost: $5 (about)", ["$5", "(about)", "5.0"], ["$5", "(about)"]),
        ("Nothing here.", [], []),
    ],
)
def test_leaks_are_whole_words(instruction: str, options: list[str], found: list[str]) -> None:
    assert leaks(instruction, options) == found


@pytest.mark.parametrize(
    ("edit", "options", "leaking"),
    [
        ("expose", ["dark", "bright"], False),  # shipped wording is fixed and exempt
        ("trace_path", ["red", "pink"], True),  # arguments are not
        ("trace_path", ["pink", "teal"], False),
        ("deblur", ["hard", "soft"], True),  # the user's wording is not
        ("relief", ["bright", "pink"], True),
        ("point", ["arrow", "line"], True),  # nor what it says around a question
        ("point", ["it", "that"], True),
        ("mark", ["asked", "told"], False),
    ],
)
def test_what_the_lint_reads(own: EditLibrary, edit: str, options: list[str], leaking: bool) -> None:
    assert bool(own.leaks(own.call(edit), options)) is leaking


def test_the_menu_moves_a_leaking_argument_and_says_so() -> None:
    menu = Menu(library=LIBRARY, options=["red", "pink"])
    call, note = menu.settle(LIBRARY.call("trace_path"))
    assert call.arguments == {"colour": "green"}
    assert '"colour": "red"' in note and '"colour": "green"' in note
    assert menu.settle(call) == (call, "")
    assert len(menu.calls) == len(LIBRARY.calls()) - 1


@pytest.mark.parametrize(
    "menu",
    [
        Menu(library=LIBRARY, options=["red", "green", "blue"]),
        Menu(library=LIBRARY, families=["enhancement"]),
        Menu(library=LIBRARY, instructions=frozenset({"Remove the blur."})),
    ],
    ids=["all choices leak", "another family", "not drawable"],
)
def test_the_menu_refuses_what_it_cannot_move(menu: Menu) -> None:
    with pytest.raises(ToolCallError, match=r"trace_path cannot be picked.*deblur.*none"):
        menu.settle(LIBRARY.call("trace_path"))


def test_the_menu_refuses_unknown_families() -> None:
    with pytest.raises(UnknownNameError, match="structure"):
        Menu(library=LIBRARY, families=["structur"])


def test_an_instruction_in_own_words_is_a_call_on_no_menu() -> None:
    call = LIBRARY.call("written", {"instruction": "  Draw {{ 7 * 7 }} rays.  "})
    assert call.text == '{"edit": "written", "instruction": "Draw {{ 7 * 7 }} rays."}'
    assert LIBRARY.instruction(call, "Which?") == "Draw {{ 7 * 7 }} rays."
    assert LIBRARY.parse(call.text) == call
    assert LIBRARY.get("written").family == "written"
    assert "written" not in {*LIBRARY.names, *LIBRARY.families, *(edit.name for edit in LIBRARY)}
    menu = Menu(library=LIBRARY, options=["rays", "lines"])
    assert "written" not in {call.edit for call in menu.calls}
    with pytest.raises(ToolCallError, match="written cannot be picked"):
        menu.settle(call)
    with pytest.raises(ToolCallError, match="may name an answer") as told:
        menu.settle(call, written=True)
    assert "rays" not in told.value.message
    assert Menu(library=LIBRARY).settle(call, written=True) == (call, "")
    for narrow in (Menu(library=LIBRARY, families=["structure"]), Menu(library=LIBRARY, instructions=frozenset())):
        with pytest.raises(ToolCallError, match="written cannot be picked"):
            narrow.settle(call, written=True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "instruction: Field required"),
        ({"instruction": " "}, "at least 1 character"),
        ({"instruction": "x" * 501}, "at most 500 characters"),
        ({"instruction": 3}, "valid string"),
    ],
)
def test_own_words_have_a_length(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(ToolCallError, match=says):
        LIBRARY.call("written", arguments)


@pytest.mark.parametrize(
    ("instruction", "options", "named"),
    [
        ("Draw a line to the exit.", ["A", "B"], []),
        ("Draw a line to A.", ["A", "B"], ["A"]),
        ("Draw the Red line.", ["red", "blue"], ["red"]),
        ("Draw 2 lines.", ["2", "3"], ["2"]),
    ],
)
def test_the_case_of_a_single_letter_counts(instruction: str, options: list[str], named: list[str]) -> None:
    assert leaks(instruction, options) == named
