"""Functions from outside of the package: found by their place, or refused in a sentence."""

import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from g2u.errors import ExtensionError, UnknownNameError
from g2u.extensions import find, find_function, is_place, settled_place


@pytest.fixture
def name() -> str:
    """Of a module that no other test has."""
    return f"own_{uuid4().hex}"


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    path = list(sys.path)
    yield
    sys.path[:] = path


@pytest.mark.parametrize(
    ("name", "is_one", "in_a_package"),
    [
        ("package.module:load", True, True),
        ("module:load", True, False),
        ("examples/own_model.py:load", True, True),
        ("/a b/own.py:load", True, True),
        ("mini", False, False),
        ("probe:3", False, False),
        ("openai:gpt-4o-mini", False, False),
        ("openai:ft:gpt:mine", False, False),
        ("fixed:trace_path(colour=red)", False, False),
        ("a..b:load", False, False),
        (":load", False, False),
        ("package.module:", False, False),
    ],
)
def test_what_is_written_as_a_place(name: str, is_one: bool, in_a_package: bool) -> None:
    assert (is_place(name), is_place(name, dotted=True)) == (is_one, in_a_package)


def test_a_file_is_imported_once_with_what_lies_beside_it(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}_beside.py").write_text("value = 7")
    file = tmp_path / f"{name}.py"
    file.write_text(f"from {name}_beside import value\ndef load():\n    return value\n")
    assert find_function(f"{file}:load")() == 7
    assert find(f"{file}:load") is find(f"{file.parent}/../{tmp_path.name}/{file.name}:load")


def test_two_files_of_one_name_are_two(tmp_path: Path, name: str) -> None:
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / f"{name}.py").write_text(f"value = {number}")
    assert [find(f"{tmp_path}/{number}/{name}.py:value") for number in (1, 2)] == [1, 2]


def test_modules_are_found_in_the_current_folder(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "inner.py").write_text("def load(): ...")
    (tmp_path / f"{name}_flat.py").write_text("def load(): ...")
    monkeypatch.chdir(tmp_path)
    assert find_function(f"{name}.inner:load").__module__ == f"{name}.inner"
    assert find_function(f"{name}_flat:load").__module__ == f"{name}_flat"


def test_a_place_is_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settled_place("own.py:load") == f"{tmp_path}/own.py:load"
    assert [settled_place(name) for name in ("package.module:load", "mini")] == ["package.module:load", "mini"]


@pytest.mark.parametrize(
    ("text", "place", "error", "told", "hint"),
    [
        ("def load(): ...", "own.py:laod", UnknownNameError, "called 'laod'", "Did you mean load?"),
        ("load = 3", "own.py:load", ExtensionError, "is of type int, and a function was expected", ""),
        ("", "other.py:load", ExtensionError, "There is no file", "there are: own.py"),
        ("import nothing_here", "own.py:load", ExtensionError, "No module named 'nothing_here'", "own.py` shows where"),
        ("\n1 / 0", "own.py:load", ExtensionError, "ZeroDivisionError: division by zero", "line 2"),
        ("def load(:", "own.py:load", ExtensionError, "SyntaxError", "line 1"),
        ("", "nowhere.at.all:load", ExtensionError, "There is no module 'nowhere'", "package.module:function or"),
        ("", "g2u.nowhere:load", ExtensionError, "There is no module 'g2u.nowhere'", ""),
    ],
)
def test_what_cannot_be_found_is_told_in_a_sentence(
    text: str, place: str, error: type[Exception], told: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(error) as refused:
        find_function(place if place.startswith(("nowhere", "g2u")) else f"{tmp_path}/{place}")
    assert told in str(refused.value) and hint in str(refused.value)
    assert "\n" not in str(refused.value)
