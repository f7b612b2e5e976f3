"""Errors: what they tell a user to do next."""

import pytest

from g2u.errors import UnknownNameError

EDITS = ["deblur", "denoise", "expose"]


@pytest.mark.parametrize(
    ("name", "command", "near", "hint"),
    [
        ("debblur", "", ["deblur"], "Did you mean deblur?"),
        ("debblur", "g2u edits", ["deblur"], "Did you mean deblur? `g2u edits` lists all."),
        ("zzz", "g2u edits", [], "`g2u edits` lists all."),
        ("zzz", "", [], "There are: deblur, denoise, expose."),
    ],
)
def test_near_names_are_suggested_and_no_others(name: str, command: str, near: list[str], hint: str) -> None:
    error = UnknownNameError("edit", name, EDITS, command)
    assert (error.near, error.hint) == (near, hint)
    assert str(error) == f"There is no edit called {name!r}. {hint}"
