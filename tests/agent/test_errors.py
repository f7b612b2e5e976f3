"""Errors: what they tell a user to do next."""

from pathlib import Path

import pytest

from g2u.engine.registry import get_engine
from g2u.errors import G2UError, OutputError, UnknownNameError, WeightsError
from g2u.files import check_folder, write_atomic

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


def test_places_are_called_by_their_last_name_and_a_note_has_the_whole_path() -> None:
    error = G2UError("'/srv/runs/maze' is not in '/srv/runs'.", "Look into /srv/runs.")
    assert error.naming("/srv/runs/maze", "/srv/runs", "relative", "/") is error
    assert str(error) == "'maze' is not in 'runs'. Look into runs."
    assert error.in_full == f"{error} (maze is /srv/runs/maze.) (runs is /srv/runs.)"
    assert error.naming("/srv/runs").in_full.count("/srv/runs.") == 1
    assert error.args == (error.message,)


def test_what_cannot_be_written_is_called_by_its_last_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for fails in (
        lambda: check_folder(tmp_path / "file" / "runs"),
        lambda: write_atomic(tmp_path / "file" / "runs" / "a.png", b""),
    ):
        with pytest.raises(OutputError) as caught:
            fails()
        assert str(tmp_path) not in str(caught.value) and str(tmp_path) in caught.value.in_full


async def test_weights_that_cannot_be_loaded_are_called_by_their_last_name(tmp_path: Path) -> None:
    for key in ("mini", "bagel"):
        for folder in (tmp_path, tmp_path / "nothing"):
            with pytest.raises(WeightsError) as caught:
                await get_engine(key, str(folder)).ready()
            assert str(tmp_path) not in str(caught.value) and folder.name in str(caught.value)
            assert str(folder) in caught.value.in_full
