"""Questions of your own: a JSON Lines file, one a line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from g2u.edits.library import EditLibrary
from g2u.errors import ExtensionError, G2UError, PictureError, SettingError, StudyError, UnknownNameError
from g2u.loop.admission import check_question
from g2u.pictures.store import ImageStore
from g2u.scoring.expected import Expected
from g2u.scoring.extraction import letters
from g2u.scoring.scorers import check_scorer, is_own, scorer_of

from .records import ItemRecord


class OwnItem(BaseModel):
    """One line of a file of your own questions.

    Example:
        `{"picture": "cat.png", "question": "What is on the mat?", "options": ["cat", "dog"], "answer": "cat"}`
    """

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    picture: str = ""
    """Path of the file, as seen from the folder of the questions; or `pictures`."""
    pictures: list[str] = []
    """Paths of several, in order."""
    question: str
    options: list[str] = []
    """Empty for a free answer."""
    answer: str = ""
    """The right one; or `answers`."""
    answers: list[str] = []
    """All that are accepted, the one that is shown first."""
    scorer: str = ""
    """As in `ItemRecord`; empty for that of the study."""
    cluster: str = ""
    """As in `ItemRecord`."""
    gold_edits: list[str] | None = None
    """Edits known to help, `["none"]` where none does; leave it out where nobody knows."""
    id: str = ""
    """Empty for the number of the line."""
    groups: dict[str, str] = Field(default_factory=dict)
    """Whatever the tables should tell apart, such as `{"category": "chart"}`."""

    @model_validator(mode="after")
    def _has_pictures(self) -> Self:
        if bool(self.picture) == bool(self.pictures):
            raise ValueError('needs either "picture", one path, or "pictures", a list of them')
        return self

    @model_validator(mode="after")
    def _has_an_answer(self) -> Self:
        if bool(self.answer) == bool(self.answers):
            raise ValueError('needs either "answer", one text, or "answers", a list of accepted ones')
        return self

    @field_validator("gold_edits")
    @classmethod
    def _says_something(cls, value: list[str] | None) -> list[str] | None:
        if value == []:
            raise ValueError('an empty list says nothing; write ["none"] where no edit helps, or leave it out')
        return value


def read_items(path: Path, store: ImageStore, count: int | None = None, scorer: str = "") -> list[ItemRecord]:
    """Read a JSON Lines file of `OwnItem`s.

    Args:
        path: Of the file.
        store: For the pictures.
        count: How many, in the order of the file; `None` for all. Every line is checked, no picture beyond is read.
        scorer: Of the items that name none.

    Raises:
        StudyError: It cannot be read, a line is no question, its picture cannot be used, or two have one id.
        UnknownNameError: A gold edit is no edit.
    """
    names: set[str] = set()
    records: list[ItemRecord] = []
    for place, (number, line) in enumerate(_lines(path)):
        where = f"Line {number} of {str(path)!r}"
        own, expected = _own_item(line, where, scorer, path.parent)
        name = own.id or str(number)
        if name in names:
            raise StudyError(f"{where}: there are two questions with the id {name!r}.")
        names.add(name)
        if count is not None and place >= count:
            continue
        try:
            pictures = [store.add_file(path.parent / one) for one in own.pictures or [own.picture]]
        except PictureError as error:
            raise StudyError(f"{where}: {error.message}", error.hint) from error
        record = ItemRecord(
            id=name,
            pictures=pictures,
            question=own.question,
            options=own.options,
            answers=list(expected.answers),
            scorer=expected.scorer,
            cluster=own.cluster,
            gold_edits=own.gold_edits,
            groups=own.groups,
        )
        records.append(record)
    return records


def count_items(path: Path) -> int:
    """How many questions a file has.

    Raises:
        StudyError: It cannot be read, or has none.
    """
    return len(_lines(path))


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a file that are not empty, with their numbers; only a line feed ends one, as JSON Lines has it."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        hint = "Name a JSON Lines file of questions, or `world`."
        raise StudyError(f"The questions {str(path)!r} cannot be read: {error}.", hint) from error
    found = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise StudyError(f"There is no question in {str(path)!r}.", "Write one a line, in JSON.")
    return found


def _own_item(line: str, where: str, scorer: str, folder: Path) -> tuple[OwnItem, Expected]:
    try:
        own = OwnItem.model_validate_json(line)
        check_question(own.question, own.options)
    except (ValidationError, G2UError) as error:
        first = error.errors(include_url=False)[0] if isinstance(error, ValidationError) else {"msg": str(error)}
        message = first["msg"].removeprefix("Value error, ")
        what = f"{'.'.join(map(str, first.get('loc', ())))} {message}".strip()
        raise StudyError(f"{where} is no question: {what}.", 'Expected {"picture": ..., ...}.') from error
    for edit in own.gold_edits or []:
        EditLibrary.load().get(edit)
    answers = own.answers or [own.answer]
    named = own.scorer or scorer
    if is_own(named) and ".py:" in named:  # a file is seen from the folder of the questions, wherever the study goes on
        named = str(folder.resolve() / named)
    expected = Expected(answers=tuple(answers), options=tuple(own.options), scorer=named)
    if own.options and scorer_of(expected) in ("option", "exact"):
        lettered = letters(own.options)
        answers = [answer if answer in own.options else lettered.get(answer, answer) for answer in answers]
        if strange := next((answer for answer in answers if answer not in own.options), None):
            raise StudyError(f"{where}: the answer {strange!r} is none of the options {own.options}.")
        expected = replace(expected, answers=tuple(answers))
    try:
        check_scorer(expected)
    except (SettingError, UnknownNameError, ExtensionError) as error:
        raise StudyError(f"{where}: {error.message}", error.hint) from error
    return own, expected
